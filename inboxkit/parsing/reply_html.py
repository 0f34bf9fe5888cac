from __future__ import annotations
BEGINS, CITED, RULED = "\ufdd1", "\ufdd0", "\ufdd2"
class Page:
    def __init__(self, html: str) -> None:
        self.lines: list[str] = []
        self.words: list[str] = []
    def without(self, marks: bytearray, mark: int) -> str:
        return ""

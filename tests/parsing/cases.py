"""Reads the cases of a file: each begins with ``=== id``, its further parts with ``--- name``."""

from __future__ import annotations

from pathlib import Path

PARTS = ("--- text", "--- signature")
FOLDER = Path(__file__).parent / "replies"


def read_cases(name: str) -> dict[str, list[str]]:
    """Return the parts of each case by its id, without the newline at their ends."""
    cases: dict[str, list[str]] = {}
    for case in FOLDER.joinpath(name).read_text("utf-8").split("\n=== ")[1:]:
        label, _, body = case.partition("\n")
        parts = [""]
        for line in body.removesuffix("\n").split("\n"):
            if line in PARTS:
                parts.append("")
            else:
                parts[-1] += f"{line}\n"
        cases[label] = [part.rstrip("\n") for part in parts]
    return cases

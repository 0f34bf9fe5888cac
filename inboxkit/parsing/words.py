"""Finds the words of a lexicon in text of any language: one look-up a word, no big regexes.

The words themselves are data, in ``codewords``, ``decoywords`` and ``linkwords``.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WORD = re.compile(r"[^\W\d_]+")
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]+")
_JOINERS = re.compile(r"[\s\-_'’ʼ‐‑\u00ad\u200b-\u200f\u2060\ufeff]+")
_PLAIN = str.maketrans({"ı": "i", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "ð": "d",
                        "þ": "th", "ə": "e"})  # fmt: skip
# Blocks (code point >> 8) of scripts that put no space between words, or glue articles to them.
_UNSPACED = frozenset(
    {0x05, 0x06, 0x0E, 0x10, 0x11, 0x12, 0x17, 0x30, 0x31} | set(range(0x34, 0xA0))
)
_ARMENIAN = range(0x0530, 0x0590)


class Hit(NamedTuple):
    """A word found: where in the folded text, and the bits of what it may mean."""

    start: int
    end: int
    meaning: int


def fold(text: str) -> str:
    """Return the text as the lexicon compares it: lower case, no accents, one space for a run.

    Hyphens and apostrophes count as spaces, so that "one-time" and "one time" are the same.
    """
    text = text.lower()
    if not text.isascii():
        text = _MARKS.sub("", unicodedata.normalize("NFKD", text)).translate(_PLAIN)
        text = text.replace("ß", "ss").replace("ς", "σ")
    return _JOINERS.sub(" ", text)


class Lexicon:
    """Word beginnings with a meaning each. ``_`` at an edge of a word asks for a word boundary.

    Words of scripts without spaces are found anywhere, all others only where a word begins.
    """

    def __init__(
        self,
        *tables: Mapping[int, Iterable[str]],
        endings: tuple[str, ...] = (),
        ending_meaning: int = 0,
    ) -> None:
        self._endings, self._ending_meaning = endings, ending_meaning
        self._starts: dict[str, list[tuple[str, bool, int]]] = {}
        self._inner: dict[int, list[tuple[str, bool, bool, int]]] = {}
        for table in tables:
            for meaning, rows in table.items():
                for row in rows:
                    for word in row.split(","):
                        self._add(word.strip(), meaning)

    def _add(self, word: str, meaning: int) -> None:
        left, right = word.startswith("_"), word.endswith("_")
        stem = fold(word.strip("_")).strip()
        if not stem:
            return
        first = ord(stem[0])
        if first >> 8 in _UNSPACED and first not in _ARMENIAN:
            self._inner.setdefault(first >> 8, []).append((stem, left, right, meaning))
        else:
            self._starts.setdefault(stem[:3], []).append((stem, right or len(stem) < 3, meaning))

    def scan(self, folded: str) -> list[Hit]:
        """Return what is found in folded text, by position."""
        hits: list[Hit] = []
        starts = self._starts
        for match in _WORD.finditer(folded):
            at = match.start()
            bucket = starts.get(folded[at : at + 3])
            if bucket is not None:
                self._test(folded, at, bucket, hits)
            if match.end() - at > 6 and match.group().endswith(self._endings):
                hits.append(Hit(match.end() - 3, match.end(), self._ending_meaning))
            if match.end() - at == 2 and (bucket := starts.get(match.group())) is not None:
                self._test(folded, at, bucket, hits)
        if not folded.isascii():
            self._scan_inner(folded, hits)
            hits.sort()
        return hits

    @staticmethod
    def _test(folded: str, at: int, bucket: list[tuple[str, bool, int]], hits: list[Hit]) -> None:
        for stem, whole, meaning in bucket:
            if folded.startswith(stem, at):
                end = at + len(stem)
                if not whole or not folded[end : end + 1].isalpha():
                    hits.append(Hit(at, end, meaning))

    def _scan_inner(self, folded: str, hits: list[Hit]) -> None:
        for block in {ord(char) >> 8 for char in set(folded)}:
            for stem, left, right, meaning in self._inner.get(block, ()):
                at = folded.find(stem)
                while at >= 0:
                    end = at + len(stem)
                    before, after = folded[max(0, at - 1) : at], folded[end : end + 1]
                    if not (left and before.isalpha()) and not (right and after.isalpha()):
                        hits.append(Hit(at, end, meaning))
                    at = folded.find(stem, end)

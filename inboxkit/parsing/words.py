"""Finds the words of a lexicon in text of any language: one look-up a word, no big regexes.

The words themselves are data, in ``codewords``, ``decoywords`` and ``linkwords``.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WORD = re.compile(r"[^\W\d_]+")
_ASCII_WORD = re.compile(r"[a-z]+")
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]+")
_JOINERS = re.compile(r"[\s\-_'’ʼ‐‑\u00ad\u200b-\u200f\u2060\ufeff]+")
_ASCII_JOINERS = {code: " " for code in range(128) if _JOINERS.match(chr(code))}
_PLAIN = str.maketrans(
    {"ı": "i", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ə": "e"}
    | {"ß": "ss", "ς": "σ"}
)
# Blocks (code point >> 8) of scripts that put no space between words, or glue articles to them.
_UNSPACED = frozenset(
    {0x05, 0x06, 0x0E, 0x10, 0x11, 0x12, 0x17, 0x30, 0x31} | set(range(0x34, 0xA0))
)
_ARMENIAN = range(0x0530, 0x0590)
_REMEMBERED = 8_192  # words whose meaning is kept; then all are forgotten


class Hit(NamedTuple):
    """A word found: where in the folded text, and the bits of what it may mean."""

    start: int
    end: int
    meaning: int


@functools.lru_cache(maxsize=16)  # both lexicons are asked about the subject
def fold(text: str) -> str:
    """Return the text as the lexicon compares it: lower case, no accents, one space for a run.

    Hyphens and apostrophes count as spaces, so that "one-time" and "one time" are the same.
    """
    text = text.lower()
    if not text.isascii():
        text = _MARKS.sub("", unicodedata.normalize("NFKD", text)).translate(_PLAIN)
    elif "  " not in (joined := text.translate(_ASCII_JOINERS)):
        return joined
    return _JOINERS.sub(" ", text)


class Lexicon:
    """Word beginnings with a meaning each. ``_`` at an edge of a word asks for a word boundary.

    Words of scripts without spaces are found anywhere, all others only where a word begins.
    ``endings`` are the last parts of compounds, such as "code" in "Bestätigungscode". A phrase
    with the meaning 0 takes its words out: "in order to" speaks of no order.
    """

    def __init__(
        self,
        *tables: Mapping[int, Iterable[str]],
        endings: Iterable[str] = (),
        ending_meaning: int = 0,
    ) -> None:
        self._endings = tuple(endings)
        self._ending_meaning = ending_meaning
        self._stems: list[tuple[str, bool, int]] = []
        self._places: dict[str, list[int]] = {}  # by the first two characters, and by the first
        self._inner: dict[int, list[tuple[str, bool, bool, int]]] = {}
        self._known: dict[str, tuple[Hit, ...]] = {}
        self._empty: set[str] = set()  # of those, the words without a meaning
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
            for key in {stem[:1], stem[:2]}:
                self._places.setdefault(key, []).append(len(self._stems))
            self._stems.append((stem, right, meaning))

    def scan(self, folded: str) -> list[Hit]:
        """Return what is found in folded text, by position."""
        hits: list[Hit] = []
        words = (_ASCII_WORD if folded.isascii() else _WORD).findall(folded)
        if not self._empty.issuperset(words):
            self._scan_words(folded, words, hits)
        if not folded.isascii():
            self._scan_inner(folded, hits)
            hits.sort()
        hollow = [hit for hit in hits if not hit.meaning]
        for phrase in hollow:
            hits = [hit for hit in hits if hit.start < phrase.start or hit.start >= phrase.end]
        return hits

    def _scan_words(self, folded: str, words: Iterable[str], hits: list[Hit]) -> None:
        known, find = self._known.get, folded.find
        at = 0
        for word in words:
            at = find(word, at)  # only what is no letter stands between
            found = known(word)
            if found is None:
                found = self._look_up(word)
            if found:
                self._place(folded, at, found, hits)
            at += len(word)

    def _look_up(self, word: str) -> tuple[Hit, ...]:
        """Return what a word is, and remember it; a negative ``end`` names the stem of a phrase."""
        found: list[Hit] = []
        for place in self._places.get(word[:2], ()):
            stem, whole, meaning = self._stems[place]
            if len(stem) <= len(word):
                if word == stem or (not whole and word.startswith(stem)):
                    found.append(Hit(0, len(stem), meaning))
            elif stem.startswith(word) and not stem[len(word)].isalpha():
                found.append(Hit(0, -1 - place, meaning))
        found.extend(
            Hit(len(word) - len(ending), len(word), self._ending_meaning)
            for ending in self._endings
            if len(word) > len(ending) + 2 and word.endswith(ending)
        )
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
            self._empty.clear()
        result = self._known[word] = tuple(found)
        if not result:
            self._empty.add(word)
        return result

    def _place(self, folded: str, at: int, found: tuple[Hit, ...], hits: list[Hit]) -> None:
        for start, end, meaning in found:
            if end > 0:
                hits.append(Hit(at + start, at + end, meaning))
                continue
            stem, whole, _ = self._stems[-1 - end]
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

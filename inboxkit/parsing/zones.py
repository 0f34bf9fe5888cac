"""A stretch of text with the words about codes in it, and how far from its edges they stand."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .codewords import CODE_ENDINGS, CODE_WORDS, NOUN
from .decoywords import DECOY_WORDS
from .words import Lexicon, fold

if TYPE_CHECKING:
    from .words import Hit

FAR = 999


@dataclass(frozen=True, slots=True)
class Zone:
    """A stretch of text, folded; the words found in it, and the bits of all their meanings."""

    folded: str
    hits: tuple[Hit, ...]
    meaning: int

    def has(self, meaning: int) -> bool:
        """Tell whether a word means one of these."""
        return bool(self.meaning & meaning)

    def gap_left(self, meaning: int) -> int:
        """Return how far before the end the last such word is, ``FAR`` when there is none."""
        ends = [hit.end for hit in self.hits if hit.meaning & meaning]
        return len(self.folded) - max(ends) if ends else FAR

    def gap_right(self, meaning: int) -> int:
        """Return how far after the start the first such word is, ``FAR`` when there is none."""
        return min((hit.start for hit in self.hits if hit.meaning & meaning), default=FAR)


NOTHING = Zone("", (), 0)


def read_zone(text: str) -> Zone:
    """Return the words about codes, and about what is none, in a text."""
    if not text or text.isspace():
        return NOTHING
    folded = fold(text)
    hits = tuple(_lexicon().scan(folded))
    meaning = 0
    for hit in hits:
        meaning |= hit.meaning
    return Zone(folded, hits, meaning)


@functools.cache
def _lexicon() -> Lexicon:
    return Lexicon(CODE_WORDS, DECOY_WORDS, endings=CODE_ENDINGS, ending_meaning=NOUN)

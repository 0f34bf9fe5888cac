"""A stretch of text with the words about codes in it, and how far from its edges they stand."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .codewords import CODE_ENDINGS, CODE_NEUTRAL, CODE_WORDS, NOUN
from .decoywords import DECOY_WORDS
from .words import Lexicon, fold

if TYPE_CHECKING:
    from .words import Hit

FAR = 999
_GLUED = re.compile(r"([^\W\d_]{4,})$")  # a compound: "projektcode"
_BEFORE = re.compile(r"([^\W\d_]{4,}) $")  # "project code"
_OF = re.compile(r" (?:de|di|del|da|do|of|za|na) ([^\W\d_]{4,})")  # "codigo de turno"
_ONLY = re.compile(r" ([^\W\d_]{4,})[ :：-]*")  # "код посылки:"


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

    def names_another_noun(self) -> bool:
        """Tell whether an unknown word beside the last "code" says which: "project code 4829"."""
        noun = max((hit for hit in self.hits if hit.meaning == NOUN), key=_end, default=None)
        if noun is None:
            return False
        before, behind = self.folded[: noun.start], self.folded[noun.end :]
        match = _GLUED.search(before) or (
            _BEFORE.search(before) if noun.end - noun.start > 2 and self.folded[noun.start] in "cp" else None
        )
        if match is None:
            match = _OF.match(behind) or _ONLY.fullmatch(behind)
            return match is not None and self._is_unknown(match, noun.end)
        return self._is_unknown(match, 0)

    def _is_unknown(self, match: re.Match[str], offset: int) -> bool:
        start, end = match.span(1)
        if match.group(1) in CODE_NEUTRAL:
            return False
        return not any(
            hit.start < end + offset and hit.end > start + offset for hit in self.hits
        )


def _end(hit: Hit) -> int:
    return hit.end


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

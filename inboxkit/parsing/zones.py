"""A stretch of text with the words about codes in it, and how far from its edges they stand."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from .codewords import CODE_ENDINGS, CODE_NEUTRAL, CODE_WORDS, NOUN
from .decoywords import DECOY_WORDS
from .words import Lexicon, fold

if TYPE_CHECKING:
    from .words import Hit

FAR = 999
_COMPOUND = re.compile(r"([^\W\d_]{4,})$")  # "projektcode"
_ENGLISH = re.compile(r"([^\W\d_]{4,}) (?:code|pin|passcode)$")  # "project code"
_OF = re.compile(r" (?:de|di|del|da|do|of|za|na) ([^\W\d_]{4,})")  # "codigo de turno"
_ONLY = re.compile(r" ([^\W\d_]{4,})[ :：-]*")  # "код посылки:"


class Zone(NamedTuple):
    """A stretch of text, as written and folded; the words found in it; all their meanings."""

    text: str
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
        nouns = [hit for hit in self.hits if hit.meaning == NOUN]
        if not nouns:
            return False
        noun = max(nouns, key=lambda hit: hit.end)
        compound = _COMPOUND.search(self.folded, 0, noun.start)
        if compound is not None:
            return self._is_unknown(compound)
        after = _OF.match(self.folded, noun.end) or _ONLY.fullmatch(self.folded, noun.end)
        before = _ENGLISH.search(self.folded, 0, noun.end)
        return any(self._is_unknown(word) and not self._is_name(word) for word in (after, before))

    def _is_unknown(self, match: re.Match[str] | None) -> bool:
        if match is None or match.group(1) in _neutral():
            return False
        start, end = match.span(1)
        return not any(hit.start < end and hit.end > start for hit in self.hits)

    def _is_name(self, match: re.Match[str] | None) -> bool:
        return match is not None and match.group(1) not in self.text


NOTHING = Zone("", "", (), 0)


def read_zone(text: str) -> Zone:
    """Return the words about codes, and about what is none, in a text."""
    if not text or text.isspace():
        return NOTHING
    folded = fold(text)
    hits = tuple(_lexicon().scan(folded))
    meaning = 0
    for hit in hits:
        meaning |= hit.meaning
    return Zone(text, folded, hits, meaning)


@functools.cache
def _neutral() -> frozenset[str]:
    return frozenset(map(fold, CODE_NEUTRAL))


@functools.cache
def _lexicon() -> Lexicon:
    return Lexicon(CODE_WORDS, DECOY_WORDS, endings=CODE_ENDINGS, ending_meaning=NOUN)

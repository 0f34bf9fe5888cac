"""A stretch of text with the words about codes in it, and how far from its edges they stand."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from .codewords import CODE_ENDINGS, CODE_NEUTRAL, CODE_WORDS, NOUN
from .decoywords import DECOY_WORDS, PERK
from .words import Hit, Lexicon, fold

FAR = 999
_COMPOUND = re.compile(r"([^\W\d_]{4,})$")  # "projektcode"
_ENGLISH = re.compile(r"([^\W\d_]{4,}) (?:code|pin|passcode)$")  # "project code"
_OF = re.compile(r" (?:de|di|del|da|do|of|za|na) ([^\W\d_]{4,})")  # "codigo de turno"
_ONLY = re.compile(r" ([^\W\d_]{4,})[ :：-]*")  # "код посылки:"
_SHARES = ("%", "٪")
_SHARE = re.compile(r"\d ?[%٪]|[%٪] ?\d")  # "15% off", in any language
_LOWER = re.compile(r"[^\W\d_]{4,}")


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

    def pairs(self, proof: int, *, alone: bool = False) -> bool:
        """Tell whether the zone speaks of a code and of what it proves, side by side.

        With ``alone``, a word that means both, such as "OTP", is no pair, and an offer between
        parts one: "sign in and apply the code".
        """
        nouns = [hit for hit in self.hits if hit.meaning & NOUN]
        perks = [hit for hit in self.hits if alone and hit.meaning & PERK]
        proofs = [h for h in self.hits if h.meaning & proof and not (alone and h.meaning & NOUN)]
        return any(
            (-16 <= noun.start - proof.end <= 12 or 0 <= proof.start - noun.end <= 20)
            and not any(proof.end <= perk.start <= noun.start for perk in perks)
            for noun in nouns
            for proof in proofs
        )

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

    def idle_words(self) -> int:
        """Count the longer words that say nothing of codes, names aside: those of a sentence."""
        spoken = (fold(word) for word in _LOWER.findall(self.text) if word[0].islower())
        return sum(word not in _neutral() and not _lexicon().scan(word) for word in spoken)

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
    if any(sign in folded for sign in _SHARES):
        hits = (*hits, *(Hit(*share.span(), PERK) for share in _SHARE.finditer(folded)))
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

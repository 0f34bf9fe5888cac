"""Tells by the words beside a number that it is something else than a one-time code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .codewords import MINUTE, NOUN, PROOF, USE
from .decoywords import LABEL, MONEY, NUMBERS, PERK, STALE

if TYPE_CHECKING:
    from .zones import Zone

_BESIDE = 32  # how far a label stands from its number, in characters
_STEP = 6  # characters between "enter" and "number"
_BRACKETED = re.compile(r"[(\[]\s*\w[\w.]{0,14}[.:]?\s*$")
_ASIDE = re.compile(r"[(,;–—]|[:：] ")  # what begins another thought
_CONTEXT = NOUN | PROOF | USE
_OTHER = LABEL | PERK


def is_other(left: Zone, right: Zone, label: Zone) -> bool:
    """Tell whether the words beside say that the number is something else than a code."""
    apart = right.gap_right(LABEL) < right.gap_right(NOUN)  # "on branch login-code"
    pair = left.pairs(PROOF) or (right.pairs(PROOF) and not apart)
    if _counts(right) or _is_stale(right):
        return True
    if right.gap_right(LABEL) <= 3 and not pair:
        return True
    named = _labelled(left, paired=pair)
    if named and not (_to_be_entered(left) and (left.has(PROOF) or right.has(PROOF))):
        return True
    if _labelled(label, paired=label.pairs(PROOF)):
        return True
    zones = (left, right, label)
    if not any(zone.has(PERK) for zone in zones):
        return False
    return not any(zone.pairs(PROOF, alone=True) for zone in zones)


def _is_stale(right: Zone) -> bool:
    """Tell whether the words right behind say that it was a code once: "482913 has expired"."""
    if not right.has(STALE):
        return False
    return _ASIDE.search(right.folded, 0, right.gap_right(STALE)) is None


def _counts(right: Zone) -> bool:
    """Tell whether the number counts something: "1000 minutes", "1200 login codes"."""
    unit = right.gap_right(MONEY | MINUTE)
    if unit <= 2 and not any(map(str.isdigit, right.folded[:unit])):
        return True
    plurals = {hit.start for hit in right.hits if hit.meaning & MONEY and hit.start <= 30}
    return any(hit.start in plurals for hit in right.hits if hit.meaning & NOUN)


def _to_be_entered(left: Zone) -> bool:
    """Tell whether a zone ends in words such as "enter the number", with no other label."""
    labels = [hit for hit in left.hits if hit.meaning & _OTHER]
    if len(labels) != 1 or left.folded[labels[0].start : labels[0].end] not in NUMBERS:
        return False
    return any(h.meaning & USE and 0 <= labels[0].start - h.end <= _STEP for h in left.hits)


def _labelled(zone: Zone, *, paired: bool) -> bool:
    """Tell whether the word right before the number names another kind of number."""
    size = len(zone.folded)
    if (bracket := _BRACKETED.search(zone.folded)) is not None:
        return not any(h.meaning & _CONTEXT and h.start >= bracket.start() for h in zone.hits)
    near = [h for h in zone.hits if h.meaning & (_CONTEXT | _OTHER) and size - h.end <= _BESIDE]
    if not near:
        return False
    last = max(near, key=lambda h: (h.end, h.end - h.start))
    if any(char.isdigit() for char in zone.folded[last.end :]):
        return False
    if last.meaning & _OTHER:
        return not paired and not last.meaning & _CONTEXT
    if not last.meaning & NOUN or last.meaning & PROOF:
        return False
    return any(h.meaning & _OTHER and 0 <= last.start - h.end <= 4 for h in near)

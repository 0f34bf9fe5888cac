"""Finds the one-time code of a mail: by shape, and by the words around it. None rather than a guess.

A candidate needs evidence beside it (what it is called, what it is for, standing alone under a
sentence that introduces it); words that name other numbers take it out.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import surroundings
from .candidates import Candidate, candidates, letter_candidates
from .codewords import CODE_ENDINGS, CODE_WORDS, HINT, MINUTE, NOUN, PROOF, SECRET, USE
from .decoywords import DECOY_WORDS, LABEL, MONEY, PERK, TRADE
from .model import Code
from .page import read_page
from .quoted import without_forwarded, without_quoted_lines
from .words import Hit, Lexicon, fold

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIMIT = 64 * 1024
_STUB = 400  # a text part shorter than this may only say "please view the HTML"
_THRESHOLD = 5.0
_BESIDE = 32  # how far a label stands from its number, in characters
_CLOSE = 28  # how far "code is" stands from the code
_FAR = 999
_SUBJECT = 300
_ANSWER = re.compile(
    r"\s*(?:re|aw|sv|vs|antw|odp|ynt|回复|回覆|fwd?|wg|tr|rv|enc|i|vb|ilt|转发|轉寄)\s*[:：]", re.IGNORECASE
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")
_BRACKETED = re.compile(r"[(\[]\s*\w[\w.]{0,14}[.:]?\s*$")
_CONTEXT = NOUN | PROOF | USE
_OTHER = LABEL | PERK


def find_code(text: str, *, subject: str = "", html: str = "") -> Code | None:
    """Return the one-time code of a mail as the reader must type it, or None.

    ``text`` is the mail as plain text, ``html`` its HTML body. Quoted and forwarded text is left
    out. Takes linear time and reads the first 64 kB.
    """
    subject = "" if _ANSWER.match(subject) else subject[:_SUBJECT]
    code = _find(text, subject, html)
    if code is None and html and len(text) < _STUB:
        code = _find(read_page(html).text, subject, html)
    return code


def _find(text: str, subject: str, html: str) -> Code | None:
    body = without_quoted_lines(text[:_LIMIT])
    if not body.isascii():
        body = _INVISIBLE.sub("", body)  # some senders put them between the digits
    code = _search(body, subject, html)
    if code is not None:  # few mails have one: only now is it worth to look where it stands
        own = without_forwarded(body)
        if len(own) < len(body):
            return _search(own, subject, html)
    return code


@functools.cache
def _lexicon() -> Lexicon:
    return Lexicon(CODE_WORDS, DECOY_WORDS, endings=CODE_ENDINGS, ending_meaning=NOUN)


@dataclass(frozen=True, slots=True)
class _Zone:
    """A stretch of text, folded, and the words found in it."""

    folded: str
    hits: tuple[Hit, ...]
    meaning: int  # the bits of all hits

    def has(self, meaning: int) -> bool:
        return bool(self.meaning & meaning)

    def gap_left(self, meaning: int) -> int:
        """Return how far before the end the last such word is, ``_FAR`` when there is none."""
        ends = [hit.end for hit in self.hits if hit.meaning & meaning]
        return len(self.folded) - max(ends) if ends else _FAR

    def gap_right(self, meaning: int) -> int:
        """Return how far after the start the first such word is, ``_FAR`` when there is none."""
        return min((hit.start for hit in self.hits if hit.meaning & meaning), default=_FAR)


_NOTHING = _Zone("", (), 0)


def _zone(text: str) -> _Zone:
    if not text or text.isspace():
        return _NOTHING
    folded = fold(text)
    hits = tuple(_lexicon().scan(folded))
    meaning = 0
    for hit in hits:
        meaning |= hit.meaning
    return _Zone(folded, hits, meaning)


@dataclass(slots=True)
class _Judged:
    """A candidate, what speaks for it, and whether it is called a code and for a login."""

    candidate: Candidate
    score: float
    alone: bool = False
    strong: bool = False
    in_subject: bool = False
    reasons: list[str] = field(default_factory=list[str])

    def add(self, points: float, reason: str = "") -> None:
        self.score += points
        if reason and reason not in self.reasons:
            self.reasons.append(reason)


def _search(body: str, subject: str, html: str) -> Code | None:
    title = _zone(subject)
    found = [_judge(body, each, title) for each in _unlisted(body, candidates(body))]
    found += [_judge_titled(subject, each, title) for each in candidates(subject)]
    judged = [each for each in found if each is not None]
    if not judged and title.has(NOUN | PROOF):
        judged = _search_letters(body, subject, title)
    if not judged:
        return None
    about = _About(body, min(0 if each.in_subject else each.candidate.start for each in judged))
    for each in judged:
        about.weigh(each, html)
    return _best(judged)


def _search_letters(body: str, subject: str, title: _Zone) -> list[_Judged]:
    """Judge codes without a digit, when the subject speaks of a code or a login."""
    words = f"{subject}\n{body[:8000]}"
    found = [_judge(body, c, title) for c in letter_candidates(body) if _is_unknown(c, words)]
    pool = (c for c in letter_candidates(subject) if _is_unknown(c, words))
    found += [_judge_titled(subject, c, title) for c in pool]
    return [each for each in found if each is not None]


def _is_unknown(candidate: Candidate, words: str) -> bool:
    """Tell whether a word is no word of the lexicon, and no name that the mail writes otherwise."""
    word = candidate.value
    if _zone(word).hits or word.title() in words:
        return False
    return word.islower() or word.lower() not in words


def _unlisted(body: str, found: Iterable[Candidate]) -> list[Candidate]:
    """Leave out lists: several of one length, each alone on its line, such as recovery codes."""
    pool = list(found)
    if len(pool) < 3:
        return pool
    alone = {c.value for c in pool if surroundings.is_alone(body, c.start, c.end)}
    lengths = Counter(len(value) for value in alone)
    return [c for c in pool if lengths[len(c.value)] < 3 or c.value not in alone]


def _judge_titled(subject: str, candidate: Candidate, title: _Zone) -> _Judged | None:
    """Return a candidate of the subject with the evidence there, None if it is something else."""
    if not (title.has(NOUN) or (title.has(USE) and title.has(PROOF | HINT))):
        return None
    left = _zone(surroundings.before(subject, candidate.start))
    right = _zone(surroundings.behind(subject, candidate.end))
    if _is_other(left, right, _NOTHING):
        return None
    judged = _Judged(candidate, candidate.weight, in_subject=True)
    _weigh_sentence(judged, left, right)
    if not judged.reasons:
        return None
    judged.add(1.0, "in the subject")
    return judged


def _judge(body: str, candidate: Candidate, title: _Zone) -> _Judged | None:
    """Return the candidate with the evidence of its surroundings, None if it is something else."""
    start, end = candidate.start, candidate.end
    alone = surroundings.is_alone(body, start, end)
    judged = _Judged(candidate, candidate.weight, alone)
    if alone:
        fits = _weigh_lines(judged, body, title)
    else:
        fits = _weigh_inline(judged, body)
    if not fits:
        return None
    judged.add(1.5 * title.has(NOUN) + (1.0 if title.has(PROOF) else 0.5 * title.has(HINT)))
    judged.add(0, candidate.shape)
    return judged


def _weigh_lines(judged: _Judged, body: str, title: _Zone) -> bool:
    """Weigh a candidate alone on its line by the lines above and below."""
    start, end = judged.candidate.start, judged.candidate.end
    if _is_other(_NOTHING, _NOTHING, _zone(surroundings.label_above(body, start))):
        return False
    below = _zone(surroundings.below(body, end))
    above = _zone(surroundings.above(body, start))
    if not above.folded:
        above, below = below, _NOTHING
    judged.add(2.0 * above.has(NOUN), "introduced as a code" if above.has(NOUN) else "")
    judged.add(1.0 * (below.has(NOUN) and not above.has(NOUN)))
    judged.add(1.5 * above.has(PROOF), "for a login or verification" if above.has(PROOF) else "")
    judged.add(0.75 * (not above.has(PROOF) and (above.has(HINT) or below.has(PROOF))))
    judged.add(1.0 * above.has(USE), "to be entered" if above.has(USE) else "")
    judged.strong = above.has(NOUN) and above.has(PROOF)
    introduced = (above.meaning | below.meaning) & _CONTEXT or title.has(NOUN | PROOF)
    judged.add(1.5, "alone on its line")
    return bool(introduced)


def _weigh_inline(judged: _Judged, body: str) -> bool:
    """Weigh a candidate within a sentence by that sentence and the next."""
    start, end = judged.candidate.start, judged.candidate.end
    left = _zone(surroundings.before(body, start))
    right = _zone(surroundings.behind(body, end))
    if _is_other(left, right, _NOTHING):
        return False
    after = _zone(surroundings.next_sentence(body, end))
    if not _introduced(left, right, after):
        return False
    proven = left.has(PROOF) or right.has(PROOF)
    if not proven and _zone(surroundings.list_above(body, start)).has(PERK):
        return False
    _weigh_sentence(judged, left, right)
    judged.add(0.5 * after.has(PROOF) + 0.5 * after.has(USE))
    return True


def _introduced(left: _Zone, right: _Zone, after: _Zone) -> bool:
    """Tell whether a sentence calls a candidate a code, or tells to enter it for a login."""
    both = left.meaning | right.meaning
    if both & NOUN or (left.gap_left(USE) <= 12 and after.has(NOUN | PROOF)):
        return True
    return bool(both & USE) and bool(both & (PROOF | HINT))


def _weigh_sentence(judged: _Judged, left: _Zone, right: _Zone) -> None:
    both = left.meaning | right.meaning
    gap = min(left.gap_left(NOUN), right.gap_right(NOUN))
    if both & NOUN:
        judged.add(3.0 if gap <= _CLOSE else 2.0, "called a code")
        judged.add(0.5 * (not left.folded.strip() and right.gap_right(NOUN) <= 24))
    if both & PROOF:
        judged.add(2.0, "for a login or verification")
    elif both & HINT:
        judged.add(1.0)
    if both & USE:
        judged.add(1.0, "to be entered")
        judged.add(1.0 * (gap == _FAR and left.gap_left(USE) <= 12))
    judged.strong = bool(both & NOUN) and bool(both & PROOF)


def _is_other(left: _Zone, right: _Zone, label: _Zone) -> bool:
    """Tell whether the words beside say that the number is something else than a code."""
    pair = _paired(left) or _paired(right)
    if right.gap_right(MONEY) <= 2 or _counts(right):
        return True
    if right.gap_right(LABEL) <= 3 and not pair:
        return True
    if _labelled(left, paired=pair) or _labelled(label, paired=_paired(label)):
        return True
    zones = (left, right, label)
    if any(hit.meaning & (PROOF | NOUN) == PROOF for zone in zones for hit in zone.hits):
        return False
    return any(zone.has(PERK) for zone in zones)


def _counts(right: _Zone) -> bool:
    """Tell whether the number counts codes: "1200 login codes"."""
    plurals = {hit.start for hit in right.hits if hit.meaning & MONEY and hit.start <= 30}
    return any(hit.start in plurals for hit in right.hits if hit.meaning & NOUN)


def _paired(zone: _Zone) -> bool:
    """Tell whether a zone speaks of a code and of what it proves, side by side."""
    nouns = [hit for hit in zone.hits if hit.meaning & NOUN]
    proofs = [hit for hit in zone.hits if hit.meaning & PROOF]
    return any(
        -16 <= noun.start - proof.end <= 12 or 0 <= proof.start - noun.end <= 20
        for noun in nouns
        for proof in proofs
    )


def _labelled(zone: _Zone, *, paired: bool) -> bool:
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


class _About:
    """What the mail says as a whole: how long the code lasts, secrecy, or trade."""

    def __init__(self, body: str, start: int) -> None:
        zone = _zone(body[max(0, start - 1500) : start + 2500])
        self._body = body
        self._zone = zone
        self._lasts = any(
            _has_digit(zone.folded[max(0, hit.start - 3) : hit.start])
            or _has_digit(zone.folded[hit.end : hit.end + 3])
            for hit in zone.hits
            if hit.meaning & MINUTE
        )
        self._trade = sum(1 for hit in zone.hits if hit.meaning & TRADE)

    def weigh(self, judged: _Judged, html: str) -> None:
        """Add what the whole mail says to a candidate's score."""
        judged.add(1.5 * self._lasts, "expires soon" if self._lasts else "")
        judged.add(1.0 * self._zone.has(SECRET))
        if not judged.strong:
            judged.add(-0.75 * min(self._trade, 2))
        candidate = judged.candidate
        if judged.in_subject:
            repeated = _squeezed(candidate.value) in _squeezed(self._body[:8000])
            judged.add(1.5 if repeated else 1.0 * self._zone.has(NOUN))
        elif not judged.alone and html:
            if _has_own_element(html, self._body[candidate.start : candidate.end]):
                judged.add(1.0, "set apart")


def _has_digit(text: str) -> bool:
    return any(char.isdigit() for char in text)


def _squeezed(text: str) -> str:
    return text.replace(" ", "").replace("-", "").replace("\u00a0", "")


def _has_own_element(html: str, raw: str) -> bool:
    """Tell whether an element of the page holds the candidate and nothing else."""
    at = html.find(raw) if raw else -1
    for _ in range(8):
        if at < 0:
            return False
        before = html[max(0, at - 40) : at].rstrip()
        after = html[at + len(raw) : at + len(raw) + 40].lstrip()
        if before.endswith(">") and after.startswith("<"):
            return True
        at = html.find(raw, at + 1)
    return False


def _best(judged: list[_Judged]) -> Code | None:
    best = min(judged, key=lambda each: (-each.score, each.candidate.start))
    if best.score < _THRESHOLD:
        return None
    confidence = round(min(0.99, 0.4 + best.score * 0.06), 2)
    return Code(best.candidate.value, confidence, ", ".join(best.reasons))

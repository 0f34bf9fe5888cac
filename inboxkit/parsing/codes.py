"""Finds the one-time code of a mail by its shape and the words around it; None before a guess.

A candidate needs evidence beside it (what it is called, what it is for, standing alone under a
sentence that introduces it); words that name other numbers take it out.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import decoys, surroundings
from .candidates import YEAR, Candidate, candidates, letter_candidates
from .codewords import HINT, MINUTE, NOUN, PROOF, SECRET, USE
from .decoywords import LABEL, PERK, TRADE
from .model import Code
from .page import prominence, read_page
from .quoted import is_answer, without_forwarded, without_quoted_lines
from .zones import FAR, NOTHING, Zone, read_zone

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIMIT = 64 * 1024
_STUB = 400  # a text part shorter than this may only say "please view the HTML"
_THRESHOLD = 5.0
_CLOSE = 40  # how far "code is" stands from the code
# What most texts with a code have in them; without it, words are not searched for codes.
_ASCII_MARKS = ("code", "Code", "kod", "Kod", "digo", "dice", "OTP", "PIN")
_MARKS = (
    *_ASCII_MARKS,
    *("код", "Код", "κωδ", "Κωδ", "码", "碼", "コード", "코드", "رمز", "کد", "קוד", "कोड", "รหัส"),
)
_IDLE = 2  # words; a sentence that only names a "code" and goes on may be an offer
_SHORT = 60  # a mail as short as this, but for its links, is about its number
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_SUBJECT = 300
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")
_FULL_WIDTH = {  # digits, letters and the hyphen
    0xFEE0 + ord(sign): sign for sign in "-" + string.digits + string.ascii_letters
}
_DASHES = (" - ", " – ", " · ")
_HALVES = re.compile(r"(?<!\S)\d(?: \d){1,4} [-–·] \d(?: \d){1,4}(?![^\s.])")  # "4 8 2 - 9 1 3"
_ANOTHER = re.compile(r"(?<![-/.\d])\d{4,}[,;] [^\d]{0,24}$")
_GROUNDS = PROOF | HINT | USE  # beside "code", what makes it one to be entered


def find_code(text: str, *, subject: str = "", html: str = "") -> Code | None:
    """Return the one-time code of a mail as the reader must type it, or None.

    ``text`` is the mail as plain text, ``html`` its HTML body. Quoted and forwarded text is left
    out. Takes linear time and reads the first 64 kB.
    """
    subject = "" if is_answer(subject) else subject[:_SUBJECT]
    code = _find(text, subject, html)
    if code is None and html and len(text) < _STUB:
        code = _find(read_page(html).text, subject, html)
    return code


def _find(text: str, subject: str, html: str) -> Code | None:
    body = without_quoted_lines(text[:_LIMIT])
    if not body.isascii():
        # Some senders put signs without a shape between the digits, others write full width.
        body = _INVISIBLE.sub("", body).translate(_FULL_WIDTH)
    for dash in _DASHES if not body.isascii() else _DASHES[:1]:
        if dash in body:
            body = _HALVES.sub(_joined, body)
            break
    code = _search(body, subject, html)
    if code is not None:  # few mails have one: only now is it worth to look where it stands
        own = without_forwarded(body)
        if len(own) < len(body):
            return _search(own, subject, html)
    return code


def _joined(halves: re.Match[str]) -> str:
    return re.sub(" [-–·] ", " ", halves[0])


@dataclass(slots=True)
class _Judged:
    """A candidate, what speaks for it, and whether it is called a code and for a login."""

    candidate: Candidate
    score: float
    alone: bool = False
    strong: bool = False
    in_subject: bool = False
    idle: int = 0  # words of its sentence that say nothing of codes
    reasons: list[str] = field(default_factory=list[str])

    def add(self, points: float, reason: str = "") -> None:
        self.score += points
        if reason and reason not in self.reasons:
            self.reasons.append(reason)


def _search(body: str, subject: str, html: str) -> Code | None:
    title = read_zone(subject)
    found = [_judge(body, each, title) for each in _unlisted(body, candidates(body))]
    found += [_judge_titled(subject, each, title) for each in candidates(subject)]
    code = _best(found, body, title, html)
    if code is None and (title.has(NOUN | PROOF) or _is_marked(body)):
        code = _best(_judge_letters(body, subject, title), body, title, html)
    return code


def _is_marked(body: str) -> bool:
    for mark in _ASCII_MARKS if body.isascii() else _MARKS:
        if mark in body:
            return True
    return False


def _best(found: Iterable[_Judged | None], body: str, title: Zone, html: str) -> Code | None:
    """Weigh the candidates by what the whole mail says, and return the best if it is good."""
    judged = [each for each in found if each is not None]
    if not judged:
        return None
    start = min(0 if each.in_subject else each.candidate.start for each in judged)
    about = _About(body, start, title)
    for each in judged:
        about.weigh(each, html)
    best = min(judged, key=lambda each: (-each.score, each.candidate.start))
    if best.score < _THRESHOLD:
        return None
    confidence = round(min(0.99, 0.4 + best.score * 0.06), 2)
    return Code(best.candidate.value, confidence, ", ".join(best.reasons))


def _judge_letters(body: str, subject: str, title: Zone) -> list[_Judged | None]:
    """Judge codes without a digit, which only what is said around tells from words."""
    words = f"{subject}\n{body[:8000]}"
    found = [_judge(body, c, title) for c in letter_candidates(body) if _is_unknown(c, words)]
    pool = (c for c in letter_candidates(subject) if _is_unknown(c, words))
    return found + [_judge_titled(subject, c, title) for c in pool]


def _is_unknown(candidate: Candidate, words: str) -> bool:
    """Tell whether a word is no word of the lexicon, and no name that the mail writes otherwise."""
    word = candidate.value
    if read_zone(word).hits or word.title() in words:
        return False
    if word.isupper():
        return word.lower() not in words
    return word.islower() or words.count(word) == 1


def _unlisted(body: str, found: Iterable[Candidate]) -> list[Candidate]:
    """Leave out lists: several of one length, each alone on its line, such as recovery codes."""
    pool = list(found)
    if len(pool) < 3:
        return pool
    alone = {c.value for c in pool if surroundings.is_alone(body, c.start, c.end)}
    lengths = Counter(len(value) for value in alone)
    return [c for c in pool if lengths[len(c.value)] < 3 or c.value not in alone]


def _judge_titled(subject: str, candidate: Candidate, title: Zone) -> _Judged | None:
    """Return a candidate of the subject with the evidence there, None if it is something else."""
    if not (title.has(NOUN) or (title.has(USE) and title.has(PROOF | HINT))):
        return None
    left = read_zone(surroundings.before(subject, candidate.start))
    right = read_zone(surroundings.behind(subject, candidate.end))
    if decoys.is_other(left, right, NOTHING) or _is_tag(subject, candidate):
        return None
    judged = _Judged(candidate, candidate.weight, in_subject=True)
    _weigh_sentence(judged, left, right)
    if not judged.reasons:
        return None
    judged.add(1.0, "in the subject")
    return judged


def _is_tag(subject: str, candidate: Candidate) -> bool:
    """Tell whether brackets hold nothing but the candidate, as they hold a ticket's number."""
    before, after = subject[: candidate.start].rstrip()[-1:], subject[candidate.end :].lstrip()[:1]
    return before + after in ("()", "[]")


def _judge(body: str, candidate: Candidate, title: Zone) -> _Judged | None:
    """Return the candidate with the evidence of its surroundings, None if it is something else."""
    start, end = candidate.start, candidate.end
    alone = surroundings.is_alone(body, start, end)
    judged = _Judged(candidate, candidate.weight, alone)
    if alone:
        fits = _weigh_lines(judged, body, title)
    else:
        fits = _weigh_inline(judged, body, title)
    if not fits:
        return None
    judged.add(1.5 * title.has(NOUN) + (1.5 if title.has(PROOF) else 0.5 * title.has(HINT)))
    judged.add(0, candidate.shape)
    return judged


def _weigh_lines(judged: _Judged, body: str, title: Zone) -> bool:
    """Weigh a candidate alone on its line by the lines above and below."""
    start, end = judged.candidate.start, judged.candidate.end
    if decoys.is_other(NOTHING, NOTHING, read_zone(surroundings.label_above(body, start))):
        return False
    below = read_zone(surroundings.below(body, end))
    above = read_zone(surroundings.above(body, start))
    if not above.folded or (below.has(NOUN) and below.has(_GROUNDS) and not above.meaning):
        above, below = below, NOTHING
    judged.add(2.0 * above.has(NOUN), "introduced as a code" if above.has(NOUN) else "")
    judged.add(1.0 * (below.has(NOUN) and not above.has(NOUN)))
    judged.add(1.5 * above.has(PROOF), "for a login or verification" if above.has(PROOF) else "")
    judged.add(0.75 * (not above.has(PROOF) and (above.has(HINT) or below.has(PROOF))))
    judged.add(1.0 * above.has(USE), "to be entered" if above.has(USE) else "")
    judged.strong = above.has(NOUN) and above.has(PROOF)
    introduced = (above.meaning | below.meaning) & (NOUN | PROOF | USE) or title.has(NOUN | PROOF)
    judged.add(1.5, "alone on its line")
    return bool(introduced)


def _weigh_inline(judged: _Judged, body: str, title: Zone) -> bool:
    """Weigh a candidate within a sentence by that sentence and the next."""
    start, end = judged.candidate.start, judged.candidate.end
    before, behind = surroundings.before(body, start), surroundings.behind(body, end)
    if not read_zone(f"{before} {behind}").has(NOUN | USE):  # most numbers: one look is enough
        return False
    left, right = read_zone(before), read_zone(behind)
    if not (left.has(NOUN | USE) or right.has(NOUN | USE)) or decoys.is_other(left, right, NOTHING):
        return False
    after = read_zone(surroundings.next_sentence(body, end))
    value = judged.candidate.value
    repeated = len(value) > 4 and value in _squeezed(title.text)
    prior = read_zone(surroundings.previous_sentence(body, start))
    told = repeated or bool((after.meaning | title.meaning | prior.meaning) & (NOUN | PROOF))
    if not _introduced(left, right, told, digits=value.isdigit()):
        return False
    judged.add(1.0 * (repeated and left.gap_left(USE) <= 2))
    proven = left.has(PROOF) or right.has(PROOF)
    if not proven and read_zone(surroundings.list_above(body, start)).has(PERK):
        return False
    _weigh_sentence(judged, left, right)
    judged.add(0.5 * after.has(PROOF) + 0.5 * after.has(USE) - 2.0 * after.has(PERK))
    used = after.has(USE) or left.gap_left(USE) <= 2
    judged.add(1.0 * (used and after.has(NOUN) and not after.has(PERK)))
    judged.add(1.0 * (not proven and prior.has(PROOF)))
    return True


def _introduced(left: Zone, right: Zone, told: bool, *, digits: bool) -> bool:
    """Tell whether a sentence calls a candidate a code, or says to enter it for a login."""
    both = left.meaning | right.meaning
    if both & NOUN:
        return True
    if not digits:
        return left.gap_left(USE) <= 2 and right.has(PROOF)
    if left.gap_left(USE) <= 12 and told:
        return True
    return bool(both & USE) and bool(both & (PROOF | HINT))


def _weigh_sentence(judged: _Judged, left: Zone, right: Zone) -> None:
    both = left.meaning | right.meaning
    offered = both & NOUN and not both & (PROOF | HINT)
    judged.idle = left.idle_words() + right.idle_words() if offered else 0
    gap = min(left.gap_left(NOUN), right.gap_right(NOUN))
    if both & NOUN:
        judged.add(3.0 if gap <= _CLOSE else 2.0, "called a code")
        judged.add(0.5 * (not left.folded.strip() and right.gap_right(NOUN) <= 24))
        judged.add(1.5 * (judged.candidate.shape == YEAR and left.gap_left(NOUN) <= 4))
        if not right.has(NOUN) and _ANOTHER.search(left.folded[-gap:]):
            judged.add(-2.0)  # the word "code" belongs to a number before
    if both & PROOF:
        apart = both & NOUN and not (left.pairs(PROOF) or right.pairs(PROOF))
        judged.add(1.5 if apart else 2.0, "for a login or verification")
    elif both & HINT:
        judged.add(1.0 + (left.pairs(HINT) or right.pairs(HINT)))
    if both & USE:
        judged.add(1.0, "to be entered")
        judged.add(2.0 * (gap == FAR and left.gap_left(USE) <= 12))
    judged.strong = bool(both & NOUN) and bool(both & PROOF)
    if not judged.strong and left.names_another_noun():
        judged.add(-1.5)


class _About:
    """What the mail says as a whole: how long the code lasts, secrecy, or trade."""

    def __init__(self, body: str, start: int, title: Zone) -> None:
        zone = read_zone(body[max(0, start - 1500) : start + 2500])
        self._body = body
        self._zone = zone
        self._lasts = any(
            " " in zone.folded[hit.start : hit.end]  # "ten minutes"
            or _has_digit(zone.folded[max(0, hit.start - 3) : hit.start])
            or _has_digit(zone.folded[hit.end : hit.end + 3])
            for hit in zone.hits
            if hit.meaning & MINUTE
        )
        self._trade = sum(1 for hit in (*zone.hits, *title.hits) if hit.meaning & TRADE)
        prose = _ADDRESS.sub("", body).strip()  # a shop's address says nothing of trade
        other = LABEL | PERK | TRADE
        self._only = len(prose) < _SHORT and not (read_zone(prose).meaning | title.meaning) & other
        self._told = self._lasts or bool((zone.meaning | title.meaning) & (PROOF | HINT | SECRET))
        self._for_apps = body.startswith("<#>")  # what Android hands to the app that waits for it

    def weigh(self, judged: _Judged, html: str) -> None:
        """Add what the whole mail says to a candidate's score."""
        judged.add(1.5 * self._lasts, "expires soon" if self._lasts else "")
        judged.add(1.0 * self._zone.has(SECRET))
        judged.add(1.0 * self._only + 1.0 * self._for_apps)
        judged.add(-1.5 * (judged.idle >= _IDLE and not self._told))
        if not judged.strong or not (self._lasts or self._zone.has(SECRET | USE)):
            passing = judged.strong and self._trade == 1  # one such word proves little
            judged.add(-0.5 if passing else -1.0 * min(self._trade, 2))
        candidate = judged.candidate
        if judged.in_subject:
            repeated = _squeezed(candidate.value) in _squeezed(self._body[:8000])
            judged.add(1.5 if repeated else 1.0 * self._zone.has(NOUN))
        elif html:
            shown = prominence(html, self._body[candidate.start : candidate.end])
            judged.add(1.0 * (shown > judged.alone), "set apart" if shown > judged.alone else "")


def _has_digit(text: str) -> bool:
    return any(char.isdigit() for char in text)


def _squeezed(text: str) -> str:
    return text.replace(" ", "").replace("-", "").replace("\u00a0", "")

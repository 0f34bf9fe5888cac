"""Finds the one-time code of a mail: by shape, and by the words around it. None rather than a guess.

A candidate needs evidence beside it (what it is called, what it is for, standing alone under a
sentence that introduces it); words that name other numbers take it out.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .candidates import Candidate, candidates, letter_candidates
from .codewords import CODE_ENDINGS, CODE_WORDS, HINT, MINUTE, NOUN, PROOF, SECRET, USE
from .decoywords import DECOY_WORDS, LABEL, MONEY, PERK, TRADE
from .model import Code
from .page import read_page
from .quoted import without_quotes
from .words import Hit, Lexicon, fold

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIMIT = 64 * 1024
_STUB = 400  # a text part shorter than this may only say "please view the HTML"
_LEFT, _RIGHT = 110, 70
_ABOVE, _BELOW = 320, 200
_BESIDE = 32  # how far a label stands from its number
_THRESHOLD = 5.0
_ANSWER = re.compile(
    r"\s*(?:re|aw|sv|vs|antw|odp|ynt|回复|回覆|fwd?|wg|tr|rv|enc|i|vb|ilt|转发|轉寄)\s*[:：]", re.I
)
_SENTENCE = re.compile(r"[.!?؟]\s|[。！？।։]")
_EDGE = " \t*_|>[](){}\"'«»“”:.,-–—\u00a0"
_CONTEXT = NOUN | PROOF | HINT | USE
_NAMED = LABEL | PERK


def find_code(text: str, *, subject: str = "", html: str = "") -> Code | None:
    """Return the one-time code of a mail as the reader must type it, or None.

    ``text`` is the mail as plain text, ``html`` its HTML body. Quoted and forwarded text is left
    out. Takes linear time and reads the first 64 kB.
    """
    body = without_quotes(text[:_LIMIT])
    code = _search(body, subject, html)
    if code is None and html and len(body) < _STUB:
        code = _search(without_quotes(read_page(html).text[:_LIMIT]), subject, html)
    return code


@functools.cache
def _lexicon() -> Lexicon:
    return Lexicon(CODE_WORDS, DECOY_WORDS, endings=CODE_ENDINGS, ending_meaning=NOUN)


@dataclass(slots=True)
class _Judged:
    """A candidate and what speaks for it."""

    candidate: Candidate
    score: float
    alone: bool
    reasons: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class _Zone:
    """The hits of a stretch of text; ``size`` is its folded length."""

    hits: tuple[Hit, ...]
    folded: str

    def has(self, meaning: int) -> bool:
        return any(hit.meaning & meaning for hit in self.hits)

    def gap_left(self, meaning: int) -> int:
        """Return how far before the end the last such word is, 999 when there is none."""
        ends = [hit.end for hit in self.hits if hit.meaning & meaning]
        return len(self.folded) - max(ends) if ends else 999

    def gap_right(self, meaning: int) -> int:
        """Return how far after the start the first such word is, 999 when there is none."""
        return min((hit.start for hit in self.hits if hit.meaning & meaning), default=999)


_NOTHING = _Zone((), "")


def _zone(text: str) -> _Zone:
    if not text.strip():
        return _NOTHING
    folded = fold(text)
    return _Zone(tuple(_lexicon().scan(folded)), folded)


def _search(body: str, subject: str, html: str) -> Code | None:
    title = _NOTHING if _ANSWER.match(subject) else _zone(subject[:300])
    judged = _judge_all(body, candidates(body), title)
    if title is not _NOTHING:
        judged += _judge_subject(subject[:300], title, body)
    if not judged and (title.has(NOUN) or title.has(PROOF)):
        judged = _judge_all(body, _unknown(letter_candidates(body), subject, body), title)
        judged += _judge_subject(subject[:300], title, body, letters=True)
    if not judged:
        return None
    about = _About(body, min(j.candidate.start for j in judged))
    for each in judged:
        about.weigh(each, html)
    return _best(judged)


def _judge_all(body: str, found: Iterable[Candidate], title: _Zone) -> list[_Judged]:
    return [j for c in found if (j := _judge(body, c, title)) is not None]


def _unknown(found: Iterable[Candidate], subject: str, body: str) -> list[Candidate]:
    """Leave out words of the language and names: what also stands elsewhere in another case."""
    words = f"{subject}\n{body[:8000]}"
    kept: list[Candidate] = []
    for candidate in found:
        word = candidate.value
        if (
            not _zone(word).hits
            and word.title() not in words
            and word.lower() not in words.replace(word, "")
        ):
            kept.append(candidate)
    return kept


def _judge_subject(
    subject: str, title: _Zone, body: str, *, letters: bool = False
) -> list[_Judged]:
    judged: list[_Judged] = []
    pool = _unknown(letter_candidates(subject), "", body) if letters else candidates(subject)
    for candidate in pool:
        left, right = _beside(subject, candidate)
        if _is_other(left, right, _NOTHING, alone=False):
            continue
        if not (title.has(NOUN) or (title.has(USE) and title.has(PROOF | HINT))):
            continue
        score, reasons = _words_beside(left, right)
        if score:
            reasons.append("in the subject")
            judged.append(_Judged(candidate, score + candidate.weight + 1.0, False, reasons))
    return judged


def _judge(body: str, candidate: Candidate, title: _Zone) -> _Judged | None:
    """Return the candidate with the evidence of its surroundings, None if it is something else."""
    left, right = _beside(body, candidate)
    alone = _is_alone(body, candidate)
    above = _zone(_above(body, candidate)) if alone or not left.folded else _NOTHING
    label = _zone(_label_above(body, candidate)) if alone else _NOTHING
    if _is_other(left, right, label, alone=alone):
        return None
    score, reasons = _words_beside(left, right)
    if alone:
        score += _words_around(above, _zone(_below(body, candidate)), reasons)
        reasons.append("alone on its line")
        score += 1.5
    elif not _introduced(left, right):
        return None
    else:
        after = _zone(_after(body, candidate))
        score += 0.5 * after.has(PROOF) + 0.5 * after.has(USE)
        if (
            not left.has(PROOF)
            and not right.has(PROOF)
            and _zone(_list_above(body, candidate)).has(PERK)
        ):
            return None
    if title.has(NOUN):
        score += 1.5
    if title.has(PROOF):
        score += 1.0
    elif title.has(HINT):
        score += 0.5
    if alone and not (reasons[1:] or title.has(NOUN | PROOF)):
        return None
    reasons.append(candidate.shape)
    return _Judged(candidate, score + candidate.weight, alone, reasons)


def _introduced(left: _Zone, right: _Zone) -> bool:
    """Tell whether the sentence of a candidate calls it a code, or tells to enter it for a login."""
    if left.has(NOUN) or right.has(NOUN):
        return True
    return (left.has(USE) or right.has(USE)) and (left.has(PROOF | HINT) or right.has(PROOF | HINT))


def _words_beside(left: _Zone, right: _Zone) -> tuple[float, list[str]]:
    score, reasons = 0.0, list[str]()
    gap = min(left.gap_left(NOUN), right.gap_right(NOUN))
    if gap < 999:
        score += 3.0 if gap <= 28 else 2.0
        reasons.append("called a code")
        if not left.folded.strip() and right.gap_right(NOUN) <= 24:
            score += 0.5
    if left.has(PROOF) or right.has(PROOF):
        score += 2.0
        reasons.append("for a login or verification")
    elif left.has(HINT) or right.has(HINT):
        score += 1.0
    if left.has(USE) or right.has(USE):
        score += 1.0
        if not reasons:
            reasons.append("to be entered")
        if gap == 999 and left.gap_left(USE) <= 12:
            score += 1.0
    return score, reasons


def _words_around(above: _Zone, below: _Zone, reasons: list[str]) -> float:
    score = 0.0
    if above.has(NOUN):
        score += 2.0
        reasons.append("introduced as a code")
    elif below.has(NOUN):
        score += 1.0
        reasons.append("called a code below")
    if above.has(PROOF):
        score += 1.5
        reasons.append("for a login or verification")
    elif above.has(HINT) or below.has(PROOF):
        score += 0.75
    if above.has(USE):
        score += 1.0
        reasons.append("to be entered")
    return score


def _is_other(left: _Zone, right: _Zone, label: _Zone, *, alone: bool) -> bool:
    """Tell whether the words beside say that the number is something else than a code."""
    pair = _paired(left) or _paired(right)
    if right.gap_right(MONEY) <= 2 or (right.gap_right(LABEL) <= 3 and not pair):
        return True
    if _labelled(left, paired=pair) or (alone and _labelled(label, paired=pair)):
        return True
    proof = any(
        h.meaning & (PROOF | NOUN) == PROOF for zone in (left, right, label) for h in zone.hits
    )
    return not proof and (left.has(PERK) or right.has(PERK) or label.has(PERK))


def _paired(zone: _Zone) -> bool:
    """Tell whether a zone speaks of a code and of what it proves, side by side."""
    nouns = [hit for hit in zone.hits if hit.meaning & NOUN]
    proofs = [hit for hit in zone.hits if hit.meaning & PROOF]
    return any(
        -16 <= n.start - p.end <= 12 or 0 <= p.start - n.end <= 20 for n in nouns for p in proofs
    )


def _labelled(zone: _Zone, *, paired: bool) -> bool:
    """Tell whether the word right before the number names another kind of number."""
    size = len(zone.folded)
    relevant = [
        h for h in zone.hits if h.meaning & (_CONTEXT & ~HINT | _NAMED) and size - h.end <= _BESIDE
    ]
    if not relevant:
        return False
    last = max(relevant, key=lambda h: (h.end, h.end - h.start))
    if any(char.isdigit() for char in zone.folded[last.end :]):
        return False
    if last.meaning & _NAMED:
        return not paired and not last.meaning & _CONTEXT
    if not last.meaning & NOUN or last.meaning & PROOF:
        return False
    before = [h for h in relevant if h.start < last.start and last.start - h.end <= 4]
    return any(h.meaning & _NAMED for h in before)


def _beside(text: str, candidate: Candidate) -> tuple[_Zone, _Zone]:
    """Return the words of the candidate's sentence before and after it."""
    start, end = candidate.start, candidate.end
    line = max(text.rfind("\n", 0, start) + 1, start - _LEFT)
    if start - line < 25 and line > 1 and text[line - 1] == "\n":
        line = _wrapped_from(text, line)
    left = text[line:start]
    for match in _SENTENCE.finditer(left):
        line = start - len(left) + match.end()
    stop = text.find("\n", end, end + _RIGHT)
    right = text[end : stop if stop >= 0 else end + _RIGHT]
    if stop >= 0 and stop - end > 1 and (match := _SENTENCE.search(right + " ")) is None:
        right = text[end : end + _RIGHT].partition("\n\n")[0].replace("\n", " ")
    if (match := _SENTENCE.search(right)) is not None:
        right = right[: match.start()]
    return _zone(text[line:start]), _zone(right)


def _wrapped_from(text: str, line: int) -> int:
    """Return where the line before begins if a long sentence was only wrapped there."""
    before = text.rfind("\n", 0, line - 1) + 1
    previous = text[before : line - 1].rstrip()
    if len(previous) >= 40 and previous[-1] not in ".!?:;。：！":
        return max(before, line - _LEFT)
    return line


def _is_alone(text: str, candidate: Candidate) -> bool:
    line = text.rfind("\n", 0, candidate.start) + 1
    stop = text.find("\n", candidate.end)
    left = text[max(line, candidate.start - 40) : candidate.start]
    right = text[candidate.end : min(stop if stop >= 0 else len(text), candidate.end + 40)]
    return not left.strip(_EDGE) and not right.strip(_EDGE)


def _above(text: str, candidate: Candidate) -> str:
    line = text.rfind("\n", 0, candidate.start) + 1
    block = text[max(0, line - _ABOVE) : line].rstrip()
    lines = [each for each in block.split("\n") if each.strip(_EDGE)]
    return "\n".join(lines[-3:])


def _list_above(text: str, candidate: Candidate) -> str:
    """Return the lines right above, without a blank one between: "Meeting ID: …"."""
    line = text.rfind("\n", 0, candidate.start) + 1
    block = text[max(0, line - 160) : line].rstrip("\n")
    return "\n".join(block.rpartition("\n\n")[2].split("\n")[-2:])


def _after(text: str, candidate: Candidate) -> str:
    """Return the sentence after the candidate's own."""
    return text[candidate.end : candidate.end + 120].strip(" .\n").partition("\n\n")[0]


def _label_above(text: str, candidate: Candidate) -> str:
    last = _above(text, candidate).rpartition("\n")[2].rstrip()
    return last if len(last) <= 40 or last.endswith((":", "：")) else ""


def _below(text: str, candidate: Candidate) -> str:
    stop = text.find("\n", candidate.end)
    if stop < 0:
        return ""
    lines = [each for each in text[stop : stop + _BELOW].split("\n") if each.strip(_EDGE)]
    return "\n".join(lines[:2])


class _About:
    """What the mail says as a whole: how long the code lasts, secrecy, or trade."""

    def __init__(self, body: str, start: int) -> None:
        zone = _zone(body[max(0, start - 1500) : start + 2500])
        self.body = body
        self.lasts = any(
            hit.meaning & MINUTE
            and (
                _digit(zone.folded[max(0, hit.start - 3) : hit.start])
                or _digit(zone.folded[hit.end : hit.end + 3])
            )
            for hit in zone.hits
        )
        self.secret = zone.has(SECRET)
        self.trade = sum(1 for hit in zone.hits if hit.meaning & TRADE)
        self.noun = zone.has(NOUN)

    def weigh(self, judged: _Judged, html: str) -> None:
        """Add what the whole mail says to a candidate's score."""
        judged.score += 1.5 * self.lasts + 1.0 * self.secret
        strong = (
            "called a code" in judged.reasons and "for a login or verification" in judged.reasons
        )
        if not strong:
            judged.score -= min(self.trade, 2) * 0.75
        value = judged.candidate.value
        if "in the subject" in judged.reasons:
            if _squeezed(value) in _squeezed(self.body[: _LIMIT // 8]):
                judged.score += 1.5
            elif self.noun:
                judged.score += 1.0
        if (
            not judged.alone
            and html
            and _own_element(html, self.body[judged.candidate.start : judged.candidate.end])
        ):
            judged.score += 1.0
            judged.reasons.append("set apart")


def _digit(text: str) -> bool:
    return any(char.isdigit() for char in text)


def _squeezed(text: str) -> str:
    return text.replace(" ", "").replace("-", "").replace("\u00a0", "")


def _own_element(html: str, raw: str) -> bool:
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
    judged.sort(key=lambda each: (-each.score, each.candidate.start))
    top = judged[0]
    if top.score < _THRESHOLD:
        return None
    rivals = {
        each.candidate.value
        for each in judged
        if each.alone
        and each.score >= top.score - 0.5
        and each.candidate.shape == top.candidate.shape
    }
    if len(rivals) >= 3:  # a list, such as of recovery codes
        return None
    confidence = round(min(0.99, 0.4 + top.score * 0.06), 2)
    return Code(top.candidate.value, confidence, ", ".join(dict.fromkeys(top.reasons)))

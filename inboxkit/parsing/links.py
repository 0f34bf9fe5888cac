"""Finds the link that a mail asks its reader to follow: verify, sign in, reset, join.

A link qualifies by its own words, or by the sentence that leads to it, with the subject and the
address as support; words such as "unsubscribe" or "this wasn't me" take it out.
"""

from __future__ import annotations

import functools
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from . import mentions, targets
from .linkwords import (
    ACCOUNT,
    AVOID,
    CONDITION,
    DENIAL,
    DONE,
    GENERIC,
    IGNORE,
    INVITE,
    JOIN,
    LINK_WORDS,
    LOGIN,
    MAGIC,
    NEGATION,
    OTHER,
    PASSWORD,
    RESET,
    SETUP,
    TEAM,
    TROUBLE,
    VERIFY,
)
from .model import ActionLink
from .page import Page, labels, read_page
from .quoted import is_answer, without_forwarded, without_quoted_lines
from .words import Lexicon, fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .mentions import Mention
    from .words import Hit

_LIMIT = 64 * 1024
_THRESHOLD = 5.0
_SUBJECT = 300
_CLAUSE = 45  # how far "not" stands from "if", in characters
_ASKS = VERIFY | LOGIN | PASSWORD | RESET | INVITE | JOIN | SETUP
_ANSWER = 1 << 20  # said of a subject: it answers a mail
_ELSEWHERE = AVOID | OTHER | DENIAL | DONE | _ANSWER  # with those, an address proves nothing
_COLONS = (":", "：")
_PAIRS = (VERIFY | ACCOUNT, RESET | PASSWORD)  # "confirm your email", "reset your password"
_PURPOSES = ((PASSWORD, "reset"), (INVITE, "invite"), (VERIFY, "verify"), (LOGIN, "login"))


def find_links(text: str, *, html: str = "", subject: str = "") -> tuple[ActionLink, ...]:
    """Return the links that the reader is asked to follow, the best first; () when there is none.

    Anchors of the HTML body and addresses in the text both count. Takes linear time and reads
    the first 64 kB of text and 256 kB of HTML.
    """
    if "://" not in text and "://" not in html:
        return ()
    title = _meaning(subject[:_SUBJECT]) | _ANSWER * is_answer(subject)
    body = without_quoted_lines(text[:_LIMIT])
    seen: set[str] = set()
    best: dict[str, ActionLink] = {}
    page = _page(html, title, seen)
    _take(best, mentions.anchors(page, seen), page.text, title)
    _take(best, mentions.addresses(body, seen), body, title)
    return tuple(sorted(best.values(), key=lambda link: -link.confidence))


def _page(html: str, title: int, seen: set[str]) -> Page:
    """Return an HTML body as text, an empty one when none of its links can be one to follow.

    Most mails have no such link, and their words need not be put in order for it.
    """
    for url, words, bracketed in islice(labels(html), mentions.MOST):
        if mentions.is_web(url):
            url = mentions.clean_url(url)
            seen.add(url)
            bare = not words or mentions.is_url(words)
            own = 0 if bare else _meaning(words)
            if bracketed or _may_act(own, title, url, bare=bare):
                return read_page(html)
    return Page("")


def _take(best: dict[str, ActionLink], mentions: Iterator[Mention], text: str, title: int) -> None:
    """Keep the links that qualify and stand before a quoted or forwarded mail."""
    end = -1
    for mention in mentions:
        link = _judge(mention, title)
        if link is None:
            continue
        if end < 0:  # few mails have such a link: only now is it worth to look where it stands
            end = len(without_forwarded(text))
        known = best.get(link.url)
        if mention.start < end and (known is None or known.confidence < link.confidence):
            best[link.url] = link


@functools.cache
def _lexicon() -> Lexicon:
    return Lexicon(LINK_WORDS)


def _meaning(text: str) -> int:
    """Return the bits of all that the words of a text may mean, DENIAL also for "if … not"."""
    if not text or text.isspace():
        return 0
    hits = _lexicon().scan(fold(text))
    found = 0
    for hit in hits:
        found |= hit.meaning
    if found & CONDITION and found & NEGATION and _is_condition_denied(hits):
        found |= DENIAL
    return found


def _is_condition_denied(hits: list[Hit]) -> bool:
    """Tell whether "not" follows "if" closely; "se" or "als" after it mean something else."""
    conditions = [hit.end for hit in hits if hit.meaning & CONDITION]
    negations = [hit.start for hit in hits if hit.meaning & NEGATION]
    return any(0 <= no - end <= _CLAUSE for end in conditions for no in negations)


class _Words(NamedTuple):
    """What is said about a link, as bits: by itself, in its sentence, before, in the subject."""

    own: int
    lead: int
    prior: int
    title: int
    bare: bool
    asked: str = ""  # what its address asks for where it stands apart
    is_titled: bool = False  # whether a line such as "Confirm your address:" stands before it

    @property
    def is_led_by_subject(self) -> bool:
        """Whether "click here" stands before, or on a button under a subject that asks."""
        if self.lead & GENERIC:
            return True
        asks = any(self.title & pair == pair for pair in _PAIRS)
        return asks and bool(self.own & GENERIC)

    @property
    def around(self) -> int:
        return self.own | self.lead | self.prior | self.title


def _judge(mention: Mention, title: int) -> ActionLink | None:
    words = _words(mention, title)
    if words is None:
        return None
    reasons: list[str] = []
    score, purpose = _by_words(words, reasons)
    if not purpose or score < _THRESHOLD - 2.5:
        return None
    asked = words.title & _ASKS or (words.lead | words.prior) & MAGIC
    score += targets.weigh(mention.url, purpose, reasons, asked=bool(asked))
    if score < _THRESHOLD:
        return None
    confidence = round(min(0.99, 0.4 + score * 0.06), 2)
    return ActionLink(mention.url, confidence, purpose, ", ".join(reasons))


def _words(mention: Mention, title: int) -> _Words | None:
    """Return what is said about a link, None when its own words are for something else.

    In plain text, the words of a link stand before it: "Reset password ( https://… )".
    """
    label, before = mention.label.strip(), mention.before
    if not label or mentions.is_url(label):
        label, before = mentions.label_in_text(before)
    own = _meaning(label)
    if not _may_act(own, title, mention.url, bare=not label):
        return None
    prior, lead = mentions.sentences(before)
    if label and before[-1:] == "\n" and lead[-1:] in ".!。！":
        prior, lead = lead, ""  # the link stands apart: what was said before is said
    after = mentions.first_sentence(mention.after)
    asked = targets.action(mention.url) if mentions.stands_apart(mention) else ""
    led = _meaning(f"{lead} {after}")
    titled = lead.rstrip()[-1:] in _COLONS and any(led & pair == pair for pair in _PAIRS)
    return _Words(own, led, _meaning(prior), title, not label, asked, titled)


def _may_act(own: int, title: int, url: str, *, bare: bool) -> bool:
    """Tell whether a link can qualify: by its words, by the subject, else by its address."""
    if own & AVOID and not own & (VERIFY | PASSWORD | INVITE):
        return False
    if (own | title) & _ASKS:
        return True
    return (bare or bool(own & GENERIC)) and targets.is_telling(url)


def _purpose(meaning: int, around: int) -> str:
    """Return what a link with such words is for, "" when they do not say."""
    if meaning & LOGIN and not meaning & (VERIFY | RESET | INVITE):
        return "login"
    for bit, name in _PURPOSES:
        if meaning & bit:
            return name
    if meaning & RESET and (meaning & ACCOUNT or around & PASSWORD):
        return "reset"
    if meaning & JOIN and around & (INVITE | TEAM):
        return "invite"
    if meaning & SETUP and around & ACCOUNT:
        return "invite" if around & INVITE else "verify"
    return ""


def _by_words(words: _Words, reasons: list[str]) -> tuple[float, str]:
    """Return what the words about a link are worth, and its purpose."""
    around = words.around
    mine, led = _purpose(words.own, around), _purpose(words.lead, around)
    told, titled = _purpose(words.prior, around), _purpose(words.title, around)
    purpose = mine or led or (told if not words.lead & AVOID else "")
    magic = words.bare and words.title & MAGIC and not words.prior & AVOID
    if not purpose and (words.is_led_by_subject or magic) and not words.lead & AVOID:
        purpose = titled
    if words.own & OTHER or not purpose:
        return _by_address(words, reasons)
    score = _penalties(words, mine)
    if mine:
        score += 4.0
        reasons.append("its words ask for it")
    if led:
        score += 1.0 if mine else 2.5
        reasons.append("the sentence leads to it")
    elif told and not mine:
        score += 2.5
        reasons.append("the sentence before leads to it")
    if not mine and ((words.own | words.lead) & GENERIC or words.is_titled):
        score += 1.0
    if titled:
        score += 2.5 if not (mine or led or told) else 2.0 if titled == purpose else 1.0
        score += 1.0 * bool(magic and not (mine or led or told))
        reasons.append("the subject speaks of it")
    return score, purpose


def _by_address(words: _Words, reasons: list[str]) -> tuple[float, str]:
    """Return what a link is worth of which only its address says what it is for."""
    silent = words.bare or bool(words.own & GENERIC)
    if not (words.asked and silent) or words.around & _ELSEWHERE:
        return 0, ""
    reasons.append("its address asks for it")
    return 3.0, words.asked


def _denies(meaning: int) -> bool:
    """Tell whether a sentence is for those who did not ask: "not you?", "if you did not …"."""
    if meaning & (IGNORE | TROUBLE):
        return False
    return bool(meaning & DENIAL)


def _penalties(words: _Words, mine: str) -> float:
    score = 0.0
    if _denies(words.own | words.lead) or (_denies(words.prior) and words.title & DONE):
        score -= 6.0
    if not mine and (words.lead & OTHER or (words.title & OTHER and not words.title & _ASKS)):
        score -= 2.5
    if not mine and not words.bare and not words.own & GENERIC:
        score -= 2.0
    if words.lead & AVOID and not mine:
        score -= 2.0
    return score

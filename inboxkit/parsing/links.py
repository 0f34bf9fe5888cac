"""Finds the link that a mail asks its reader to follow: verify, sign in, reset, join.

A link qualifies by its own words, or by the sentence that leads to it, with the subject and the
address as support; words such as "unsubscribe" or "this wasn't me" take it out.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

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
from .page import Page, read_page
from .quoted import without_forwarded, without_quoted_lines
from .words import Lexicon, fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .words import Hit

_LIMIT = 64 * 1024
_MOST = 80  # links of one mail that are looked at
_LONGEST = 4096  # characters of an address
_THRESHOLD = 5.0
_SUBJECT = 300
_CLAUSE = 45  # how far "not" stands from "if", in characters
_BEFORE, _AFTER = 300, 100  # how much text around a link is looked at
_URL = re.compile(r"(?:https?|HTTPS?|Https?)://[^\s<>\"\u2e80-\uffef]{3,4096}")
_SENTENCE = re.compile(r"[.!?؟]\s|[。！？।։]|\n\s*\n")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}|[A-Za-z0-9]{4,}(?:[-.][A-Za-z0-9]{4,}){2,}")
_DIGIT = re.compile(r"\d")
_INNER_CAPITAL = re.compile(r"[a-z][A-Z]")
_CAMPAIGN = re.compile(
    r"(?:utm_\w{1,20}|ref|source|campaign|redirect\w{0,12}|return\w{0,8}|next)=[^&#]*",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"[?&#;](?:[a-z_]{0,24}(?:token|code|key|hash|secret|ticket|otp|sig|signature|invite|invitation)"
    r"|t|k|c|h|s|oobcode|upn|jwt)=[^&]{6}",
    re.IGNORECASE,
)
_FILE = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|ico|css|js|woff2?|pdf)$", re.IGNORECASE)
_STORE = re.compile(
    r"^(?:apps|itunes)\.apple\.com|^play\.google\.com|^(?:www\.)?w3\.org", re.IGNORECASE
)
_SOCIAL = re.compile(
    r"^(?:www\.|m\.)?(?:facebook|twitter|x|instagram|linkedin|youtube|tiktok|pinterest)\.com$"
    r"|^(?:t|wa)\.me$",
    re.IGNORECASE,
)
_ADDRESS_WORDS = re.compile(
    r"(?<![a-z])(?:verif|confirm|activat|validat|reset|password|passwd|recover|magic|log-?in|sign-?in|"
    r"signup|auth|invit|accept|join|unlock|token|regist|enrol|opt-?in|callback|otp|session)",
    re.IGNORECASE,
)
_ADDRESS_AVOID = re.compile(
    r"unsubscri|opt-?out|(?<![a-z])(?:preferences|privacy|terms|legal|help|support|faq|contact|"
    r"decline|reject|cancel|revoke|report|deny|(?:was-?)?not-?me|abuse|blog|logo|pixel|track/open|"
    r"open\.(?:php|aspx|gif)|view-?in-?browser|webversion|ignore)(?![a-z])",
    re.IGNORECASE,
)
_ADDED = frozenset(".,;:!?'\"*_`»”’、。」>|")
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_ASKS = VERIFY | LOGIN | PASSWORD | RESET | INVITE | JOIN | SETUP
_WITHOUT_TOKEN = {"login": 4.0, "reset": 2.5}  # a page for everyone, not for this reader
_PURPOSES = ((PASSWORD, "reset"), (INVITE, "invite"), (VERIFY, "verify"), (LOGIN, "login"))


class _Mention(NamedTuple):
    """A link where it stands: its own words, and the text before and after it."""

    url: str
    label: str
    before: str
    after: str
    start: int = 0


def find_links(text: str, *, html: str = "", subject: str = "") -> tuple[ActionLink, ...]:
    """Return the links that the reader is asked to follow, the best first; () when there is none.

    Anchors of the HTML body and addresses in the text both count. Takes linear time and reads
    the first 64 kB of text and 256 kB of HTML.
    """
    if "://" not in text and "://" not in html:
        return ()
    title = _meaning(subject[:_SUBJECT])
    page = read_page(html) if "<a" in html or "<A" in html else Page("")
    body = without_quoted_lines(text[:_LIMIT])
    seen: set[str] = set()
    best: dict[str, ActionLink] = {}
    _take(best, _anchors(page, seen), page.text, title)
    _take(best, _addresses(body, seen), body, title)
    return tuple(sorted(best.values(), key=lambda link: -link.confidence))


def _take(best: dict[str, ActionLink], mentions: Iterator[_Mention], text: str, title: int) -> None:
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


def _anchors(page: Page, seen: set[str]) -> Iterator[_Mention]:
    """Yield the links of an HTML body, and note their addresses."""
    for url, start, end in itertools.islice(page.anchors, _MOST):
        if url[:8].lower().startswith(("http://", "https://")):
            url = clean_url(url)
            seen.add(url)
            before, after = (
                page.text[max(0, start - _BEFORE) : start],
                page.text[end : end + _AFTER],
            )
            yield _Mention(url, page.text[start:end], before, after, start)


def _addresses(text: str, seen: set[str]) -> Iterator[_Mention]:
    """Yield the addresses in a text that are not among the links of the HTML body."""
    if "://" not in text:
        return
    for match in itertools.islice(_urls(text), _MOST):
        url = clean_url(match.group())
        if url not in seen:
            start, end = match.span()
            before = text[max(0, start - _BEFORE) : start]
            yield _Mention(url, "", before, text[end : end + _AFTER], start)


def _urls(text: str) -> Iterator[re.Match[str]]:
    # All that ``_URL.finditer`` gives, found by the sign in it rather than by trying each place.
    done, sign = 0, text.find("://")
    while sign >= 0 and (match := _URL.search(text, max(done, sign - 5))):
        yield match
        done = match.end()
        sign = text.find("://", done)


def clean_url(url: str) -> str:
    """Return an address without what text or markup added to its end."""
    url = url.strip()[:_LONGEST]
    spare = {close: url.count(close) - url.count(opening) for close, opening in _CLOSERS.items()}
    end = len(url)
    while end and (url[end - 1] in _ADDED or spare.get(url[end - 1], 0) > 0):
        end -= 1
        if url[end] in spare:
            spare[url[end]] -= 1
    return url[:end]


class _Words(NamedTuple):
    """What is said about a link, as bits: by itself, in its sentence, before, in the subject."""

    own: int
    lead: int
    prior: int
    title: int
    bare: bool

    @property
    def around(self) -> int:
        return self.own | self.lead | self.prior | self.title


def _judge(mention: _Mention, title: int) -> ActionLink | None:
    words = _words(mention, title)
    if words is None:
        return None
    reasons: list[str] = []
    score, purpose = _by_words(words, reasons)
    if not purpose or score < _THRESHOLD - 2.5:
        return None
    asked = words.title & _ASKS or (words.lead | words.prior) & MAGIC
    score += _by_address(mention.url, purpose, reasons, asked=bool(asked))
    if score < _THRESHOLD:
        return None
    confidence = round(min(0.99, 0.4 + score * 0.06), 2)
    return ActionLink(mention.url, confidence, purpose, ", ".join(reasons))


def _words(mention: _Mention, title: int) -> _Words | None:
    """Return what is said about a link, None when its own words are for something else.

    In plain text, the words of a link stand before it: "Reset password ( https://… )".
    """
    label, before = mention.label.strip(), mention.before
    if not label or _is_url(label):
        label, before = _label_in_text(before)
    own = _meaning(label)
    if own & AVOID and not own & (VERIFY | PASSWORD | INVITE):
        return None
    if not own & _ASKS and not title & _ASKS:
        if label and not own & GENERIC:
            return None
        if not _is_telling(mention.url):
            return None
    prior, lead = _sentences(before)
    if label and before[-1:] == "\n" and lead[-1:] in ".!。！":
        prior, lead = lead, ""  # the link stands apart: what was said before is said
    after = _first_sentence(mention.after)
    return _Words(own, _meaning(f"{lead} {after}"), _meaning(prior), title, not label)


def _label_in_text(before: str) -> tuple[str, str]:
    """Split the words of a link from the text before it: "Reset password ( https://… )"."""
    opened = before.rstrip()
    if opened.endswith(("(", "<", "[")) and before[-1:] != "\n":
        body = opened.rstrip("(<[] \t")
        start = body.rfind("\n") + 1
        if (link := body.rfind("://", start)) >= 0:  # another link on the same line
            start = max(link, body.find(">", link) + 1, body.find(")", link) + 1)
        for match in _SENTENCE.finditer(body, start):
            start = match.end()
        label = body[start:].strip(" *_[")
        if label and len(label) <= 60:
            return label, body[:start]
    return "", opened.rstrip("(<[ \t\n")


def _is_url(label: str) -> bool:
    return "://" in label or label.startswith("www.") or (" " not in label and "/" in label)


def _sentences(text: str) -> tuple[str, str]:
    """Return the last sentence but one and the last."""
    text = text.rstrip()
    ends = (match.end() for match in _SENTENCE.finditer(text))
    cuts = [0, 0, *(end for end in ends if end < len(text))]
    return text[cuts[-2] : cuts[-1]][-220:], text[cuts[-1] :][-220:]


def _first_sentence(text: str) -> str:
    line = text.lstrip(" \t)>]").partition("\n")[0]
    match = _SENTENCE.search(line)
    return line[: match.start()] if match else line


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
    if not purpose and words.lead & GENERIC and not words.lead & AVOID:
        purpose = titled
    if words.own & OTHER or not purpose:
        return 0, ""
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
    if (words.own | words.lead) & GENERIC and not mine:
        score += 1.0
    if titled:
        score += 2.5 if not (mine or led or told) else 2.0 if titled == purpose else 1.0
        reasons.append("the subject speaks of it")
    return score, purpose


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


def _is_telling(url: str) -> bool:
    """Tell whether an address carries a token or names an action."""
    rest = url.partition("://")[2].partition("/")[2]
    return _has_token(url, rest) or _ADDRESS_WORDS.search(rest) is not None


def _has_token(url: str, rest: str) -> bool:
    """Tell whether an address carries a value that was made for one mail."""
    if _FIELD.search(url):
        return True
    for match in _TOKEN.finditer(_CAMPAIGN.sub("", rest[:1024])):
        value = match.group()
        if len(_DIGIT.findall(value)) > 1 or len(_INNER_CAPITAL.findall(value)) > 1:
            return True
    return False


def _by_address(url: str, purpose: str, reasons: list[str], *, asked: bool) -> float:
    """Return what the address itself is worth; -99 when it cannot be such a link.

    Newsletters too say "log in": unless the mail is about that, the address must say so as well.
    """
    host, _, rest = url.partition("://")[2].partition("/")
    path = rest.partition("?")[0]
    if not host or _FILE.search(path) or _STORE.match(host):
        return -99.0
    if _ADDRESS_AVOID.search(unquote(path)):
        return -99.0
    score = 0.0
    if _ADDRESS_WORDS.search(rest):
        score += 1.0
        reasons.append("its address names it")
    elif purpose == "login" and not asked:
        score -= 3.0
    if _has_token(url, rest):
        score += 1.5
        reasons.append("its address carries a token")
    else:
        score -= 4.0 if _SOCIAL.match(host) else _WITHOUT_TOKEN.get(purpose, 0.0)
    if not rest.strip("/") or (len(rest) < 4 and "?" not in rest):
        score -= 4.0
    return score

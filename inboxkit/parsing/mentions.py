"""Where the links of a mail stand: in anchors of its HTML, or as addresses in its text."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .page import Page

MOST = 80  # links of one mail that are looked at
_LONGEST = 4096  # characters of an address
_BEFORE, _AFTER = 300, 100  # how much text around a link is looked at
_URL = re.compile(r"(?:https?|HTTPS?|Https?)://[^\s<>\"\u2e80-\uffef]{3,4096}")
_SENTENCE = re.compile(r"[.!?؟]\s|[。！？।։]|\n\s*\n")
_ADDED = frozenset(".,;:!?'\"*_`»”’、。」>|")
_CLOSERS = {")": "(", "]": "[", "}": "{"}


class Mention(NamedTuple):
    """A link where it stands: its own words, and the text before and after it."""

    url: str
    label: str
    before: str
    after: str
    start: int = 0


def anchors(page: Page, seen: set[str]) -> Iterator[Mention]:
    """Yield the links of an HTML body, and note their addresses."""
    for url, start, end in itertools.islice(page.anchors, MOST):
        if is_web(url):
            url = clean_url(url)
            seen.add(url)
            before = page.text[max(0, start - _BEFORE) : start]
            yield Mention(url, page.text[start:end], before, page.text[end : end + _AFTER], start)


def addresses(text: str, seen: set[str]) -> Iterator[Mention]:
    """Yield the addresses in a text that are not among the links of the HTML body."""
    if "://" not in text:
        return
    for match in itertools.islice(_urls(text), MOST):
        url = clean_url(match.group())
        if url not in seen:
            start, end = match.span()
            before = text[max(0, start - _BEFORE) : start]
            yield Mention(url, "", before, text[end : end + _AFTER], start)


def _urls(text: str) -> Iterator[re.Match[str]]:
    # All that ``_URL.finditer`` gives, found by the sign in it rather than by trying each place.
    done, sign = 0, text.find("://")
    while sign >= 0 and (match := _URL.search(text, max(done, sign - 5))):
        yield match
        done = match.end()
        sign = text.find("://", done)


def is_web(url: str) -> bool:
    """Tell whether an address is one of the web."""
    return url[:8].lower().startswith(("http://", "https://"))


def clean_url(url: str) -> str:
    """Return an address without what text or markup added to its end."""
    url = url.strip()[:_LONGEST]
    if url and url[-1] not in _ADDED and url[-1] not in _CLOSERS:
        return url
    spare = {close: url.count(close) - url.count(opening) for close, opening in _CLOSERS.items()}
    end = len(url)
    while end and (url[end - 1] in _ADDED or spare.get(url[end - 1], 0) > 0):
        end -= 1
        if url[end] in spare:
            spare[url[end]] -= 1
    return url[:end]


def label_in_text(before: str) -> tuple[str, str]:
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


def stands_apart(mention: Mention) -> bool:
    """Tell whether a link ends its line and begins it, or follows a colon; buttons always do."""
    if mention.label.strip():
        return True
    before, after = mention.before.rstrip(" \t<(["), mention.after.lstrip(" \t>)]")
    return (not before or before[-1] in "\n:：") and after[:1] in ("", "\n")


def is_url(label: str) -> bool:
    """Tell whether the words of a link are an address, so that they say nothing of it."""
    return "://" in label or label.startswith("www.") or (" " not in label and "/" in label)


def sentences(text: str) -> tuple[str, str]:
    """Return the last sentence but one and the last."""
    text = text.rstrip()
    ends = (match.end() for match in _SENTENCE.finditer(text))
    cuts = [0, 0, *(end for end in ends if end < len(text))]
    return text[cuts[-2] : cuts[-1]][-220:], text[cuts[-1] :][-220:]


def first_sentence(text: str) -> str:
    """Return the first sentence of a line."""
    line = text.lstrip(" \t)>]").partition("\n")[0]
    match = _SENTENCE.search(line)
    return line[: match.start()] if match else line

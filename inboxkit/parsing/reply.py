"""The new words of a reply, from its text or its HTML, and its signature apart."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from . import attributions
from .html import to_text
from .model import Reply
from .reply_html import Page
from .reply_lines import KEPT, QUOTED, SIGNATURE, is_delimiter, sort_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

_CLOSERS = "".join(attributions.COLONS) + " "
_SHARED_LINES = 4_000  # lines looked at for an attribution behind the last words
# What the markup of quotes has in it, whatever the client.
_MARKUP = re.compile(r"quote|type=.?cite|cite-prefix|rplyfwd|zwchr|border-top|<hr")
_IN_MARKUP = ("quote", "cite", "rplyfwd", "zwchr", "border-top", "<hr")  # one is in each of those


def reply_text(text: str) -> str:
    """Return the new words of a plain-text reply, without quotes and signature.

    >>> reply_text("Large, please.\\n\\nOn 4 March 2025 Ana <ana@shop.example> wrote:\\n> Which?")
    'Large, please.'
    """
    return split_reply(text).text


def split_reply(text: str, html: str = "") -> Reply:
    """Tell the new words of a reply from its quotes and its signature; never raises.

    ``text`` is the plain text; leave it empty when there is none, so that the words are taken
    from ``html``. The ``html`` of the result is without the quotes, but with the signature.
    """
    if html and not text.strip():
        return _from_html(html)
    lines = _lines(text)
    marks = sort_lines(lines)
    if html and (QUOTED in marks or _may_quote(html)):
        page = Page(html)
        html = page.without(sort_lines(page.lines), QUOTED)
    return Reply(_joined(lines, marks, KEPT), _joined(lines, marks, SIGNATURE), html)


def _may_quote(html: str) -> bool:
    # Looking for words is many times as fast as an expression of them, and most mails have none.
    html = html.lower()
    for word in _IN_MARKUP:
        if word in html:
            return _MARKUP.search(html) is not None
    return False


def _from_html(html: str) -> Reply:
    page = Page(html)
    marks = sort_lines(page.lines)
    for i in page.signatures:
        marks[i] = marks[i] or SIGNATURE
    signature = _joined(page.words, marks, SIGNATURE)
    # What is drawn between the words and a signature shows only when they are text.
    lines = to_text(page.without(marks, QUOTED, SIGNATURE)).split("\n")
    drawn = sort_lines(lines)
    text = _joined(lines, drawn, KEPT)
    return Reply(text, signature or _joined(lines, drawn, SIGNATURE), page.without(marks, QUOTED))


def _lines(text: str) -> list[str]:
    """Split into lines; an attribution that shares one with other words gets its own."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    gapped = (i for i, line in enumerate(lines) if attributions.GAP in line)
    for i in islice(gapped, _SHARED_LINES):
        if (cut := attributions.announced_at(lines[i])) > 0:
            lines[i : i + 1] = [lines[i][:cut], lines[i][cut:]]
            break
    closed = (i for i, line in enumerate(lines) if line and line[-1] in _CLOSERS)
    for i in islice(closed, _SHARED_LINES):
        if (cut := attributions.shared_at(lines[i])) >= 0:
            lines[i : i + 1] = [lines[i][:cut], lines[i][cut + 1 :]]
            break
    return lines


def _joined(lines: Sequence[str], marks: bytearray, wanted: int) -> str:
    """Join the lines of one kind, without blank ones at either end."""
    if wanted not in marks:
        return ""
    chosen = lines if marks.count(wanted) == len(marks) else _chosen(lines, marks, wanted)
    start = next((i for i, line in enumerate(chosen) if line and not line.isspace()), len(chosen))
    text = "\n".join(chosen[start:]).rstrip()
    return text if wanted == KEPT else _without_delimiter(text)


def _chosen(lines: Sequence[str], marks: bytearray, wanted: int) -> list[str]:
    """Return the lines of one kind; where others stood between, one empty line is enough."""
    chosen: list[str] = []
    skipped = False
    for line, mark in zip(lines, marks, strict=True):
        if mark != wanted:
            skipped = True
        elif not (skipped and chosen and not line and not chosen[-1]):
            chosen.append(line)
            skipped = False
    return chosen


def _without_delimiter(signature: str) -> str:
    first, _, rest = signature.partition("\n")
    if is_delimiter(first.strip()):
        signature = rest.strip("\n")
    return signature if any(c.isalnum() for c in signature) else ""

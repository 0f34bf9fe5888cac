"""Which parts of a mail are its words, and how they join (RFC 2046 section 5.1, RFC 8621 4.1.4)."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from . import charsets, flowed, html

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Part

_META_CHARSET = re.compile(rb"charset\s{0,5}=\s{0,5}[\"']?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_PLAIN = frozenset(("text/plain", "text/markdown", "text/x-markdown", "text/x-diff", "text"))
_MARKED_UP = frozenset(("text/html", "application/xhtml+xml", "text/enriched", "text/richtext"))
# Other forms of the same words, which only some programs show.
_VARIANTS = frozenset(("text/x-amp-html", "text/watch-html"))
_SAME_WORDS = 0.8


class Segment(NamedTuple):
    """A stretch of a mail's words, as text, as HTML or as both."""

    plain: str | None
    html: str | None


class Words(NamedTuple):
    """A mail's words; ``from_text`` tells whether some of them came from a text part."""

    text: str
    html: str
    from_text: bool


def is_body(part: Part) -> bool:
    """Tell whether a part is words to be read in the mail rather than a file."""
    if part.content_type not in _PLAIN and part.content_type not in _MARKED_UP:
        return False
    if part.disposition == "attachment":
        return False
    return not part.filename or part.container in ("", "multipart/alternative")


def is_variant(part: Part) -> bool:
    """Tell whether a part repeats the mail's words for some programs only."""
    return part.content_type in _VARIANTS and not part.filename


def segment(part: Part, data: bytes, *, flow: str = "", delete_space: bool = False) -> Segment:
    """Return the words of a body part; ``data`` are its bytes without encoded files."""
    if part.content_type in _MARKED_UP:
        charset = part.charset
        if not charset and (match := _META_CHARSET.search(data, 0, 2_048)):
            charset = match[1].decode("ascii")
        return Segment(None, _lines(charsets.decode(data, charset)))
    text = _lines(charsets.decode(data, part.charset))
    if flow == "flowed":
        text = flowed.unflow(text, delete_space=delete_space)
    return Segment(text, None)


def combined(container: str, children: Sequence[Sequence[Segment]]) -> list[Segment]:
    """Return the words of a multipart from those of its children."""
    if container == "multipart/alternative":
        plain = [words for child in children if (words := _joined(child, html=False))]
        marked_up = [words for child in children if (words := _joined(child, html=True))]
        if not plain and not marked_up:
            return []
        return [Segment(plain[0] if plain else None, marked_up[-1] if marked_up else None)]
    found = [words for child in children for words in child]
    if len(found) == 2 and found[0].html is None and found[1].plain is None:
        text, source = found[0].plain or "", found[1].html or ""
        if _same_words(text, html.to_text(source)):
            return [Segment(text, source)]  # alternatives that were sent as a mixture
    return found


def words(segments: Sequence[Segment], html_bytes: int) -> Words:
    """Return all words of a mail in order; what is HTML only is turned into text."""
    texts = [
        html.to_text((part.html or "")[:html_bytes]) if part.plain is None else part.plain
        for part in segments
    ]
    source = ""
    if any(part.html is not None for part in segments):
        source = "\n".join(_as_html(part) if part.html is None else part.html for part in segments)
    from_text = any(part.plain is not None for part in segments)
    return Words(_stacked(texts), source, from_text)


def _joined(segments: Sequence[Segment], *, html: bool) -> str:
    texts = [(part.html if html else part.plain) or "" for part in segments]
    return _stacked([text for text in texts if text.strip()])


def _stacked(texts: Sequence[str]) -> str:
    # One under the other, each beginning on a line of its own.
    if len(texts) == 1:
        return texts[0]
    return (
        "".join(
            text if text.endswith("\n") or last else f"{text}\n"
            for text, last in zip(texts, [False] * (len(texts) - 1) + [True], strict=True)
        )
        if texts
        else ""
    )


def _as_html(part: Segment) -> str:
    return f'<div style="white-space:pre-wrap">{escape(part.plain or "", quote=False)}</div>'


def _lines(text: str) -> str:
    if "\r" not in text:
        return text
    return "\n".join(text.split("\r\n")).replace("\r", "\n")


def _same_words(one: str, other: str) -> bool:
    words, others = set(one.split()), set(other.split())
    return bool(words) and len(words & others) >= _SAME_WORDS * max(len(words), len(others))

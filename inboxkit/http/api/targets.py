"""Request targets as clients really send them, taken apart without losing an id.

AgentMail's Python SDK puts ids into paths as they are: a slash, a question mark or a percent sign
of a Message-ID arrives raw, what follows a number sign not at all. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Sequence

_GREEDY = "{message_id}"  # the one id that may hold slashes
_ORIGIN = re.compile(
    r"https?://[^/?]*", re.IGNORECASE
)  # of an absolute-form target, RFC 9112 3.2.2
_OPEN, _CLOSE = re.compile("<|%3C", re.IGNORECASE), re.compile(">|%3E", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Target:
    """A path in pieces, still encoded, and the query."""

    pieces: tuple[str, ...]
    query: str


def read(raw: str) -> Target:
    """Take a request target apart; a question mark inside of ``<...>`` belongs to the id."""
    origin = _ORIGIN.match(raw)
    path, mark, query = raw[origin.end() if origin else 0 :].partition("?")
    while mark and _is_open(path) and _CLOSE.search(query):
        more, mark, query = query.partition("?")
        path = f"{path}?{more}"
    return Target(tuple(path.strip("/").split("/")), query)


def _is_open(path: str) -> bool:
    return len(_OPEN.findall(path)) > len(_CLOSE.findall(path))


def match(template: Sequence[str], pieces: Sequence[str]) -> dict[str, str] | None:
    """Return the ids in a path, still encoded, or None when it is another path.

    A message id takes as many pieces as are left between what stands before and after it.
    """
    if _GREEDY not in template:
        return _pairs(template, pieces)
    before = template.index(_GREEDY)
    after = len(template) - before - 1
    end = len(pieces) - after
    if end <= before:
        return None
    whole = "/".join(pieces[before:end])
    return _pairs(template, [*pieces[:before], whole, *pieces[end:]])


def _pairs(template: Sequence[str], pieces: Sequence[str]) -> dict[str, str] | None:
    if len(template) != len(pieces):
        return None
    found: dict[str, str] = {}
    for wanted, piece in zip(template, pieces, strict=True):
        if wanted.startswith("{"):
            if not piece:
                return None
            found[wanted.strip("{}")] = piece
        elif wanted != piece:
            return None
    return found


def names(piece: str) -> list[str]:
    """Return what an id in a path may mean: decoded once, or twice if we had to encode it."""
    once = unquote(piece)
    return list(dict.fromkeys((once, unquote(once))))


def shown_message_id(message_id: str) -> str:
    """Return an id as JSON shows it: as it is, but for what would not come back in a path."""
    encoded = message_id.replace("%", "%25").replace("#", "%23")
    # Clients resolve "/../" and "/./" away before they send (RFC 3986 section 5.2.4).
    return encoded.replace("/.", "%2F.") if "/." in encoded else encoded


def shown_inbox_id(address: str) -> str:
    """Return an inbox's id as JSON shows it; nearly always its address."""
    return quote(address, safe="@+=!$&'*{|}~^`")

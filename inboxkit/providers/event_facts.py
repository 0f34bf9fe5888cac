"""What status events have in common: how bad a bounce is, and an id where there is none."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from ..parsing.reasons import judge
from ..values import EventType
from .base import ParseError, ProviderEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
R = TypeVar("R")

# "suppressed": the vendor did not even try, as the address had bounced before
_DEAD = frozenset({"user_unknown", "host_unknown", "has_moved", "not_accept", "suppressed"})


def severity(words: str, *, hard: bool, known: str = "", status: str = "") -> tuple[bool, str]:
    """Return whether the address is dead, and the reason class of a bounce.

    ``hard`` is what the vendor says, ``known`` the class that its own reason stands for. Permanent
    also means blocked or given up: it is the address's fault when the words say so, or when nothing
    else is said.
    """
    if known:
        return hard and known in _DEAD, known
    verdict = judge(words, status=status)
    return hard and (verdict.hard or verdict.reason == "other"), verdict.reason


def digest(*parts: str) -> str:
    """Return an id of an event that has none: equal parts, equal id."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def facts(**values: Any) -> dict[str, Any]:
    """Return what there is of the data of an event."""
    return {name: value for name, value in values.items() if value}


def readable(items: Iterable[T], read: Callable[[T], R]) -> tuple[list[R], list[ProviderEvent]]:
    """Read a batch: what can be read, and an unknown event for each item that cannot.

    So one odd item takes no other with it, and is shown: as an event of no send, it has no time.
    Raise ParseError when nothing can be read.
    """
    found, odd = list[R](), list[ParseError]()
    for item in items:
        try:
            found.append(read(item))
        except ParseError as error:
            odd.append(error)
    if odd and not found:
        raise odd[0]
    return found, list(map(_unread, odd))


def every(items: Iterable[T], read: Callable[[T], ProviderEvent]) -> tuple[ProviderEvent, ...]:
    """Return the events of a batch, as ``readable`` does."""
    found, odd = readable(items, read)
    return (*found, *odd)


def _unread(error: ParseError) -> ProviderEvent:
    at = datetime.fromtimestamp(0, UTC)
    return ProviderEvent(type=EventType.UNKNOWN, at=at, data={"name": f"unreadable: {error}"})

"""What status events have in common: how bad a bounce is, and an id where there is none."""

from __future__ import annotations

import hashlib
from typing import Any

from ..parsing.reasons import judge

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

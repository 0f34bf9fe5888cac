"""What a newer release has stored or answered, as far as this one knows it.

Two releases may share a database, and a client its server may be newer: a name that came later is
no reason to read nothing.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from .values import Auth, EventType, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES = {one.value: one for one in EventType}
_KINDS = {one.value: one for one in Kind}
_VERDICTS = tuple(one.name for one in fields(Auth))


def event_type(name: str) -> EventType:
    """Return the type of an event, UNKNOWN for one that came later."""
    return _TYPES.get(name, EventType.UNKNOWN)


def kind(name: str) -> Kind:
    """Return the kind of a message; one that came later is automatic, so that nobody answers it."""
    return _KINDS.get(name, Kind.AUTO_REPLY)


def auth(said: Mapping[str, Any]) -> Auth:
    """Return verdicts without those that came later."""
    return Auth(**{name: said[name] for name in _VERDICTS if name in said})

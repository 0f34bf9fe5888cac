"""Tags of Resend: names and values of ASCII letters, digits, ``_`` and ``-`` only.

They carry our tag and metadata, which events bring back. What does not fit into the alphabet is
written in base64url, and what is too long stays in the store.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from . import payloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .base import Outgoing

TAG = "tag"
MANY = "recipients"  # how many there are, when there are several
_FITS = re.compile(r"[A-Za-z0-9_-]{1,256}")
_ENCODED = "b64-"
_LONGEST = 256


def tags(message: Outgoing) -> list[dict[str, str]]:
    """Return the tags of a message."""
    pairs = [(TAG, message.tag)] if message.tag else []
    own = [_pair(name, value, own=True) for name, value in pairs]
    own += [_pair(name, value) for name, value in message.metadata.items() if value]
    if len(message.rcpt_to) > 1:
        own.append((MANY, str(len(message.rcpt_to))))
    return [{"name": n, "value": v} for n, v in own if max(len(n), len(v)) <= _LONGEST]


def read(value: object) -> dict[str, str]:
    """Return the tags of an event by name, as Resend has them: see ``tag`` and ``metadata``."""
    return dict(_written(value))


def metadata(found: dict[str, str]) -> dict[str, str]:
    """Return the metadata among the tags of an event."""
    plain = {n: v for n, v in found.items() if n not in (TAG, MANY) and not n.startswith(_ENCODED)}
    coded = {n: v for n, v in found.items() if n.startswith(_ENCODED) and n != _ENCODED + TAG}
    return plain | {_decoded(n[len(_ENCODED) :]): _decoded(v) for n, v in coded.items()}


def tag(found: dict[str, str]) -> str:
    """Return our tag among the tags of an event."""
    return found.get(TAG) or _decoded(found.get(_ENCODED + TAG, ""))


def _pair(name: str, value: str, *, own: bool = False) -> tuple[str, str]:
    taken = not own and (name in (TAG, MANY) or name.startswith(_ENCODED))
    if _FITS.fullmatch(name) and _FITS.fullmatch(value) and not taken:
        return name, value
    return _ENCODED + (name if own else _encoded(name)), _encoded(value)


def _written(value: object) -> Iterator[tuple[str, str]]:
    """Yield names and values of an object or, as older events have it, of a list of pairs."""
    for name, text in payloads.mapping(value).items():
        yield name, payloads.text(text)
    for item in payloads.objects(value):
        yield payloads.text(item.get("name")), payloads.text(item.get("value"))


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(text: str) -> str:
    """Undo ``_encoded``; what others wrote stays as it is."""
    try:
        padded = text + "=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return text

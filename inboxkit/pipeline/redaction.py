"""What a vendor says of a failure, fit for logs and for the database: one line, no secret, bounded.

Vendors repeat what they were sent: a key in a URL, a header, the password of an SMTP login.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from ..providers.base import Sent

if TYPE_CHECKING:
    from ..providers.base import SendOutcome

MOST_CHARACTERS = 500
_SHORTEST_SECRET = 6  # characters; a shorter one would hide ordinary words
_MASK = "***"
# Every repeat has a bound and what follows it cannot be part of it: the time is linear.
_SHAPES = (
    re.compile(r"://[^\s/@]{1,200}@"),  # the login of a URL
    re.compile(r"(?i)\b(?:bearer|basic)\s{1,3}[a-z0-9+/=_.~-]{8,400}"),
    re.compile(
        r"(?i)\b(?:authorization|password|passwd|secret|token|signature|api[-_ ]?key)"
        r"[\"']?\s{0,3}[:=]\s{0,3}[\"']?[^\s\"'&,;]{6,400}"
    ),
    re.compile(  # keys that vendors give out, by how they begin
        r"\b(?:key-|SG\.|re_|xkeysib-|mlsn\.|whsec_|AKIA|md-|am_)[A-Za-z0-9_.-]{12,200}"
    ),
)


def told(words: str, config: object) -> str:
    """Return a vendor's words without the secrets of an account, or what looks like a secret."""
    text = "".join(c if c.isprintable() else " " for c in words[: 4 * MOST_CHARACTERS])
    for secret in sorted(set(_secrets(config)), key=len, reverse=True):
        text = _without_its_beginning(text.replace(secret, _MASK), secret)
    for shape in _SHAPES:
        text = shape.sub(_MASK, text)
    return " ".join(text.split())[:MOST_CHARACTERS]


def outcome(found: SendOutcome, config: object) -> SendOutcome:
    """Return what came of a send with the vendor's words as ``told`` gives them."""
    if not isinstance(found, Sent):
        return replace(found, reason=told(found.reason, config))
    if not (found.recipients or found.deferred):
        return found
    refused = {who: told(why, config) for who, why in found.recipients.items()}
    deferred = {who: told(why, config) for who, why in found.deferred.items()}
    return replace(found, recipients=refused, deferred=deferred)


def _without_its_beginning(text: str, secret: str) -> str:
    """Mask a secret that an earlier limit has cut off."""
    for length in range(min(len(secret), len(text)), _SHORTEST_SECRET - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + _MASK
    return text


def _secrets(config: object) -> Iterator[str]:
    """Yield what a configuration keeps out of its repr, and the logins made of it."""
    if not is_dataclass(config) or isinstance(config, type):
        return
    hidden: list[str] = []
    shown: list[str] = []
    for one in fields(config):
        value: Any = getattr(config, one.name)
        yield from _secrets(value)
        (shown if one.repr else hidden).extend(_texts(value))
    secrets = [text for text in hidden if len(text) >= _SHORTEST_SECRET]
    yield from secrets
    for secret in secrets:
        for user in ("api", *shown, *hidden):
            yield base64.b64encode(f"{user}:{secret}".encode()).decode()


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = tuple(cast("Mapping[object, object]", value).values())
    items = cast("tuple[object, ...]", value) if isinstance(value, (tuple, list, frozenset)) else ()
    return [item for item in items if isinstance(item, str)]

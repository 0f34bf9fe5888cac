"""Signed webhooks by the Standard Webhooks specification, version v1 (HMAC-SHA256), as Svix has it.

Pure: the caller gives the time. Vendors sign so what they post to us, and we what we post.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Prefix: TypeAlias = Literal["webhook", "svix"]

WINDOW = timedelta(seconds=300)
_PREFIXES: tuple[Prefix, ...] = ("svix", "webhook")
_SECRET = "whsec_"
_LEAST_BYTES = 24  # Standard Webhooks, "Signature scheme": 24 to 64 bytes
_VERSION = "v1,"


class BadSignature(ValueError):
    """A webhook is not from whom it should be, too old, or not signed; says which."""


@dataclass(frozen=True, slots=True)
class Key:
    """A shared signing key; its repr shows nothing."""

    data: bytes = field(repr=False)

    @classmethod
    def made(cls) -> Key:
        """Make a key that nobody can guess."""
        return cls(secrets.token_bytes(_LEAST_BYTES))

    @classmethod
    def of(cls, secret: str) -> Key:
        """Read ``whsec_`` and base64, the prefix may be missing; raise ValueError."""
        text = secret.strip().removeprefix(_SECRET)
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("must be whsec_ followed by base64") from None
        if len(data) < _LEAST_BYTES:
            raise ValueError(f"must hold at least {_LEAST_BYTES} bytes in base64")
        return cls(data)

    @property
    def secret(self) -> str:
        """The key as it is handed to people: ``whsec_`` and base64."""
        return _SECRET + base64.b64encode(self.data).decode()

    def sign(self, id: str, timestamp: int, body: bytes) -> str:
        """Return one signature, ``v1,`` and base64, over id, Unix seconds and raw body."""
        signed = b"%s.%d.%s" % (id.encode("utf-8", "replace"), timestamp, body)
        mac = hmac.digest(self.data, signed, hashlib.sha256)
        return _VERSION + base64.b64encode(mac).decode()


def headers(
    keys: Sequence[Key], id: str, at: datetime, body: bytes, *, prefix: Prefix = "webhook"
) -> dict[str, str]:
    """Return the three headers that sign a body, with a signature by each key.

    Two keys while one replaces the other: whoever knows either can verify.
    """
    timestamp = int(at.timestamp())
    return {
        f"{prefix}-id": id,
        f"{prefix}-timestamp": str(timestamp),
        f"{prefix}-signature": " ".join(key.sign(id, timestamp, body) for key in keys),
    }


def verify(
    keys: Sequence[Key],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    *,
    window: timedelta = WINDOW,
) -> str:
    """Return the id of a webhook, which is the same at every retry; raise BadSignature.

    Takes ``svix-*`` and ``webhook-*`` headers in any case; one good signature of the list is
    enough, those of other versions are passed over.
    """
    id, timestamp, signatures = _claim(headers)
    at = _moment(timestamp)
    given = [s.encode("utf-8", "replace") for s in signatures.split(" ") if s.startswith(_VERSION)]
    good = [key.sign(id, int(timestamp), body).encode() for key in keys]
    # every pair is compared, so that the time tells nothing of which one was good
    matches = [hmac.compare_digest(ours, theirs) for ours in good for theirs in given]
    if not any(matches):
        raise BadSignature("wrong signature")
    if abs(now - at) > window:
        raise BadSignature(f"signed outside the window of {window}: check the clock")
    return id


def _claim(headers: Mapping[str, str]) -> tuple[str, str, str]:
    """Return id, timestamp and signatures of the first set of headers that is complete."""
    lower = {name.lower(): value for name, value in headers.items()}
    for prefix in _PREFIXES:
        id, timestamp, signatures = (
            lower.get(f"{prefix}-{name}", "").strip() for name in ("id", "timestamp", "signature")
        )
        # a full stop parts the signed fields, so an id that has one could be moved into the body
        if id and timestamp and signatures and "." not in id:
            return id, timestamp, signatures
    raise BadSignature("not signed")


def _moment(timestamp: str) -> datetime:
    # as it is signed: no sign, no leading zero, no digits of other scripts
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        raise BadSignature("a timestamp that is no number of seconds")
    if str(int(timestamp)) != timestamp:
        raise BadSignature("a timestamp that is no number of seconds")
    return datetime.fromtimestamp(int(timestamp), UTC)

"""Ids and signed tokens: time-ordered row ids, public ids, HMAC tokens for Reply-To."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
_VALUES = {c: i for i, c in enumerate(_ALPHABET)}
_EPOCH_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z
_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
_LAST = (1 << 63) - 1
_RANDOM_BITS = 22
_RANDOM_BYTES = 3
_DRAWN = 256
_TOKEN_BYTES = 10  # 80 bits of HMAC: not to be guessed by mail
_ID_LENGTH = 13  # 65 bits
_TOKEN_LENGTH = _ID_LENGTH + 16  # an id, and 80 bits at five a sign


class IdSource:
    """Makes 63-bit row ids: milliseconds since 2020, then random bits; rising in one process."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()
        self._random: list[int] = []

    def __call__(self) -> int:
        millis = int(time.time() * 1000) - _EPOCH_MS
        with self._lock:
            if not self._random:
                self._random = _drawn()
            self._last = max(self._last + 1, (millis << _RANDOM_BITS) | self._random.pop())
            return self._last

    def forget(self) -> None:
        """Draw anew: after a fork both processes would make the same ids."""
        self._lock = threading.Lock()
        self._random = []


def first_id(moment: datetime) -> int:
    """Return the lowest row id that is made at a moment, within what a row id can be."""
    millis = (moment - _SINCE) // timedelta(milliseconds=1)
    return min(max(millis, 0) << _RANDOM_BITS, _LAST)


def made_at(number: int) -> datetime:
    """Return the moment at which a row id was made."""
    return _SINCE + timedelta(milliseconds=number >> _RANDOM_BITS)


def _drawn() -> list[int]:
    """Return random bits for many ids: each question to the system gives the GIL away."""
    octets = os.urandom(_DRAWN * _RANDOM_BYTES)
    pieces = range(0, len(octets), _RANDOM_BYTES)
    surplus = 8 * _RANDOM_BYTES - _RANDOM_BITS
    return [int.from_bytes(octets[i : i + _RANDOM_BYTES], "big") >> surplus for i in pieces]


new_id = IdSource()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=new_id.forget)


def encode(number: int) -> str:
    """Return a non-negative integer as base 32, at least 13 digits, so that ids sort as text."""
    digits = ""
    while number:
        number, rest = divmod(number, 32)
        digits = _ALPHABET[rest] + digits
    return digits.rjust(_ID_LENGTH, "0")


def decode(text: str) -> int:
    """Return the integer of ``encode``; raise ValueError for anything else."""
    if len(text) > _ID_LENGTH:  # to read a megabyte as a number takes minutes
        raise ValueError(f"not an id: {text[:80]!r}...")
    try:
        number = 0
        for char in text.lower():
            number = number * 32 + _VALUES[char]
    except KeyError:
        raise ValueError(f"not an id: {text!r}") from None
    if number >= 1 << 63:
        raise ValueError(f"not an id: {text!r}")
    return number


def public_id(prefix: str, number: int) -> str:
    """Return the id that users see, such as ``msg_0c4x...``."""
    return f"{prefix}_{encode(number)}"


def row_id(prefix: str, public: str) -> int:
    """Return the row id of a public id; raise ValueError if it is of another kind."""
    head, separator, tail = public.partition("_")
    if head != prefix or not separator or not tail:
        raise ValueError(f"not a {prefix} id: {public!r}")
    return decode(tail)


def sign(secret: bytes, number: int) -> str:
    """Return a token that names ``number`` and cannot be made without ``secret`` (HMAC-SHA256)."""
    body = encode(number)
    # hmac.digest gives the GIL away, which costs a busy event loop ten times the work itself.
    mac = hmac.new(secret, body.encode(), hashlib.sha256).digest()[:_TOKEN_BYTES]
    return body + encode(int.from_bytes(mac, "big")).rjust(16, "0")


def verify(secret: bytes, token: str) -> int | None:
    """Return the number that ``sign`` put into the token, or None if the token is not ours."""
    if len(token) != _TOKEN_LENGTH:  # what other mail has before "@" costs no HMAC
        return None
    token = token.lower()
    body = token[:-16]
    try:
        number = decode(body)
    except ValueError:
        return None
    good = hmac.compare_digest(sign(secret, number).encode(), token.encode("utf-8", "replace"))
    return number if good else None


_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key that signs tokens from a moment on, and verifies them until another."""

    secret: bytes = field(repr=False)
    signs_from: datetime = _ALWAYS
    good_until: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Whether what it has signed is still believed."""
        return self.good_until is None or now < self.good_until

    def until(self, moment: datetime) -> TokenKey:
        """Return the same key, good for no longer than until ``moment``."""
        known = self.good_until
        return replace(self, good_until=moment if known is None else min(known, moment))


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of tokens in mail, newest first: one signs, all that are good verify."""

    keys: tuple[TokenKey, ...]

    def signing(self, now: datetime) -> bytes:
        """Return the newest key that signs already; the oldest when the clock is behind them."""
        return next((k for k in self.keys if k.signs_from <= now), self.keys[-1]).secret

    def verify(self, token: str, now: datetime) -> int | None:
        """Return the number that was put into a token of ours, None for any other."""
        found = [verify(key.secret, token) for key in self.keys if key.is_good(now)]
        return next((number for number in found if number is not None), None)

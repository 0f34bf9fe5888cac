"""The keys that sign tokens in mail, as the database keeps them.

The first one is the database's own secret, made with it. A rotation puts a new one in front.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..tokens import Keyring, TokenKey
from . import facts
from .tables import setting

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .transactions import Tx

_IDENTITY, _KEYS = "secret", "token_keys"
IDENTITY_OF = f"SELECT value FROM {setting.name} WHERE key = '{_IDENTITY}'"
# Every process has looked at the keys by then, so none meets a token that it cannot verify.
_BEGINS_AFTER = timedelta(seconds=10)


def identity(tx: Tx) -> bytes:
    """Return this database's own secret, made once: what is derived from it never changes."""
    found = facts.get(tx.connection, _IDENTITY)
    if found is None:
        found = facts.first(tx.connection, _IDENTITY, secrets.token_hex(32))
    return bytes.fromhex(found)


def check(connection: Connection, own: bytes) -> None:
    """Raise StoreError when the database is not the one whose secret is ``own``."""
    if facts.get(connection, _IDENTITY) != own.hex():
        raise another()


def another(why: str = "another has taken its place, or is being filled") -> StoreError:
    """Return what is said of a database that is not ours, or cannot be told to be."""
    return StoreError(
        f"database: it is not the one any more that this process has opened: {why}; nothing is "
        "stored there. Put that back, or stop each process that has it open and start again"
    )


def load(connection: Connection, own: bytes) -> Keyring:
    """Return the keys, newest first; ``own`` is the database's secret, the first of them."""
    written = facts.get(connection, _KEYS)
    return Keyring((TokenKey(own),) if written is None else tuple(map(_key, json.loads(written))))


def rotate(tx: Tx, own: bytes, now: datetime, keep: timedelta) -> Keyring:
    """Put a new key in front; those before it verify for ``keep`` longer, then they are deleted."""
    tx.take_turns([0])  # or the keys of two rotations at the same moment would be one
    known = load(tx.connection, own)
    made = TokenKey(secrets.token_bytes(32), signs_from=now + _BEGINS_AFTER)
    keys = (made, *(key.until(now + keep) for key in known.keys if key.is_good(now)))
    facts.put(tx.connection, _KEYS, json.dumps([_written(key) for key in keys]))
    return Keyring(keys)


def _written(key: TokenKey) -> dict[str, Any]:
    until = None if key.good_until is None else key.good_until.timestamp()
    return {"key": key.secret.hex(), "from": key.signs_from.timestamp(), "until": until}


def _key(written: dict[str, Any]) -> TokenKey:
    until = written["until"]
    return TokenKey(
        bytes.fromhex(written["key"]),
        datetime.fromtimestamp(written["from"], UTC),
        None if until is None else datetime.fromtimestamp(until, UTC),
    )

"""API keys: only their SHA-256 is stored. A key is random 256 bits, so no slow hash is needed:
what makes passwords guessable, few likely values, does not hold for it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from ..tokens import new_id
from . import claims
from .api_tables import api_key
from .pages import Page, paged
from .prepared import Prepared, among
from .rows import columns
from .tables import inbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from .reach import Reach
    from .transactions import Tx

_BYTES = 32
_SHOWN_CHARACTERS = 12
_DEAD = ""  # in place of a hash
_NOTHING = {"hash": _DEAD, "prefix": "", "name": "", "pod_id": None, "inbox_id": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A key as it is stored; ``permissions`` None allows everything within its scope."""

    id: int
    prefix: str
    name: str
    live: bool
    pod_id: str | None = None
    inbox_id: int | None = None
    inbox: str | None = None
    permissions: Mapping[str, bool] | None = None
    used_at: datetime | None = None
    expires_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


def hashed(secret: str) -> str:
    """Return what is stored of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def create(tx: Tx, wanted: KeyRecord) -> tuple[KeyRecord, str]:
    """Store a new key and return it with its secret, which is nowhere else.

    Raise NotFound when the inbox or the pod that it is bound to was deleted meanwhile.
    """
    claims.hold_owner(tx, pod_id=wanted.pod_id, inbox_id=wanted.inbox_id)
    secret = f"ik_{'live' if wanted.live else 'test'}_{secrets.token_urlsafe(_BYTES)}"
    made = replace(wanted, id=new_id(), prefix=secret[:_SHOWN_CHARACTERS])
    row = {name: getattr(made, name) for name in KeyRecord.__slots__ if name != "inbox"}
    row["permissions"] = None if made.permissions is None else dict(made.permissions)
    tx.connection.execute(insert(api_key), [row | {"hash": hashed(secret)}])
    return made, secret


def were_made(connection: Connection) -> bool:
    """Whether a key was ever made: one that is revoked counts, as does one that has expired."""
    return _any.one(connection) is not None


_any = Prepared(select(api_key.c.id).limit(1))


def find_secret(connection: Connection, secret: str, now: datetime) -> KeyRecord | None:
    """Return the key with this secret if it is still good."""
    row = _good.one(connection, hash=hashed(secret), now=now)
    return None if row is None else _record(row)


def find_good(connection: Connection, key_id: int, now: datetime) -> KeyRecord | None:
    """Return a key that is still good."""
    row = _of_id.one(connection, id=key_id, now=now)
    return None if row is None else _record(row)


def ended(connection: Connection, ids: Iterable[int | None], now: datetime) -> set[int]:
    """Return which of these keys are revoked or have expired; None stands for no stored key."""
    wanted = {one for one in ids if one is not None}
    if not wanted:
        return wanted
    return wanted - {int(row[0]) for row in _lasting.rows(connection, ids=list(wanted), now=now)}


def find(connection: Connection, reach: Reach, key_id: int) -> KeyRecord | None:
    """Return a key within reach."""
    row = connection.execute(_within(reach).where(api_key.c.id == key_id)).first()
    return None if row is None else _record(row)


def listed(connection: Connection, reach: Reach, page: Page[int]) -> list[KeyRecord]:
    """Return a page of the keys within reach."""
    rows = connection.execute(paged(_within(reach), api_key.c.id, page))
    return [_record(row) for row in rows]


def change(tx: Tx, key_id: int, now: datetime, values: Mapping[str, Any]) -> None:
    """Change the name or the permissions of a key."""
    mine = update(api_key).where(api_key.c.id == key_id)
    tx.connection.execute(mine.values(updated_at=now, **values))


def touch(tx: Tx, key_id: int, now: datetime) -> None:
    """Remember that a key was used."""
    tx.connection.execute(update(api_key).where(api_key.c.id == key_id).values(used_at=now))


def remove(tx: Tx, key_id: int) -> bool:
    """Delete a key; False when there is none."""
    return _delete(tx, api_key.c.id == key_id) > 0


def remove_of(tx: Tx, *, inbox_id: int | None = None, pod_id: str | None = None) -> None:
    """Delete the keys of an inbox or a pod that is deleted."""
    by_inbox = api_key.c.inbox_id == inbox_id
    _delete(tx, by_inbox if inbox_id is not None else api_key.c.pod_id == pod_id)


def _delete(tx: Tx, mine: ColumnElement[bool]) -> int:
    """Delete keys; return how many.

    The first that goes leaves a row that is good for nothing: a server that asked for keys must not
    be open to everybody on its machine when the last of them is gone.
    """
    mine = and_(mine, api_key.c.hash != _DEAD)
    left = 0
    if not tx.connection.execute(select(exists().where(api_key.c.hash == _DEAD))).scalar():
        last = select(func.max(api_key.c.id)).where(mine).scalar_subquery()
        dead = update(api_key).where(api_key.c.id == last).values(**_NOTHING)
        left = tx.connection.execute(dead).rowcount
    return left + tx.connection.execute(delete(api_key).where(mine)).rowcount


def _all() -> Any:
    """Return all keys but those that are good for nothing."""
    home = select(api_key, inbox.c.address.label("inbox"), inbox.c.pod_id.label("home"))
    living = or_(api_key.c.inbox_id.is_(None), inbox.c.id.is_not(None))
    return home.outerjoin(inbox, inbox.c.id == api_key.c.inbox_id).where(
        living, api_key.c.hash != _DEAD
    )


_lasts = or_(
    api_key.c.expires_at.is_(None),
    api_key.c.expires_at > bindparam("now", type_=api_key.c.expires_at.type),
)
_good = Prepared(_all().where(api_key.c.hash == bindparam("hash"), _lasts))
_of_id = Prepared(_all().where(api_key.c.id == bindparam("id"), _lasts))
_lasting = Prepared(
    select(api_key.c.id).where(among(api_key.c.id), api_key.c.hash != _DEAD, _lasts)
)


def _within(reach: Reach) -> Any:
    """Return the keys bound to what is within reach; an organization's own only from above."""
    query = _all()
    if reach.inbox_id is not None:
        return query.where(api_key.c.inbox_id == reach.inbox_id)
    if reach.pod_id is not None:
        return query.where(or_(api_key.c.pod_id == reach.pod_id, inbox.c.pod_id == reach.pod_id))
    return query


def _record(row: Row[Any]) -> KeyRecord:
    said = columns(row)
    fields = {name: said[name] for name in KeyRecord.__slots__ if name != "pod_id"}
    return KeyRecord(**fields, pod_id=said["pod_id"] or said["home"])

"""Lists of addresses that are validated: kept in parts, so that work goes on where it stopped."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from ..tokens import new_id
from . import jobs
from .mailgun_tables import mailgun_list, mailgun_list_part
from .mailgun_webhooks import KIND
from .reach import EVERYTHING, Reach
from .tables import inbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .transactions import Tx

_PART = 1_000  # addresses that are validated and stored at once
_NOBODY = 0  # the inbox of a job that belongs to none
_OF_INBOX = "inbox:"
_FORM = ("id", "name", "lookup", "status", "quantity", "processed", "counts", "created_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRecord:
    """A list. ``status``: created, processing, uploaded; ``quantity`` counts what came.

    ``counts`` are those of the verdicts so far, by ``result:…`` and ``risk:…``.
    """

    id: int
    name: str
    lookup: bool
    status: str
    quantity: int
    processed: int
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    created_at: datetime

    @property
    def is_done(self) -> bool:
        """Whether every address was looked at."""
        return self.status == "uploaded"


def packed(addresses: Sequence[str]) -> list[bytes]:
    """Return a list in parts, as ``create`` stores them."""
    return [_pack(addresses[at : at + _PART]) for at in range(0, len(addresses), _PART)]


@dataclass(frozen=True, slots=True)
class NewList:
    """A list that came: whose it is, how many rows it had, whether DNS is asked."""

    scope: str
    name: str
    quantity: int
    lookup: bool
    now: datetime


def create(tx: Tx, new: NewList, parts: Sequence[bytes]) -> bool:
    """Store a list to be validated; False when one of this name is there."""
    if find(tx.connection, new.scope, new.name) is not None:
        return False
    number = new_id()
    row: dict[str, Any] = {
        "id": number,
        "scope": new.scope,
        "name": new.name,
        "lookup": new.lookup,
        "status": "created",
        "quantity": new.quantity,
        "processed": 0,
        "counts": {},
        "created_at": new.now,
    }
    tx.connection.execute(insert(mailgun_list), [row])
    rows = [
        {"list_id": number, "number": place, "done": False, "data": data}
        for place, data in enumerate(parts)
    ]
    if rows:
        tx.connection.execute(insert(mailgun_list_part), rows)
    key, data = f"list:{number}", {"list": number}
    jobs.put(tx, [jobs.new_job(KIND, key, inbox_id=_NOBODY, due_at=new.now, data=data)])
    return True


def find(connection: Connection, scope: str, name: str) -> ListRecord | None:
    """Return a list by its name."""
    mine = (mailgun_list.c.scope == scope) & (mailgun_list.c.name == name)
    row = connection.execute(select(mailgun_list).where(mine)).first()
    return None if row is None else _record(row)


def listed(connection: Connection, scope: str, limit: int) -> tuple[int, list[ListRecord]]:
    """Return how many lists there are, and the newest of them."""
    mine = mailgun_list.c.scope == scope
    total = connection.execute(select(func.count()).select_from(mailgun_list).where(mine))
    query = select(mailgun_list).where(mine).order_by(mailgun_list.c.id.desc()).limit(limit)
    return total.scalar_one(), [_record(row) for row in connection.execute(query)]


def unfinished(connection: Connection, scope: str) -> int:
    """Return how many lists are still worked on."""
    mine = (mailgun_list.c.scope == scope) & (mailgun_list.c.status != "uploaded")
    return connection.execute(
        select(func.count()).select_from(mailgun_list).where(mine)
    ).scalar_one()


def next_part(connection: Connection, list_id: int) -> tuple[int, bool, list[str]] | None:
    """Return the number of the next part, whether DNS is asked, and its addresses."""
    lookup = select(mailgun_list.c.lookup).where(mailgun_list.c.id == list_id).scalar_subquery()
    part = mailgun_list_part
    query = select(part.c.number, lookup.label("lookup"), part.c.data)
    waiting = (part.c.list_id == list_id) & part.c.done.is_(False)
    row = connection.execute(query.where(waiting).order_by(part.c.number).limit(1)).first()
    return None if row is None else (row.number, bool(row.lookup), _unpacked(row.data))


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The verdicts on a part, packed, with how many there are of each kind."""

    data: bytes = field(repr=False)
    number: int
    counts: Counter[str]

    @classmethod
    def of(cls, found: Sequence[Mapping[str, Any]]) -> Verdicts:
        """Pack and count verdicts, which takes a while."""
        kinds = (f"{key}:{one[key]}" for one in found for key in ("result", "risk"))
        return cls(_pack(found), len(found), Counter(kinds))


def put_part(tx: Tx, list_id: int, number: int, found: Verdicts) -> None:
    """Store the verdicts on a part and count them; one that is done already stays as it is."""
    part = mailgun_list_part
    mine = (part.c.list_id == list_id) & (part.c.number == number) & part.c.done.is_(False)
    done = update(part).where(mine).values(done=True, data=found.data)
    if not tx.connection.execute(done).rowcount:
        return
    whole = mailgun_list.c.id == list_id
    held = tx.connection.execute(select(mailgun_list).where(whole)).one()
    counts = dict(found.counts + Counter(dict(held.counts)))
    values = {"processed": held.processed + found.number, "counts": counts, "status": "processing"}
    tx.connection.execute(update(mailgun_list).where(whole).values(**values))


def finish(tx: Tx, list_id: int) -> None:
    """Note that every address of a list was looked at."""
    mine = mailgun_list.c.id == list_id
    tx.connection.execute(update(mailgun_list).where(mine).values(status="uploaded"))


def verdicts(connection: Connection, list_id: int, number: int) -> list[dict[str, Any]] | None:
    """Return the verdicts on a part; None when there is no such part."""
    mine = (mailgun_list_part.c.list_id == list_id) & (mailgun_list_part.c.number == number)
    row = connection.execute(select(mailgun_list_part).where(mine)).first()
    return None if row is None else _unpacked(row.data)


def remove(tx: Tx, list_id: int) -> None:
    """Delete a list with its verdicts; what is not looked at yet never will be."""
    jobs.cancel(tx, KIND, [f"list:{list_id}"])
    _remove(tx, [list_id])


def inbox_scope(inbox_id: int) -> str:
    """Return the scope of lists that belong to an inbox; that of a pod is its id."""
    return f"{_OF_INBOX}{inbox_id}"


def reach(connection: Connection, list_id: int) -> Reach:
    """Return what whoever brought a list may know of."""
    mine = select(mailgun_list.c.scope).where(mailgun_list.c.id == list_id)
    scope = connection.execute(mine).scalar() or ""
    if not scope.startswith(_OF_INBOX):
        return Reach(scope) if scope else EVERYTHING
    inbox_id = int(scope.removeprefix(_OF_INBOX))
    pod = connection.execute(select(inbox.c.pod_id).where(inbox.c.id == inbox_id)).scalar()
    return Reach(pod, inbox_id)


def remove_of(tx: Tx, scope: str) -> None:
    """Delete the lists of an inbox or a pod that is deleted itself."""
    mine = select(mailgun_list.c.id).where(mailgun_list.c.scope == scope)
    for list_id in tx.connection.execute(mine).scalars().all():
        remove(tx, list_id)


def forget(tx: Tx, before: datetime) -> int:
    """Delete the lists that came before a moment and are done; return how many."""
    old = (mailgun_list.c.created_at < before) & (mailgun_list.c.status == "uploaded")
    ids = tx.connection.execute(select(mailgun_list.c.id).where(old)).scalars().all()
    _remove(tx, ids)
    return len(ids)


def _remove(tx: Tx, ids: Sequence[int]) -> None:
    part = mailgun_list_part
    tx.connection.execute(delete(part).where(part.c.list_id.in_(ids)))
    tx.connection.execute(delete(mailgun_list).where(mailgun_list.c.id.in_(ids)))


def _pack(values: Sequence[Any]) -> bytes:
    return zlib.compress(json.dumps(list(values)).encode(), 1)


def _unpacked(data: bytes) -> list[Any]:
    found: list[Any] = json.loads(zlib.decompress(data))
    return found


def _record(row: Row[Any]) -> ListRecord:
    return ListRecord(**{name: getattr(row, name) for name in _FORM})

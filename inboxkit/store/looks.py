"""Sends as the outbox sees them: what is to be sent to whom, and what may have gone out already."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, select

from . import suppressions
from .blobs import Packed, Unreadable
from .deliveries import PENDING
from .inboxes import PAUSED
from .prepared import Prepared, among
from .tables import content, delivery, inbox, message, raw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .blobs import Blobs

_SMALL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Look:
    """A send as the outbox sees it.

    ``waiting`` has the recipients that no provider has taken it for, and their states; ``blocked``
    those that must not be written to, in lower case, and why: all of them if its inbox is paused.
    ``raw`` has the bytes of a small one.
    """

    row: Any
    waiting: Mapping[str, str]
    blocked: Mapping[str, str]
    raw: bytes | None = field(default=None, repr=False)


_SELECTED = select(
    message.c.id,
    message.c.inbox_id,
    message.c.thread_id,
    message.c.message_id,
    message.c.sender_email,
    message.c.sender_name,
    message.c.mail_from,
    message.c.rcpt_to,
    message.c.to,
    message.c.cc,
    message.c.bcc,
    message.c.reply_to,
    message.c.subject,
    message.c.tag,
    message.c.metadata,
    message.c.in_reply_to,
    message.c.size,
    message.c.provider,
    raw.c.data,
    raw.c.location,
    content.c.text,
    content.c.html,
    content.c.headers,
    content.c.references,
    content.c.options,
    inbox.c.status.label("inbox_status"),
    inbox.c.pod_id,
)
_look = Prepared(
    _SELECTED.join(raw, raw.c.message_id == message.c.id)
    .join(content, content.c.message_id == message.c.id)
    .outerjoin(inbox, inbox.c.id == message.c.inbox_id)
    .where(among(message.c.id))
)
_waiting = Prepared(
    select(delivery.c.message_id, delivery.c.recipient, delivery.c.state).where(
        among(delivery.c.message_id), among(delivery.c.state, "states")
    )
)


def look(connection: Connection, ids: Sequence[int], blobs: Blobs) -> dict[int, Look]:
    """Return sends with their bytes, by row id; those that were purged are left out."""
    rows = {row.id: row for row in _look.rows(connection, ids=ids)}
    waiting: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for row_id, recipient, state in _waiting.rows(connection, ids=ids, states=PENDING):
        waiting[row_id][recipient] = state
    everybody = {r for recipients in waiting.values() for r in recipients}
    blocked = suppressions.of_addresses(connection, list(everybody)) if everybody else {}
    return {
        i: Look(row, waiting[i], _blocked(row, waiting[i], blocked), _unpacked(row, blobs))
        for i, row in rows.items()
    }


def _unpacked(row: Any, blobs: Blobs) -> bytes | None:
    """Unpack what is small here, in the reader's thread, many after another.

    What is damaged is left to its own attempt, and holds up no other.
    """
    if not row.data or row.size > _SMALL_BYTES:
        return None
    try:
        return blobs.unpack(Packed(row.data))
    except Unreadable:
        return None


def _blocked(
    row: Any, waiting: Mapping[str, str], known: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    if row.inbox_status == PAUSED:
        return {recipient.lower(): PAUSED for recipient in waiting}
    if not known:
        return {}
    domain = row.sender_email.rpartition("@")[2].lower()
    found: dict[str, str] = {}
    for recipient in waiting:
        reasons = known.get(recipient.lower(), {})
        if reason := suppressions.holding(reasons, domain, row.pod_id):
            found[recipient.lower()] = reason
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a send: to whom it was, and since when it may have gone out."""

    number: int | None  # None: from before they were numbered
    recipients: Sequence[str]
    since: datetime


_PARTS = select(
    delivery.c.part, delivery.c.recipient, delivery.c.state, delivery.c.updated_at
).where(delivery.c.message_id == bindparam("send"))


def parts(connection: Connection, row: Any, state: str) -> list[Part]:
    """Return the requests of a send that some recipient is still in this state of.

    Each names all whom the request was to, in their order: only then it is the same request again.
    """
    found = {r.recipient: r for r in connection.execute(_PARTS, {"send": row.id})}
    known = [(r, found[r]) for r in row.rcpt_to if r in found]
    groups: defaultdict[int | None, list[str]] = defaultdict(list)
    since: dict[int | None, datetime] = {}
    for _, told in known:
        if told.state == state:
            since[told.part] = min(told.updated_at, since.get(told.part, told.updated_at))
    for recipient, told in known:
        if told.part in since and (told.part is not None or told.state == state):
            groups[told.part].append(recipient)
    return [Part(number, groups[number], since[number]) for number in since]

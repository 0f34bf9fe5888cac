"""What a Run hands to its handler: the message, its code, an attachment, an event or a thread."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import matching
from ..errors import StoreError
from ..extracted import Otp
from ..models import Actions, Attachment, Event, Message, Thread
from ..router import Handler, HandlerKind, Router
from ..store import events, records, runs
from ..tokens import row_id
from ..values import EventType
from .faults import fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from ..store.leased import Job
    from ..store.store import Store

Item = Message | Otp | Attachment | Event | Thread
log = logging.getLogger("inboxkit.dispatch")


@dataclass(frozen=True, slots=True)
class Held:
    """What was loaded for a Run before its turn; None for what was not."""

    run: Any = None
    message: Message | None = None


async def prefetch(store: Store, actions: Actions, taken: Sequence[Job]) -> dict[int, Held]:
    """Return what leased Runs need, by job id, from one look at the database.

    One message that cannot be loaded must not hurt the others: then each is loaded by itself.
    """
    try:
        return await store.read(_held, taken, actions)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - what is stored of a mail came from outside
        log.warning("runs %s: %s; loaded one by one", [job.key for job in taken], fault(error))
        return {}


def _held(connection: Connection, taken: Sequence[Job], actions: Actions) -> dict[int, Held]:
    rows = {row.id: row for row in runs.by_ids(connection, [int(job.key) for job in taken])}
    wanted = dict.fromkeys(r.message_id for r in rows.values() if r.kind != HandlerKind.TIMER)
    found = {row_id("msg", m.id): m for m in records.messages(connection, list(wanted), actions)}
    held = {job.id: rows.get(int(job.key)) for job in taken}
    return {
        job_id: Held(row, None if row is None else found.get(row.message_id))
        for job_id, row in held.items()
    }


async def load(
    store: Store, actions: Actions, run: Any, handler: Handler, message: Message | None = None
) -> Item | None:
    """Return the item of a Run; None when it is gone (purged) or no longer waited for.

    ``message`` is the Run's, when it was loaded before.
    """
    if handler.kind == HandlerKind.TIMER:
        return await _thread(store, actions, run)
    if handler.kind == HandlerKind.EVENT and run.item != "received":
        row = await store.read(events.by_seq, events.cursor_seq(run.item))
        happened = await store.read(records.events, [row] if row else [], actions)
        return happened[0] if happened else None
    if message is None:
        found = await store.read(records.messages, [run.message_id], actions)
        message = found[0] if found else None
    return None if message is None else _part(message, run, handler)


def _part(message: Message, run: Any, handler: Handler) -> Item | None:
    if handler.kind == HandlerKind.OTP:
        return message.otp
    if handler.kind == HandlerKind.ATTACHMENT:
        return next((a for a in message.attachments if a.id == run.item), None)
    if handler.kind == HandlerKind.EVENT:
        return Event("", EventType.RECEIVED, message.received_at, message)
    return message


async def _thread(store: Store, actions: Actions, run: Any) -> Thread | None:
    """A thread that was answered since the timer fired is not reminded."""
    thread = await store.read(records.thread, run.thread_id, actions)
    return thread if thread is not None and thread.waiting_since is not None else None


def next_handler(
    router: Router[...], run: Any, item: Item, *, skip: frozenset[str]
) -> Handler | None:
    """Return the next handler of the same kind that takes the item."""
    if isinstance(item, Message):
        return matching.match_message(router, item, skip=skip)
    if isinstance(item, Otp):
        return matching.match_otp(router, item.message, skip=skip)
    if isinstance(item, Attachment):
        return matching.match_attachment(router, item, skip=skip)
    if isinstance(item, Event):
        return matching.match_event(router, item, skip=skip)
    return None

"""What a Run hands to its handler: the message, its code, an attachment, an event or a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import matching
from ..models import Actions, Attachment, Event, Message, Otp, Thread
from ..router import Handler, HandlerKind, Router
from ..store import events, records
from ..values import EventType

if TYPE_CHECKING:
    from ..store.store import Store

Item = Message | Otp | Attachment | Event | Thread


async def load(store: Store, actions: Actions, run: Any, handler: Handler) -> Item | None:
    """Return the item of a Run; None when it is gone (purged) or no longer waited for."""
    if handler.kind == HandlerKind.TIMER:
        return await _thread(store, actions, run)
    if handler.kind == HandlerKind.EVENT and run.item != "received":
        row = await store.read(events.by_seq, events.cursor_seq(run.item))
        found = await store.read(records.events, [row] if row else [], actions)
        return found[0] if found else None
    messages = await store.read(records.messages, [run.message_id], actions)
    return _part(messages[0], run, handler) if messages else None


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

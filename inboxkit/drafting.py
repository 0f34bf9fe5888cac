"""Drafts become sends: when a person says so, or when their time has come."""

from __future__ import annotations

import logging
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from .blocking import in_thread
from .compose import quote
from .errors import InboxKitError, StoreError
from .store import drafts, jobs
from .store.departing import Changed, Departure
from .tokens import public_id
from .values import Draft, ProviderOptions

if TYPE_CHECKING:
    from datetime import datetime

    from .actions import LocalActions
    from .models import Message
    from .store.drafts import DraftRecord
    from .store.leased import Job
    from .store.store import Store
    from .store.transactions import Tx

log = logging.getLogger("inboxkit.drafts")
BATCH = 8
_QUICKLY_QUOTED = 64 * 1024  # characters


class Drafting:
    """Sends drafts; each vanishes in the transaction that stores its send."""

    def __init__(self, store: Store, actions: LocalActions) -> None:
        self._store = store
        self._actions = actions

    async def send(self, departure: Departure) -> Message:
        """Send a draft by the way of every other send; raise Changed, NotFound or SendError."""
        record = departure.draft
        files = await self._store.read(drafts.files, record)
        actions = self._actions.storing(departure.store, approved=True)
        parent = None
        if record.parent_id is not None:
            parent = await actions.message(public_id("msg", record.parent_id))
        draft = replace(await completed(record, parent), attachments=files)
        if parent is None:
            return await actions.send(record.inbox, draft)
        if record.forward_of:
            return await actions.forward(parent, draft)
        return await actions.reply(parent, draft, everyone=record.reply_all)

    async def work(self, taken: list[Job]) -> None:
        """Send the drafts whose time has come."""
        for job in taken:
            await self._due(job)

    async def _due(self, job: Job) -> None:
        now = self._store.clock.now()
        record = await self._store.read(drafts.by_id, int(job.key))
        if record is None or not _is_due(
            record, now
        ):  # put off, or deleted, while it was being taken
            await self._store.write(drafts.wait, job)
            return
        try:
            await self.send(Departure(record, record.labels, now, job=job))
        except StoreError:
            raise
        except Changed as error:  # look again at what it is now
            await self._store.write(jobs.put_back, job, due_at=now, error=str(error))
        except InboxKitError as error:
            log.warning("draft %s: %s", public_id("drf", record.id), error)
            await self._store.write(self._fail, job, record, str(error))

    def _fail(self, tx: Tx, job: Job, record: DraftRecord, error: str) -> None:
        now = self._store.clock.now()
        if drafts.fail(tx, record, error, now):
            jobs.complete(tx, [job])
        else:  # it was changed meanwhile: look again at what it is now
            jobs.put_back(tx, job, due_at=now, error=error)


def _is_due(record: DraftRecord, now: datetime) -> bool:
    is_scheduled = record.send_status == drafts.SCHEDULED
    return is_scheduled and record.send_at is not None and record.send_at <= now


def drafted(record: DraftRecord) -> Draft:
    """Return what a draft wants sent, without its files."""
    return Draft(
        to=record.to,
        cc=record.cc,
        bcc=record.bcc,
        reply_to=record.reply_to,
        subject=record.subject,
        text=record.text,
        html=record.html,
        headers=record.extra.get("headers", {}),
        tag=record.extra.get("tag", ""),
        metadata=record.extra.get("metadata", {}),
        key=record.extra.get("key"),
        options=ProviderOptions(**record.extra.get("options", {})),
    )


async def completed(record: DraftRecord, parent: Message | None) -> Draft:
    """Return a draft as ``whole`` does; in a thread when it may quote a long text."""
    if _is_long(parent):
        return await in_thread(whole, record, parent)
    return whole(record, parent)


def whole(record: DraftRecord, parent: Message | None) -> Draft:
    """Return what a draft wants sent with what it quotes, without its files.

    ``parent`` is the message that it answers or sends on.
    """
    draft = drafted(record)
    if parent is None or record.forward_of or record.extra.get("whole"):
        return draft
    return quoting(draft, parent)


async def quoted_below(draft: Draft, parent: Message) -> Draft:
    """Return an answer as ``quoting`` does; in a thread when it quotes a long text."""
    if _is_long(parent):
        return await in_thread(quoting, draft, parent)
    return quoting(draft, parent)


def _is_long(parent: Message | None) -> bool:
    return parent is not None and len(parent.text) > _QUICKLY_QUOTED


def quoting(draft: Draft, parent: Message) -> Draft:
    """Return an answer with the words it answers quoted under its own."""
    below_text = quoted(parent)
    line, _, _ = below_text.partition("\n")
    words = escape(parent.text).replace("\n", "<br>\n")
    below = f'<br><div>{escape(line)}</div><blockquote type="cite">{words}</blockquote>'
    return replace(
        draft,
        text=f"{draft.text}\n\n{below_text}" if draft.text and parent.text else draft.text,
        html=draft.html + below if draft.html and parent.text else draft.html,
    )


def quoted(parent: Message) -> str:
    """Return the words of a message as they stand under an answer."""
    return quote(parent.text, parent.sender, parent.date or parent.received_at)

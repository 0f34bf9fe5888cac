"""What messages, threads and inboxes do in the process that has the database open."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from .blocking import in_thread
from .errors import HandlerError, NotFound, Suppressed
from .holding import held
from .parsing import parse
from .parsing.attachments import extract, is_message
from .parsing.extraction import FileReader
from .parsing.forensics import forensics
from .parsing.images import dimensions
from .pipeline import deletion, policies, replies, spooling
from .pipeline.configured import check_size
from .pipeline.policies import Forbidden, Paused
from .pipeline.staging import active, current
from .saving import write_once
from .sending import Composer, Context, outgoing, take_long
from .store import inboxes, messages, records, search, sends, threads
from .store.query import parse_query
from .tokens import public_id, row_id
from .values import check_given, check_search
from .waits import Waits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from .models import Attachment, Message, Thread, Want
    from .parsing.model import ParsedMessage
    from .pipeline.addresses import Addresses
    from .pipeline.configured import Configured
    from .pipeline.notify import Notify
    from .settings import Settings
    from .store.blobs import Packed
    from .store.inboxes import InboxRecord
    from .store.sends import Staged
    from .store.store import Store
    from .store.transactions import Tx
    from .values import Draft

_PAGE = 50
_PORTION = 32


class LocalActions:
    """Implements ``models.Actions`` on the store. In a handler, sends are staged instead."""

    def __init__(
        self,
        store: Store,
        notify: Notify,
        settings: Settings,
        providers: Sequence[Configured],
        addresses: Addresses,
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._settings = settings
        self._providers = providers
        self._files = FileReader()
        self.waits = Waits(store, notify, self)
        self._composer = Composer(settings, store)
        self._store_sends: Callable[[Tx, Sequence[Staged]], list[int]] = sends.store
        self._approved = False

    def storing(
        self, function: Callable[[Tx, Sequence[Staged]], list[int]], *, approved: bool = False
    ) -> LocalActions:
        """Return the same actions whose sends ``function`` stores, and more in one transaction.

        ``approved``: a person has approved what is sent.
        """
        other = copy(self)
        other._store_sends = function
        other._approved = approved
        return other

    # reading

    async def raw(self, message: Message) -> bytes:
        packed = await self._packed(message)
        return await in_thread(self._store.blobs.unpack, packed)

    async def _packed(self, message: Message) -> Packed:
        packed = await self._store.read(messages.packed, row_id("msg", message.id))
        if packed is None:
            raise NotFound(f"message {message.id}: its bytes were purged")
        return packed

    async def open_raw(self, message: Message) -> IO[bytes]:
        """Return a message's bytes as a temporary file, which the caller closes."""
        packed = await self._packed(message)
        return await in_thread(spooling.whole, self._store.blobs.stream(packed))

    async def open_attachment(self, attachment: Attachment) -> IO[bytes]:
        """Return an attachment as a temporary file; what is large is never whole in memory."""
        packed = await self._packed(attachment.message)
        stream = self._store.blobs.stream(packed)
        found = await in_thread(spooling.part, stream, attachment.size, attachment.sha256)
        if found is not None:
            return found
        return await in_thread(spooling.whole, [await self.read_attachment(attachment)])

    async def read_attachment(self, attachment: Attachment) -> bytes:
        raw = await self.raw(attachment.message)
        index = attachment.message.attachments.index(attachment)
        return await in_thread(extract, raw, index)

    async def save_attachment(self, attachment: Attachment, folder: Path) -> Path:
        data = await self.read_attachment(attachment)
        name = f"{attachment.sha256[:16]}-{attachment.safe_name}"
        return await in_thread(write_once, folder, name, data)

    async def attachment_text(self, attachment: Attachment, limit: int) -> str | None:
        data = await self.read_attachment(attachment)
        return await self._files.words(
            data, attachment.content_type, attachment.filename, limit=limit
        )

    async def attachment_dimensions(self, attachment: Attachment) -> tuple[int, int] | None:
        return dimensions(await self.read_attachment(attachment))

    async def attachment_message(self, attachment: Attachment) -> ParsedMessage | None:
        if not is_message(attachment.content_type, attachment.filename):
            return None
        return await in_thread(parse, await self.read_attachment(attachment))

    async def forensics(self, message: Message) -> Mapping[str, Any]:
        return await in_thread(forensics, await self.raw(message))

    async def thread(self, thread_id: str) -> Thread:
        found = await self._store.read(records.thread, row_id("thd", str(thread_id)), self)
        if found is None:
            raise NotFound(f"no thread {thread_id}")
        return found

    async def thread_messages(self, thread: Thread) -> Sequence[Message]:
        return await self._store.read(records.thread_messages, row_id("thd", thread.id), self)

    async def search(
        self, inbox: str | None, query: str, limit: int | None
    ) -> AsyncIterator[Message]:
        check_search(query, limit)
        parsed = parse_query(query, now=self._store.clock.now())
        inbox_id = None if inbox is None else (await self._inbox(inbox)).id
        before: int | None = None
        left = limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            ids = await self._store.read_at_length(
                search.find, parsed, inbox_id=inbox_id, before=before, limit=size
            )
            for found in await self._store.read(records.messages, ids, self):
                yield found
            if len(ids) < size:
                return
            before = ids[-1]
            left = None if left is None else left - len(ids)

    # changing

    async def label(self, message: Message, *, add: Sequence[str], remove: Sequence[str]) -> None:
        staging = active()
        if staging is not None:
            staging.labels.append((row_id("msg", message.id), tuple(add), tuple(remove)))
            return
        known = await self._store.write(
            messages.set_labels,
            row_id("msg", message.id),
            add=add,
            remove=remove,
            now=self._store.clock.now(),
        )
        if not known:
            raise NotFound(f"no message {message.id}")

    async def update_thread(self, thread: Thread, state: Mapping[str, Any]) -> None:
        staging = active()
        if staging is not None:
            staging.update_thread(row_id("thd", thread.id), state)
            return
        now = self._store.clock.now()
        if not await self._store.write(threads.update_state, row_id("thd", thread.id), state, now):
            raise NotFound(f"no thread {thread.id}")

    async def delete_inbox(self, inbox: str) -> None:
        found = await self._inbox(inbox)
        await deletion.delete_inbox(self._store, found.id)
        self._addresses.forget()

    # waiting

    async def wait(self, inbox: str, want: Want, *, timeout: float) -> Message:
        return await self.waits.message(await self._inbox(inbox), want, timeout=timeout)

    async def give_back(self, message: Message) -> None:
        """Let other waits have a message that was taken for somebody who has gone away."""
        await self.waits.give_back(await self._inbox(message.inbox), message)

    async def cancel(self, message: Message) -> None:
        number, staging = row_id("msg", message.id), active()
        if staging is not None and staging.holds(number):
            staging.cancel(number)
            return
        with suppress(NotFound):  # gone already
            await deletion.cancel(self._store, number)

    async def wait_for_reply(self, message: Message, *, timeout: float) -> Message:
        staging = current.get()
        if staging is not None and staging.holds(row_id("msg", message.id)):
            raise HandlerError(
                f"{message.id} is only staged until this handler ends, so no reply can come; "
                "continue in an on_reply handler"
            )
        if staging is not None and row_id("msg", message.id) in staging.cancelled:
            raise NotFound(f"no message {message.id}: it was taken back")
        inbox = await self._inbox(message.inbox)
        return await self.waits.reply(inbox, message, timeout=timeout)

    # sending

    async def send(self, inbox: str, draft: Draft) -> Message:
        return await self._send(draft, Context(inbox=await self._inbox(inbox)))

    async def send_all(
        self,
        inbox: InboxRecord,
        drafts: Sequence[Draft],
        *,
        name: str = "",
        parent: Message | None = None,
    ) -> list[int]:
        """Send drafts from one inbox, all or none, perhaps under another display name.

        Return their rows. Mail to who is suppressed is rejected and logged by the outbox.
        ``parent`` is what they answer.
        """
        context = Context(
            inbox=replace(inbox, display_name=name or inbox.display_name),
            thread_id=None if parent is None else row_id("thd", parent.thread_id),
            parent=parent,
        )
        now = self._store.clock.now()
        staged: list[Staged] = []
        for start in range(0, len(drafts), _PORTION):
            staged += await self._stage(drafts[start : start + _PORTION], context, now)
        for draft, one in zip(drafts, staged, strict=True):
            with suppress(Suppressed):
                await self._check(draft, one, context)
        return await self._store.write(self._store_sends, staged)

    async def reply(self, message: Message, draft: Draft, *, everyone: bool) -> Message:
        inbox = await self._inbox(message.inbox)
        thread_id = row_id("thd", message.thread_id)
        staging = active()
        automatic = staging is not None and message.direction == "inbound"
        stopped = await self._stopped(message) if automatic else ""
        context = Context(
            inbox=inbox,
            thread_id=thread_id,
            parent=message,
            everyone=everyone,
            automatic=automatic,
            stopped=stopped,
            capped=replies.capped(message, self._settings) if automatic else None,
        )
        return await self._send(draft, context)

    async def forward(self, message: Message, draft: Draft) -> Message:
        inbox = await self._inbox(message.inbox)
        subject = draft.subject or f"Fwd: {' '.join(message.subject.split())}"
        context = Context(inbox=inbox, forwarded=await self.raw(message), original=message)
        return await self._send(replace(draft, subject=subject), context)

    async def send_in_thread(self, thread: Thread, draft: Draft) -> Message:
        known = await self.thread_messages(thread)
        inbox = await self._inbox(thread.inbox)
        ours = [m for m in known if m.direction == "outbound"]
        staging = active()
        context = Context(
            inbox=inbox,
            thread_id=row_id("thd", thread.id),
            parent=(ours or list(known))[-1] if known else None,
            reminder=staging is not None and staging.reminder,
        )
        return await self._send(draft, context)

    async def _stopped(self, message: Message) -> str:
        refusal = replies.refusal(message, self._composer.loop_id)
        if refusal:
            return refusal
        if await self._store.read(replies.is_own, message):
            return "the answer would go to the inbox itself"
        return ""

    async def _stage(self, drafts: Sequence[Draft], context: Context, at: datetime) -> list[Staged]:
        """Compose; in a thread what takes long, as it may go to a file or bucket too."""
        for draft in drafts:
            check_given(draft, context.inbox.address)
        work = partial(self._composer.stage_all, drafts, context, at)
        return await in_thread(work) if take_long(drafts, context) else work()

    async def _send(self, draft: Draft, context: Context) -> Message:
        [staged] = await self._stage([draft], context, self._store.clock.now())
        staging = active()
        repeats = staging is not None and staging.again  # a replay that is to send once more
        first = None if repeats else await self._first_of_key(staged)
        if first is not None:
            return first
        if staging is not None and _is_for_approval(staged, context):
            record = held(draft, context, staged, self._store.clock.now())
            staging.hold(record, draft.attachments, staged.id)
            return records.staged_message(staged.row, staged.content, context.inbox.address, self)
        await self._check(draft, staged, context)
        if staging is not None:
            staging.add(staged)
            return records.staged_message(staged.row, staged.content, context.inbox.address, self)
        return await self._store.write_grouped(self._store_and_show, staged)

    def _store_and_show(self, tx: Tx, staged: Sequence[Staged]) -> list[Message]:
        """Store sends and return them as stored: nothing is left that may fail after the commit.

        A caller whose send went out all the same would repeat it.
        """
        ids = self._store_sends(tx, staged)
        found = records.messages(tx.connection, list(dict.fromkeys(ids)), self)
        by_id = {message.id: message for message in found}
        return [by_id[public_id("msg", row)] for row in ids]

    async def _first_of_key(self, staged: Staged) -> Message | None:
        """Return the send that was made under this key before."""
        key = staged.row["send_key"]
        if key is None:
            return None
        found = await self._store.read(sends.keyed, staged.row["inbox_id"], key)
        if found is None:
            return None
        first = sends.same_or_raise(found, key, staged.row["fingerprint"])
        return await self.message(public_id("msg", first))

    async def _check(self, draft: Draft, staged: Staged, context: Context) -> None:
        """Refuse what must not or cannot be sent, before anything is stored."""
        row = staged.row
        if context.inbox.status == inboxes.PAUSED:
            raise Paused(f"inbox {context.inbox.address}: is paused and sends nothing")
        refused, blocked = await self._store.read(
            policies.findings, context.inbox, row, approved=self._approved
        )
        if refused:
            raise Forbidden(refused)
        if len(blocked) == len({r.lower() for r in row["rcpt_to"]}):
            why = ", ".join(f"{address} ({reason})" for address, reason in blocked.items())
            raise Suppressed(
                f"nobody of it may be written to: {why}; "
                "to lift that: inboxkit suppressions remove ADDRESS"
            )
        asked = outgoing(draft, row)
        for chosen in self._providers[:1]:
            chosen.check(asked)
        check_size(self._providers, asked.id, row["size"])

    # looking up

    async def message(self, message_id: str) -> Message:
        """Return a message; raise NotFound."""
        try:
            wanted = row_id("msg", str(message_id))  # None is an id that nobody has
        except ValueError as error:
            raise NotFound(f"no message {message_id}: {error}") from None
        found = await self._store.read(records.messages, [wanted], self)
        if not found:
            raise NotFound(f"no message {message_id}")
        return found[0]

    async def _inbox(self, address: str) -> InboxRecord:
        return await self._store.read(inboxes.require, address)


def _is_for_approval(staged: Staged, context: Context) -> bool:
    """Whether a handler's send becomes a draft."""
    return context.inbox.draft_policy == policies.DRAFT and not staged.stopped

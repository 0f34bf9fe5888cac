"""Waits: look, then sleep until something happens in the inbox, then look again. No polling.

What a wait returns is marked as taken in the same step, so two waits never get the same message;
a wait that is cancelled in that step gives it back. One that comes again under its key gets what it
had. A database that restarts ends no wait; a kit that is closed ends them all.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import anyio

from .complaints import Complaint
from .errors import StoreError, WaitTimeout
from .matching import matches
from .models import Want
from .store import keyed_waits, records, succession, untaken
from .store.bell import inbox_topic
from .tokens import row_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from .models import Actions, Message
    from .pipeline.notify import Notify
    from .store.inboxes import InboxRecord
    from .store.keyed_waits import Keyed
    from .store.store import Store
    from .store.transactions import Tx
    from .values import Pattern

    Mark = Callable[[Tx, Message], bool]

_FILTERS = {"to": "to", "sender": "from", "subject": "with the subject", "host": "that leads to"}

log = logging.getLogger("inboxkit.waits")
_PAGE = 50
_PAUSE_AFTER_REFUSAL = 0.5


@dataclass(frozen=True, slots=True)
class Search:
    """Where a wait looks, and what it has seen that never will be what it wants."""

    inbox_id: int
    candidates: Callable[[Connection], Sequence[int]]
    want: Want
    keyed: Keyed | None = None
    refused: set[int] = field(default_factory=set[int])

    def left(self, connection: Connection) -> list[int]:
        """Return what may be wanted, best first."""
        return [i for i in self.candidates(connection) if i not in self.refused]

    def accepts(self, found: Message) -> bool:
        """Whether it is wanted; what is not is not looked at again."""
        if is_wanted(found, self.want):
            return True
        self.refused.add(row_id("msg", found.id))
        return False


class _Page(NamedTuple):
    """Candidates, whole or brief."""

    messages: Sequence[Message]
    whole: bool


class Waits:
    """The waits of one process."""

    def __init__(self, store: Store, notify: Notify, actions: Actions) -> None:
        self._store = store
        self._notify = notify
        self._actions = actions
        self._doubted: dict[int, datetime] = {}  # marked, perhaps: the database did not answer
        self._undoing: set[asyncio.Task[None]] = set()  # for waits that were cancelled
        self._complaint = Complaint(log, logging.WARNING)  # of all waits: there may be thousands

    async def message(
        self,
        inbox: InboxRecord,
        want: Want,
        *,
        timeout: float,
        brief: bool = False,
        keyed: Keyed | None = None,
    ) -> Message:
        """Return what is wanted, now or when it comes; raise WaitTimeout after ``timeout`` s.

        ``brief``: that has the messages which did come without HTML, and of texts the beginning.
        """

        def candidates(connection: Connection) -> Sequence[int]:
            return untaken.candidates(connection, inbox.id, want.kind, want.after)

        found = await self._until(Search(inbox.id, candidates, want, keyed), timeout)
        if found is None:
            only = narrowed(sender=want.sender, subject=want.subject, host=want.host)
            asked = f"no {want.kind} for {inbox.address}{only} within {timeout:g} s"
            raise await self._timeout(asked, inbox.id, want.after, want.without, brief)
        return found

    async def reply(
        self,
        inbox: InboxRecord,
        sent: Message,
        *,
        timeout: float,
        without: frozenset[str] = frozenset(),
        brief: bool = False,
        keyed: Keyed | None = None,
    ) -> Message:
        """Return the next reply to a send; raise WaitTimeout as ``message`` does."""
        thread_id, sent_id = row_id("thd", sent.thread_id), row_id("msg", sent.id)
        before = succession.cited(sent)

        def candidates(connection: Connection) -> Sequence[int]:
            return untaken.replies(connection, thread_id, sent_id, before)

        search = Search(inbox.id, candidates, Want(without=without), keyed)
        found = await self._until(search, timeout)
        if found is None:
            to = ", ".join(a.email for a in sent.to)
            asked = f"no reply of {to} to {sent.id} within {timeout:g} s"
            raise await self._timeout(asked, inbox.id, sent.received_at, without, brief)
        return found

    async def give_back(
        self, inbox: InboxRecord, message: Message, keyed: Keyed | None = None
    ) -> None:
        """Let other waits have a message that was taken for somebody who has gone away."""
        if keyed is None:
            await self._give_back(inbox.id, [row_id("msg", message.id)])
        elif keyed.at is not None:
            await self._give_back(inbox.id, [row_id("msg", message.id)], keyed.at)

    async def release(self, inbox: InboxRecord, scope: str, keys: Sequence[str]) -> None:
        """Let other waits have what was returned under keys to somebody who did not get it."""
        await self._store.write(keyed_waits.release, scope, keys, self._store.clock.now())
        self._notify.bell.ring([inbox_topic(inbox.id)])

    async def _until(self, search: Search, timeout: float) -> Message | None:
        """Look at once, whatever the timeout, and then whenever something happens.

        Raise StoreError when the database refused until the end.
        """
        topic = inbox_topic(search.inbox_id)
        seen = self._notify.bell.count(topic)
        found, refusal = await self._looked(self._first, search)
        woken = self._first if search.want.when else self._at_once
        with anyio.move_on_after(timeout):
            while found is None:
                if refusal is None:
                    await self._notify.bell.wait(topic, seen)
                else:
                    await self._notify.bell.pause(_PAUSE_AFTER_REFUSAL)
                seen = self._notify.bell.count(topic)
                found, refusal = await self._looked(woken, search)
        if found is None and refusal is not None:
            raise refusal
        return found

    async def _looked(
        self, look: Callable[[Search], Awaitable[Message | None]], search: Search
    ) -> tuple[Message | None, StoreError | None]:
        """Look once; return what was found, or why the database could not be asked.

        Raise InboxKitError once the runtime has ended: its database refuses for good.
        """
        try:
            for number, at in list(self._doubted.items()):
                await self._store.write(untaken.give_back, [number], at)
                self._doubted.pop(number, None)
            found = await look(search)
        except StoreError as error:
            self._notify.bell.check()
            self._complaint.say(f"a wait: {error}; trying again")
            return None, error
        self._complaint.over()
        return found, None

    async def _first(self, search: Search) -> Message | None:
        """Take the first message that is wanted; mostly there is none, and nothing is written."""

        def begun(connection: Connection) -> tuple[list[int], _Page] | None:
            if search.keyed and self._known(connection, search, self._store.clock.now()):
                return None
            left = search.left(connection)
            return left[_PAGE:], self._page(connection, left[:_PAGE], search)

        # One turn of a thread: somebody waits.
        while (begin := await self._store.read(begun)) is None:
            found = await self._marking(search, lambda _tx, _mark: None)
            if found is not None:
                return found
        left, page = begin
        while True:
            for candidate in page.messages:
                if search.accepts(candidate):
                    found = await self._take(search, candidate, whole=page.whole)
                    if found is not None:
                        return found
            if not left:
                return None
            ids, left = left[:_PAGE], left[_PAGE:]
            page = await self._store.read(self._page, ids, search)

    def _page(self, connection: Connection, ids: Sequence[int], search: Search) -> _Page:
        """Load candidates: of many only what tells which is wanted, as a mail may be megabytes."""
        whole = len(ids) == 1 or search.want.when is not None  # a caller's test may look at all
        found = records.messages(connection, ids, self._actions, brief=not whole)
        return _Page(found, whole)

    async def _take(self, search: Search, found: Message, *, whole: bool) -> Message | None:
        """Mark a message as taken and return it whole; None when another wait was faster."""

        def take(tx: Tx, mark: Mark) -> Message | None:
            if not mark(tx, found):
                return None
            ids = [row_id("msg", found.id)]
            return found if whole else records.messages(tx.connection, ids, self._actions)[0]

        return await self._marking(search, take)

    async def _at_once(self, search: Search) -> Message | None:
        """Look and take in one turn of the writer: whoever is woken mostly finds something.

        Not for a want with a test of the caller's own, which belongs on the event loop.
        """

        def seize(tx: Tx, mark: Mark) -> Message | None:
            left = search.left(tx.connection)
            for start in range(0, len(left), _PAGE):
                ids = left[start : start + _PAGE]
                for found in records.messages(tx.connection, ids, self._actions):
                    if search.accepts(found) and mark(tx, found):
                        return found
            return None

        return await self._marking(search, seize)

    async def _marking(
        self, search: Search, work: Callable[[Tx, Mark], Message | None]
    ) -> Message | None:
        """Do what marks a message, unless the wait's key has one; return that message."""
        now, resent, keyed = self._store.clock.now(), search.want.kind == "otp", search.keyed
        taken: list[int] = []

        def mark(tx: Tx, found: Message) -> bool:
            number = row_id("msg", found.id)
            if not untaken.take(tx, number, now):
                return False
            taken.append(number)
            if resent:
                untaken.retire(tx, number, now)
            if keyed is not None:
                keyed_waits.remember(tx, keyed.claim, number, now)
                keyed.at = now
            return True

        def marked(tx: Tx) -> Message | None:
            return self._again(tx, search, now) or work(tx, mark)

        writing = asyncio.ensure_future(self._store.write(marked))
        return await self._written(writing, search.inbox_id, taken, now)

    async def _written(
        self,
        writing: asyncio.Future[Message | None],
        inbox_id: int,
        taken: Sequence[int],
        now: datetime,
    ) -> Message | None:
        """Return what a write marked; what it has ``taken`` and is not returned is given back."""
        try:
            return await asyncio.shield(writing)
        except anyio.get_cancelled_exc_class():
            undoing = asyncio.create_task(self._undo(writing, inbox_id, taken, now))
            self._undoing.add(undoing)
            undoing.add_done_callback(self._undoing.discard)
            with anyio.CancelScope(shield=True):  # asyncio's own cancellation heeds no scope
                await asyncio.shield(undoing)
            raise
        except StoreError:
            self._doubted |= dict.fromkeys(taken, now)
            raise

    def _known(
        self, connection: Connection, search: Search, now: datetime
    ) -> tuple[int, datetime] | None:
        keyed = search.keyed
        return None if keyed is None else keyed_waits.known(connection, keyed.claim, now)

    def _again(self, tx: Tx, search: Search, now: datetime) -> Message | None:
        """Return what the wait's key has, if the caller may still see it."""
        known = self._known(tx.connection, search, now)
        if search.keyed is None or known is None:
            return None
        search.keyed.at = None
        found = next(iter(records.messages(tx.connection, known[:1], self._actions)), None)
        if found is None or not is_wanted(found, search.want):
            keyed_waits.forget(tx, search.keyed.claim)
            return None
        return found if keyed_waits.mark_again(tx, search.keyed.claim, *known, now) else None

    async def _undo(
        self, writing: asyncio.Future[Any], inbox_id: int, taken: Sequence[int], at: datetime
    ) -> None:
        """Give back what is marked by a write that was begun, and is committed all the same."""
        # The give-back must not overtake it; what it raises is nobody's any more.
        await asyncio.gather(writing, return_exceptions=True)
        await self._let_go(inbox_id, taken, at)

    async def _let_go(self, inbox_id: int, taken: Sequence[int], at: datetime) -> None:
        """Give back what was marked for somebody who has gone away; later if need be."""
        try:
            await self._give_back(inbox_id, taken, at)
        except StoreError as error:
            log.warning("a cancelled wait: %s; trying again with the next wait", error)
            self._doubted |= dict.fromkeys(taken, at)

    async def _give_back(
        self, inbox_id: int, taken: Sequence[int], at: datetime | None = None
    ) -> None:
        await self._store.write(untaken.give_back, taken, at)
        self._notify.bell.ring([inbox_topic(inbox_id)])

    async def _timeout(
        self,
        asked: str,
        inbox_id: int,
        after: datetime | None,
        without: frozenset[str],
        brief: bool,
    ) -> WaitTimeout:
        found = await self._store.read(untaken.recent, inbox_id, after)
        ids = list(found)
        every = await self._store.read(records.messages, ids, self._actions, brief=brief)
        arrived = [one for one in every if without.isdisjoint(one.labels)]
        taken = sum(found[row_id("msg", one.id)] for one in arrived)
        return WaitTimeout(f"{asked}; {came(len(arrived), taken)}", arrived)


def came(number: int, taken: int) -> str:
    """Return how many messages came that a wait did not return; ``taken`` were another's."""
    if not number:
        return "nothing came"
    said = f"{number} other {'message' if number == 1 else 'messages'} came"
    if taken == number:
        return f"{said}, taken by {'an earlier wait' if number == 1 else 'earlier waits'}"
    return f"{said}, {taken} of them taken by earlier waits" if taken else said


def narrowed(**filters: Pattern) -> str:
    """Return what a wait was narrowed to, for its error; "" for one that takes all."""
    shown = {name: p if isinstance(p, str) else p.pattern for name, p in filters.items()}
    return "".join(f" {_FILTERS[name]} {text}" for name, text in shown.items() if text != "*")


def is_wanted(found: Message, want: Want) -> bool:
    """Whether a message is what a wait looks for."""
    if not matches(want.sender, found.sender.email) or not matches(want.subject, found.subject):
        return False
    if not want.without.isdisjoint(found.labels):
        return False
    if want.kind == "link" and not matches(want.host, _host(found.link or "")):
        return False
    return want.when is None or bool(want.when(found))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""

"""The running parts of a kit: what is started, in which order, and how it all stops."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import anyio

from . import drafting
from .actions import LocalActions
from .addresses import check_address as checked_address
from .blocking import uninterrupted
from .edges import Edges
from .egress import Guard
from .errors import ConfigurationError, InboxKitError, NotFound
from .http.api.live import Live, Payloads, wanted_as
from .http.parts import Parts
from .inbox import Inbox
from .pipeline import deletion, dispatch, ending, feedback, outbox, plan, read, remind, watchdog
from .pipeline.accept import Accept
from .pipeline.addresses import Addresses
from .pipeline.authenticity import Authenticity
from .pipeline.fanout import Fanout
from .pipeline.faults import fault
from .pipeline.handlers import Handlers
from .pipeline.janitor import Janitor
from .pipeline.leases import leave_to_others
from .pipeline.loops import Consumer
from .pipeline.mailgun_log import MailgunLog
from .pipeline.mailgun_posts import MailgunPosts
from .pipeline.mended import try_anew
from .pipeline.notify import Notify
from .pipeline.posts import Posts
from .pipeline.resources import Resources
from .pipeline.stopping import StopTime
from .resolving import DnsResolver
from .store import events, inboxes
from .store.bell import stopped
from .store.mailgun_webhooks import KIND as MAILGUN
from .store.room import try_room
from .store.store import Store
from .tokens import encode, new_id, public_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

    from anyio.abc import TaskGroup
    from sqlalchemy import Connection

    from .clock import Clock
    from .models import Event, Message
    from .pipeline.configured import Configured
    from .pipeline.resources import Resource
    from .resolving import Resolver
    from .router import Router
    from .settings import Settings
    from .store.inboxes import InboxRecord

log = logging.getLogger("inboxkit")
_PROBE_SECONDS = 8.0  # longer than the wait for a lock: then it is known what is wrong
_GRACE_SECONDS = 30.0
_CUT_OFF_SECONDS = 3.0  # for calls that have had their time before


class Runtime:
    """The parts of one running kit."""

    def __init__(self, settings: Settings, clock: Clock, providers: Sequence[Configured]) -> None:
        self.settings = settings
        self.clock = clock
        self.store = Store(
            settings.database,
            clock,
            bucket=settings.object_store,
            options=settings.provider_options("object_store"),
        )
        self.notify = Notify(self.store)
        self.addresses = Addresses(self.store, settings)
        self.accept = Accept(self.store, self.addresses)
        self.feedback = feedback.Feedback(self.store, self.accept, settings)
        self.stopping = anyio.Event()
        self.handlers = Handlers(lambda: self.store.bell.ring(["run"]))
        self.failure: BaseException | None = None
        self.resolver: Resolver = DnsResolver(settings.dns_servers)
        self._providers = providers
        checks = Authenticity(settings, self.store.blobs)
        self._read = read.Read(self.store, self.accept.pace, checks=checks)
        self.time = StopTime()
        self.resources = Resources(self.time)
        self._closing = AsyncExitStack()  # what is open, the latest to be closed first
        self._main: asyncio.Task[None] | None = None
        self._tasks: TaskGroup | None = None
        self._sends: outbox.Outbox | None = None
        self._runs: dispatch.Dispatch | None = None
        self.grace = _GRACE_SECONDS  # for calls that a cancel does not end

    async def start(
        self,
        routers: Sequence[tuple[Router[...], Resource | None]],
        *,
        plans: bool,
        works: bool = True,
        sends: bool = True,
    ) -> None:
        """Open the store and begin to work; a start that fails leaves nothing open.

        Without ``sends`` it reads what comes in, and leaves all other work to other processes.
        """
        try:
            await self._open(works, sends)
            for router, resource in routers:
                await self.include(router, resource)
            if plans:
                self.plan()
        except BaseException:
            await self._give_up()
            raise

    async def _open(self, works: bool, sends: bool) -> None:
        await self.store.open()
        self._closing.push_async_callback(self.store.close)
        self._closing.push_async_callback(self._read.close)
        self._closing.push_async_callback(self.resources.close)
        self.actions = LocalActions(
            self.store, self.notify, self.settings, self._providers, self.addresses
        )
        self.parts = self._parts()
        self._closing.push_async_callback(self.parts.parser.close)
        self.edges = Edges(self.accept, self.parts, self)
        await self.notify.start()
        started = anyio.Event()
        # A task of its own, awaited in ``stop``: anyio's scopes must not cross the user's,
        # and test frameworks enter and leave a fixture in different tasks.
        self._main = asyncio.create_task(self._work(started, works, sends), name="inboxkit")
        self._closing.callback(self.store.bell.close)  # once no step waits there any more
        self._closing.push_async_callback(self._end, self._main)
        self._closing.push_async_callback(self.edges.close)
        await self._started(self._main, started)

    async def _give_up(self) -> None:
        """Close what a failed start has opened; its own error is the one to be raised."""
        try:
            await self._close()
        except Exception as error:  # noqa: BLE001 - see above
            log.warning("after a start that failed: %s", fault(error))

    def _parts(self) -> Parts:
        """Return what the HTTP routes work on."""
        return Parts(
            settings=self.settings,
            store=self.store,
            actions=self.actions,
            addresses=self.addresses,
            notify=self.notify,
            feedback=self.feedback,
            resolver=lambda: self.resolver,
            live=Live(self.store, self.notify, self.actions),
            receive=self.receive,
        )

    async def _started(self, main: asyncio.Task[None], started: anyio.Event) -> None:
        waiting = asyncio.ensure_future(started.wait())
        try:
            await asyncio.wait({waiting, main}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self.failure is not None:
            raise _first(self.failure)

    async def _work(self, started: anyio.Event, works: bool, sends: bool) -> None:
        try:
            await self._steps(started, works, sends)
        except (Exception, BaseExceptionGroup) as failure:
            self._fail(failure)
            raise

    def _fail(self, failure: BaseException) -> None:
        """A step broke: say so, end ``serve``, and wake every wait, which would never end."""
        log.critical("the runtime has stopped", exc_info=failure)
        self.failure = failure
        self.store.bell.fail(failure)
        self.stopping.set()

    def check(self) -> None:
        """Raise InboxKitError when a step has broken, so that nothing is done any more."""
        if self.failure is not None:
            raise stopped(self.failure)

    async def _steps(self, started: anyio.Event, works: bool, sends: bool) -> None:
        async with AsyncExitStack() as connections, anyio.create_task_group() as tasks:
            self._tasks = tasks
            self._outbox = outbox.Outbox(
                self.store, self.accept, self._providers, self.settings, tasks
            )
            tasks.start_soon(self.store.keep_alive)
            tasks.start_soon(self.notify.run)
            guard = Guard(self.settings.egress_networks)
            self._posts = self._posting(guard, tasks)
            self._mailgun = MailgunPosts(
                self.store, guard, self.actions, lambda: self.resolver, tasks
            )
            for step in (self._outbox.transport, self._posts, self._mailgun):
                connections.push_async_callback(step.close)
            if works:
                tasks.start_soon(watchdog.watch)
                self._read.join(tasks)
                self._consume("read", self._read.work, self._read.room)
            if works and sends:
                self._send_and_tell(tasks)
            started.set()

    def _send_and_tell(self, tasks: TaskGroup) -> None:
        tasks.start_soon(Fanout(self.store, wanted_as).run)
        self._consume("post", self._posts.work, self._posts.room)
        tasks.start_soon(MailgunLog(self.store, self.addresses, self.actions).run)
        self._consume(MAILGUN, self._mailgun.work, self._mailgun.room)
        tasks.start_soon(Janitor(self.store, self.settings).run)
        webhooks = self.feedback.readers(tasks)
        self._consume("webhook", webhooks.work, webhooks.room)
        tasks.start_soon(try_anew, self.store)
        self._consume("send", self._outbox.work, self._outbox.room)
        due = drafting.Drafting(self.store, self.actions)
        self._consume("draft", due.work, lambda: drafting.BATCH)
        self._sends = self._outbox

    def _posting(self, guard: Guard, tasks: TaskGroup) -> Posts:
        """Return what posts events to the endpoints of outgoing webhooks."""
        payloads = Payloads(self.store, self.actions)
        return Posts(self.store, guard, payloads.body, tasks)

    def plan(self) -> None:
        """Begin to plan messages and to call handlers."""
        if self._runs is not None:
            return
        assert self._tasks is not None
        runs = dispatch.Dispatch(self.store, self.handlers, self.actions, self._tasks)
        self._consume("run", runs.work, runs.room, runs.full)
        self._runs = runs
        plans = plan.Plan(self.store, self.handlers, self.actions)
        self._consume("plan", plans.work, lambda: plan.BATCH)
        timers = remind.Remind(self.store, self.handlers)
        self._consume("timer", timers.work, lambda: remind.BATCH)

    def _consume(
        self,
        kind: str,
        work: Any,
        room: Callable[[], int],
        full: Callable[[], Collection[int]] = tuple,
    ) -> None:
        def room_left() -> int:
            return 0 if self.stopping.is_set() else room()

        assert self._tasks is not None
        self._tasks.start_soon(Consumer(self.store, kind, work, room_left, full).run)

    async def include(self, router: Router[...], resource: Resource | None = None) -> None:
        """Load a router, with its resource entered."""
        opened = resource or router.resource
        if opened is None:
            self.handlers.add(router)
        else:
            self.handlers.add(router, await self.resources.enter(opened))

    @property
    def _busy(self) -> Sequence[dispatch.Dispatch | outbox.Outbox]:
        """The steps whose work takes long, and waits for a turn."""
        return [step for step in (self._runs, self._sends) if step is not None]

    async def drain(self, seconds: float) -> None:
        """Take nothing new, and let handlers and sends that are under way finish.

        What takes longer than ``seconds`` is cut off by ``stop`` and taken up again later.
        """
        end = anyio.current_time() + seconds
        await self._take_no_more()
        await self.edges.close(seconds)  # handlers and sends go on meanwhile
        with anyio.CancelScope(deadline=end):
            for step in self._busy:
                await step.crew.idle()
        self.grace = min(self.grace, _CUT_OFF_SECONDS)

    async def stop(self) -> None:
        """Close the ports, finish what is under way, give back what is leased."""
        await self._close()
        self.check()  # a step that broke must not go unseen

    async def _take_no_more(self) -> None:
        """Begin nothing from now on, and leave to others what waits to be begun."""
        self.time.begin()
        self.stopping.set()
        self.store.takers.close()
        unbegun = [job for step in self._busy for job in step.crew.close()]
        await leave_to_others(self.store, unbegun)

    async def _close(self) -> None:
        await uninterrupted(self._close_all())  # a timeout around it must leave nothing open

    async def _close_all(self) -> None:
        await self._take_no_more()
        await self._closing.aclose()

    async def _end(self, main: asyncio.Task[None]) -> None:
        runs, sends = self._runs, self._sends
        await ending.end(main, self.store, runs=runs, sends=sends, time=self.time, grace=self.grace)

    async def problem(self) -> str:
        """Return why this process cannot take mail, "" when it can."""
        if self._main is None or self._main.done():
            return str(stopped(self.failure)) if self.failure else "the runtime has stopped"
        try:
            async with self.store.patience.within(_PROBE_SECONDS):
                await self.store.write_lightly(try_room)
        except InboxKitError as error:
            return str(error)
        return ""

    async def inbox(
        self,
        address: str | None,
        *,
        since: datetime | timedelta | None,
        display_name: str = "",
        metadata: Mapping[str, Any] | None = None,
        client_id: str | None = None,
        expires: timedelta | None = None,
        aliases: Sequence[str] = (),
    ) -> Inbox:
        """Return an inbox; see ``InboxKit.inbox``."""
        now = self.clock.now()
        wanted = address or f"{encode(new_id())}@{self.settings.domain}"
        check_address(wanted)
        known = await self.store.read(_known, wanted, client_id)
        asked = {
            "display_name": display_name,
            "metadata": metadata,
            "client_id": client_id,
            "expires_at": None if expires is None else now + expires,
            "aliases": aliases,
        }
        made = await deletion.make_inbox(self.store, wanted, now, asked)
        mark = now - since if isinstance(since, timedelta) else since
        if mark is None and known is not None:
            mark = now
        return self.opened(made, mark)

    def opened(self, record: InboxRecord, since: datetime | None) -> Inbox:
        """Return an inbox from its record."""
        return Inbox(
            record.address, record.display_name, record.metadata, since, actions=self.actions
        )

    async def receive(self, raw: bytes, mail_from: str, rcpt_to: Sequence[str]) -> Message:
        """Accept a mail and return it once it is read; raise InboxKitError when closed before."""
        pairs = await self.accept.mail(raw, mail_from=mail_from, rcpt_to=rcpt_to)
        wanted = public_id("msg", pairs[0][0])
        while True:
            seen = self.notify.bell.count("any")
            message = await self.actions.message(wanted)
            if message.state != "stored":
                return message
            await self.notify.bell.wait("any", seen, timeout=5)

    def events(self, after: str | None) -> AsyncIterator[Event]:
        """Iterate over the log from a cursor, or from the moment of this call."""
        start = self.notify.cursor if after is None else _place(after)
        return self.notify.follow(self.actions, start)


def _known(connection: Connection, address: str, client_id: str | None) -> InboxRecord | None:
    found = inboxes.find(connection, address)
    if found is None and client_id is not None:
        found = inboxes.find_client(connection, client_id)
    return found


def _place(cursor: str) -> int:
    try:
        return events.cursor_seq(cursor)
    except ValueError as error:
        raise NotFound(f"no event {cursor}: {error}") from None


def check_address(address: str) -> None:
    """Raise ConfigurationError for what cannot be an inbox's address."""
    try:
        checked_address(address)
    except ValueError as error:
        raise ConfigurationError(f"inbox {address!r}: {error}") from None


def _first(failure: BaseException) -> BaseException:
    """Return what went wrong first, out of the groups that task groups make."""
    while isinstance(failure, BaseExceptionGroup):
        failure = cast("BaseExceptionGroup[BaseException]", failure).exceptions[0]
    return failure

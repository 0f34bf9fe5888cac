"""InboxKit: the runtime. Wires the parts, starts them and stops them."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from .clock import Clock
from .errors import ConfigurationError, NotFound
from .inbox import check_asked
from .pipeline import configured
from .pipeline.handlers import check_patterns
from .router import Router, checked_resource, checked_router
from .runtime import Runtime
from .settings import Settings, checked, load
from .values import check_text, recipients

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
    from datetime import datetime, timedelta

    from aiohttp.web import Application

    from .inbox import Inbox
    from .models import Event, Message, Thread
    from .pipeline.resources import Resource
    from .router import Resource as Opener
    from .values import Recipients, WebhookResponse

R = TypeVar("R")

EXAMPLE_DOMAIN = "inbox.example"


class InboxKit:
    """Programmatic inboxes in this process: an async context manager.

    It opens a port only if ``smtp=`` or ``http=`` is given; ``serve`` opens the configured ones.
    Other settings come from ``INBOXKIT_*`` and ``inboxkit.toml``, or are those of ``settings=``,
    where ``smtp=`` and ``http=`` stand above them. The runtime is asyncio.
    """

    def __init__(
        self,
        *routers: Router[...],
        database: str | None = None,
        provider: str | Sequence[str] | None = None,
        domain: str | None = None,
        smtp: str | None = None,
        http: str | None = None,
        settings: Settings | None = None,
        clock: Clock | None = None,
    ) -> None:
        given = {"database": database, "provider": provider, "domain": domain}
        asked = {k: v for k, v in given.items() if v is not None}
        ports = {k: v for k, v in {"smtp": smtp, "http": http}.items() if v is not None}
        if settings is not None and asked:
            raise ConfigurationError(f"InboxKit: settings= and {', '.join(asked)}= are both given")
        self.settings = load(asked | ports) if settings is None else _at_ports(settings, ports)
        self.clock = clock or Clock()
        self._ports = ports
        self._included: list[tuple[Router[...], Resource | None]] = []
        self._included += [(checked_router(r), None) for r in routers]
        self._mounts: dict[str, Callable[[Application], None]] = {}
        self._plans = bool(routers)
        self._works = True
        self._sends = True
        self._runtime: Runtime | None = None
        self._is_starting = False

    @overload
    def include(self, router: Router[...], /) -> None: ...
    @overload
    def include(self, router: Router[[R]], /, *, resource: Opener[R]) -> None: ...
    def include(self, router: Any, /, *, resource: Any = None) -> None:
        """Add a router; ``resource`` replaces the one that it was made with, as tests do."""
        if self._runtime is not None:
            raise ConfigurationError("include: the kit is running; include before `async with`")
        self._included.append((checked_router(router), checked_resource(resource)))
        self._plans = True

    @property
    def routers(self) -> Sequence[Router[...]]:
        """The routers that were given or included."""
        return [router for router, _ in self._included]

    def mount(self, path: str, add: Callable[[Application], None]) -> None:
        """Have ``add`` serve something at a path of the HTTP port; before the kit starts."""
        if self._runtime is not None:
            raise ConfigurationError("mount: the kit is running; mount before `async with`")
        self._mounts[path] = add

    def plan_messages(self) -> None:
        """Take planning on even without routers: mail that no handler wants is done with."""
        self._plans = True

    def only_look(self) -> None:
        """Take no work: read and wait only, and leave the rest to other processes."""
        self._works = False

    def only_read(self) -> None:
        """Take no work but to read what comes in: what waits to be sent is left to others."""
        self._sends = False

    async def __aenter__(self) -> Self:
        check_loop()
        if self._runtime is not None or self._is_starting:
            raise ConfigurationError("the kit is running already; make another InboxKit")
        self._is_starting = True
        try:
            await self._start()
        finally:
            self._is_starting = False
        return self

    async def _start(self) -> None:
        check_patterns([router for router, _ in self._included])
        providers = configured.configure(self.settings)
        check_domain(self.settings)
        runtime = Runtime(self.settings, self.clock, providers)
        works = self._works and "worker" in self.settings.role
        routers = self._included if works else ()
        plans = self._plans and works and self._sends
        await runtime.start(routers, plans=plans, works=works, sends=self._sends)
        self._runtime = runtime
        try:
            for add in self._mounts.values():
                runtime.edges.mount(add)
            await runtime.edges.open(
                smtp=self.settings.smtp if "smtp" in self._ports else "",
                http=self.settings.http if "http" in self._ports else "",
            )
        except BaseException:
            await self.__aexit__()
            raise

    async def __aexit__(self, *exc: object) -> None:
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            await runtime.stop()

    @property
    def runtime(self) -> Runtime:
        """The running parts; raise ConfigurationError before ``async with``.

        Raise InboxKitError when a background step has broken; the log has its traceback.
        """
        if self._runtime is None:
            raise ConfigurationError("the kit is not running; use `async with InboxKit() as kit:`")
        self._runtime.check()
        return self._runtime

    @property
    def smtp_address(self) -> tuple[str, int]:
        """Host and port of the SMTP listener."""
        runtime = self.runtime
        with _told_of(self.settings.smtp):
            return runtime.edges.smtp_address

    @property
    def url(self) -> str:
        """Where HTTP is served."""
        runtime = self.runtime
        with _told_of(self.settings.http):
            return runtime.edges.url

    async def inbox(
        self,
        address: str | None = None,
        *,
        display_name: str = "",
        metadata: Mapping[str, Any] | None = None,
        client_id: str | None = None,
        expires: timedelta | None = None,
        since: datetime | timedelta | None = None,
        aliases: Sequence[str] = (),
    ) -> Inbox:
        """Return the inbox of an address, made if it is new; without one, a new address.

        A new inbox's waits see everything; those of one that was there see what comes from now on,
        or from ``since``.
        """
        texts = {"address": address, "display_name": display_name, "client_id": client_id}
        others = recipients(aliases)
        check_asked(since=since, metadata=metadata, expires=expires, aliases=others, **texts)
        return await self.runtime.inbox(
            address,
            since=since,
            display_name=display_name,
            metadata=metadata,
            client_id=client_id,
            expires=expires,
            aliases=others,
        )

    async def message(self, id: str) -> Message:
        """Return a message; raise NotFound."""
        return await self.runtime.actions.message(id)

    async def thread(self, id: str) -> Thread:
        """Return a thread; raise NotFound."""
        try:
            return await self.runtime.actions.thread(id)
        except ValueError as error:
            raise NotFound(f"no thread {id}: {error}") from None

    def search(self, query: str = "", *, limit: int | None = None) -> AsyncIterator[Message]:
        """Iterate over the messages of all inboxes that match, newest first."""
        return self.runtime.actions.search(None, query, limit)

    def events(self, *, after: str | None = None) -> AsyncIterator[Event]:
        """Iterate over the event log from a cursor (an event's id), or from now on.

        It ends when the kit is closed. Waits that are under way then raise InboxKitError.
        """
        if after is not None:
            check_text("events: after", after)
        return self.runtime.events(after)

    async def receive(self, raw: bytes, *, mail_from: str, rcpt_to: Recipients) -> Message:
        """Take a mail in as if it had come by SMTP; return it once it is stored and read.

        Raise NotFound when no inbox takes it, InboxKitError when the kit is closed meanwhile.
        """
        check_text("receive: mail_from", mail_from)
        return await self.runtime.receive(_bytes(raw), mail_from, _recipients(rcpt_to))

    async def webhook(
        self, provider: str, method: str, headers: Mapping[str, str], query: str, body: bytes
    ) -> WebhookResponse:
        """Take a provider's webhook that another web framework received; return what to answer.

        ``body`` is as it came, byte by byte: its signature is checked. A wrong one is answered, not
        raised.
        """
        return await self.runtime.feedback.receive(provider, method, headers, query, body, "")

    async def serve(self) -> None:
        """Open the configured ports and run until cancelled, or until ``stop`` is called.

        Raise InboxKitError when a background step breaks.
        """
        runtime = self.runtime
        await runtime.edges.open(smtp=self.settings.smtp, http=self.settings.http)
        await runtime.stopping.wait()
        runtime.check()

    @property
    def is_stopping(self) -> bool:
        """Whether the kit was told to stop, or is not running at all."""
        return self._runtime is None or self._runtime.stopping.is_set()

    def stop(self) -> None:
        """Make ``serve`` return."""
        if self._runtime is not None:
            self._runtime.stopping.set()


def _bytes(raw: Any) -> bytes:
    """Return a mail; raise ConfigurationError for one that was decoded already."""
    if isinstance(raw, (bytes, bytearray)):
        return bytes(raw)
    raise ConfigurationError(f"receive: raw: bytes are wanted, not {type(raw).__name__}")


def _recipients(given: Recipients) -> tuple[str, ...]:
    found: tuple[Any, ...] = recipients(given)
    if not found or not all(isinstance(one, str) for one in found):
        raise ConfigurationError(f"receive: rcpt_to={given!r} must be one address or more, as text")
    for one in found:
        check_text("receive: rcpt_to", one)
    return found


def _at_ports(settings: Settings, ports: Mapping[str, str]) -> Settings:
    """Return the settings with these ports in place of their own; raise ConfigurationError."""
    given: Any = settings
    if not isinstance(given, Settings):
        raise ConfigurationError(f"InboxKit: settings={type(given).__name__}: write Settings(...)")
    checked(ports)
    return settings.model_copy(update=ports)


@contextmanager
def _told_of(configured: str) -> Generator[None]:
    """Say of a port that is not open when the one of the settings would be."""
    try:
        yield
    except ConfigurationError as error:
        if not configured:
            raise
        told = f"{error}; serve() opens that of the settings, {configured}"
        raise ConfigurationError(told) from None


def check_loop() -> None:
    """Refuse an event loop that is not asyncio's, with the way out.

    Trio may run as a guest in asyncio's loop; its tasks are none of asyncio's.
    """
    try:
        found = asyncio.current_task()
    except RuntimeError:
        found = None
    if found is None:
        raise ConfigurationError(
            "InboxKit needs asyncio; from trio use inboxkit.client.Client on a running server, "
            "or in tests the `sandbox` fixture"
        )


def check_domain(settings: Settings) -> None:
    """Refuse to send from the example domain through a provider that reaches people."""
    real = [name for name in settings.provider if name != "memory"]
    if real and settings.domain == EXAMPLE_DOMAIN:
        raise ConfigurationError(
            f"domain: {EXAMPLE_DOMAIN} is an example and cannot send through {real[0]}; "
            "set domain (INBOXKIT_DOMAIN) to your own"
        )

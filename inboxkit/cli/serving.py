"""The command ``run``, and what it shares with ``dev``: the kit, the ports, how it all ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import re
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import click

from .. import discovery, matching
from ..addresses import check_address
from ..errors import ConfigurationError
from ..kit import InboxKit
from ..listening import raise_limit
from ..pipeline.handlers import check_patterns
from ..settings import Settings, checked
from ..store import inboxes as store_inboxes
from .ending import run_leaving
from .mounting import PATH, mounted
from .opening import flags_of, handlers_folder, is_app, log_to_stderr, settings_of
from .opening import run as run_async
from .supervising import Channel, Supervisor, bind, channel, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence

    from ..edges import Shared
    from ..router import Router

log = logging.getLogger("inboxkit.run")
SMTP, HTTP = "127.0.0.1:1025", "127.0.0.1:8025"
_STOP_SECONDS = 30.0
_SET = re.compile(r"\[([^]!])[^]]*\]")  # of a glob, such as [abc]

smtp_option = click.option(
    "--smtp",
    metavar="HOST:PORT",
    help=f"Where SMTP is; {SMTP} by default. Port 0 takes a free one.",
)
http_option = click.option(
    "--http",
    metavar="HOST:PORT",
    help=f"Where HTTP is; {HTTP} by default. Port 0 takes a free one.",
)
handlers_argument = click.argument("handlers", required=False)
role_option = click.option(
    "--role", metavar="ROLES", help="One or more of smtp,http,worker; all by default."
)
workers_option = click.option(
    "--workers", metavar="N", help="So many processes share the ports; 1 by default."
)


@click.command()
@handlers_argument
@smtp_option
@http_option
@role_option
@workers_option
@click.pass_context
def run(ctx: click.Context, /, **flags: str | None) -> None:
    """Run in earnest: mail for known inboxes is taken, HANDLERS are called.

    HANDLERS is a folder (`handlers` by default) or `package.module:kit` of your own.
    """
    settings, given = settings_of(ctx, **flags), flags_of(ctx, **flags)
    log_to_stderr(settings)
    raise_limit()
    joined = channel()
    if joined is None:
        chosen = make_kit(settings, given).settings if is_app(settings.handlers) else settings
        if chosen.workers > 1:
            sys.exit(run_async(supervise(chosen)))
    run_leaving(ctx, lambda: _serve(make_kit(settings, given), joined))


async def _serve(kit: InboxKit, joined: Channel | None) -> None:
    with stop_signals(supervised=joined is not None) as told:
        async with contextlib.AsyncExitStack() as stack:
            await first(told.wait, partial(_start, stack, kit, joined))
            if told.is_set():
                return
            gc.collect()
            gc.freeze()  # what the start has made lives to the end: no collection need walk it
            announce(kit) if joined is None else joined.ready()
            await first(told.wait, kit.serve, *((joined.closed,) if joined else ()))
            drain = partial(kit.runtime.drain, _STOP_SECONDS)
            await first(drain, *((joined.cut_off,) if joined and told.is_set() else ()))


async def _start(stack: contextlib.AsyncExitStack, kit: InboxKit, joined: Channel | None) -> None:
    await stack.enter_async_context(kit)
    if joined is None or joined.is_first:
        await _warn_unreachable(kit)
    await listen(kit, joined.shared if joined else None)


async def supervise(settings: Settings, module: str = "inboxkit") -> int:
    """Run workers, each as ``-m module``, until told to stop; return the exit code."""
    if sys.platform == "win32":
        raise ConfigurationError("workers: more than one process needs Linux or macOS")
    smtp, http = binds(settings)
    sockets = await bind(smtp, http, settings.workers)
    supervisor = Supervisor(sockets, module)
    with stop_signals() as told:
        try:
            await first(told.wait, supervisor.start)
            if not told.is_set() and not supervisor.failed:
                say_ready(shown(sockets[0].get("smtp")), shown(sockets[0].get("http")))
                await first(told.wait, supervisor.keep)
        finally:
            await supervisor.stop()
    return supervisor.failed


def make_kit(settings: Settings, flags: Mapping[str, Any]) -> InboxKit:
    """Return the kit with the handlers of the settings; raise ConfigurationError for broken ones.

    A kit that ``handlers`` names as ``package.module:kit`` has settings of its own; flags win.
    """
    if is_app(settings.handlers):
        found = discovery.load_app(settings.handlers)
        if not isinstance(found, InboxKit):
            raise ConfigurationError(f"handlers: {settings.handlers} is no InboxKit")
        found.settings = checked({**found.settings.model_dump(), **flags})
        kit = found
    else:
        works = "worker" in settings.role
        routers = discovery.load(handlers_folder(settings)) if works else []
        check_patterns(routers)
        kit = InboxKit(*routers, settings=settings)
    kit.plan_messages()
    if kit.settings.mcp and "http" in kit.settings.role:
        kit.mount(PATH, mounted(kit.settings))
    return kit


def binds(settings: Settings) -> tuple[str, str]:
    """Return where to listen: where the settings say or at the usual places, "" for nowhere."""
    smtp, http = settings.smtp or SMTP, settings.http or HTTP
    return smtp if "smtp" in settings.role else "", http if "http" in settings.role else ""


async def listen(kit: InboxKit, shared: Shared | None = None) -> None:
    """Open the ports of this process's roles."""
    smtp, http = binds(kit.settings)
    await kit.runtime.edges.open(smtp=smtp, http=http, shared=shared)


def announce(kit: InboxKit) -> None:
    """Say in one line on standard output where the ports are."""
    smtp, http = binds(kit.settings)
    say_ready(smtp_bind(kit) if smtp else "-", kit.url.partition("://")[2] if http else "-")


def say_ready(smtp: str, http: str) -> None:
    """Print the line that says where the ports are; "-" for one that is not open."""
    click.echo(f"ready smtp={smtp} http={http if http == '-' else f'http://{http}'}")
    sys.stdout.flush()


def smtp_bind(kit: InboxKit) -> str:
    """Return ``HOST:PORT`` of the SMTP listener, with brackets around an IPv6 address."""
    host, port = kit.smtp_address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextlib.contextmanager
def stop_signals(*, supervised: bool = False) -> Generator[anyio.Event]:
    """Yield what the first SIGTERM or SIGINT sets; the second one ends the process at once.

    A ``supervised`` process takes more of them for the same: systemd tells every process of a
    service, and the supervisor passes on what it was told.
    """
    told, loop = anyio.Event(), asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def signalled(number: signal.Signals) -> None:
        if told.is_set():
            return
        for each in () if supervised else numbers:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        log.info("stopping (%s)", number.name)
        told.set()

    for number in numbers:
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl+C cancels what runs
            loop.add_signal_handler(number, signalled, number)
    yield told


async def first(*functions: Callable[[], Awaitable[object]]) -> None:
    """Run functions together; when one returns, cancel the others."""

    async def one(function: Callable[[], Awaitable[object]]) -> None:
        await function()
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for function in functions:
            tasks.start_soon(partial(one, function))


async def _warn_unreachable(kit: InboxKit) -> None:
    """Warn of each handler whose ``to=`` matches no inbox, and say which command makes it."""
    settings, routers = kit.settings, kit.runtime.handlers.routers
    for one, other in matching.overlapping(routers):
        log.warning("%s and %s may both answer a message", one.id, other.id)
    if settings.any_recipient or settings.catch_all:
        return
    known = [r.address for r in await kit.runtime.store.read(store_inboxes.everything)]
    for router, pattern, address in without_inbox(routers, known, settings.domain):
        log.warning(
            "%s: no inbox matches to=%r; make it with: inboxkit inbox create %s",
            router.name,
            pattern,
            address,
        )


def without_inbox(
    routers: Sequence[Router[...]], known: Sequence[str], domain: str
) -> Iterator[tuple[Router[...], str, str]]:
    """Iterate over the ``to=`` that match no known address, and an address that each would take."""
    for router in routers:
        wanted = {h.filters.to for h in router.handlers if isinstance(h.filters.to, str)}
        for pattern in sorted(wanted - {"*"}):
            if not any(matching.matches(pattern, address) for address in known):
                yield router, pattern, _example(pattern, domain)


def _example(pattern: str, domain: str) -> str:
    """Return an address that a glob takes, or a word for one where none is found."""
    local, _, host = pattern.rpartition("@")
    begun = f"{local}@{domain if host == '*' else host}".replace("?", "1")
    for stand_in in ("", "mail"):
        address = _SET.sub(r"\1", begun).replace("*", stand_in)
        with contextlib.suppress(ValueError):
            if matching.matches(pattern, check_address(address)):
                return address
    return "ADDRESS"

"""The command ``run``, and what it shares with ``dev``: the kit, the ports, how it all ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from .. import discovery, matching
from ..errors import ConfigurationError
from ..kit import InboxKit
from ..pipeline.handlers import check_patterns
from ..settings import Settings, checked
from ..store import inboxes as store_inboxes
from .opening import flags_of, log_to_stderr, settings_of
from .opening import run as run_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

log = logging.getLogger("inboxkit.run")
SMTP, HTTP = "127.0.0.1:1025", "127.0.0.1:8025"
_APP = re.compile(r"[\w.]+:[\w.]+")
_STOP_SECONDS = 30.0

smtp_option = click.option("--smtp", metavar="HOST:PORT", help=f"SMTP; {SMTP}, port 0: any.")
http_option = click.option("--http", metavar="HOST:PORT", help=f"HTTP; {HTTP}, port 0: any.")
handlers_argument = click.argument("handlers", required=False)


@click.command()
@handlers_argument
@smtp_option
@http_option
@click.pass_context
def run(ctx: click.Context, /, **flags: str | None) -> None:
    """Run in earnest: mail for known inboxes is taken, HANDLERS are called.

    HANDLERS is a folder (``handlers`` by default) or ``package.module:kit`` of your own.
    """
    settings = settings_of(ctx, **flags)
    log_to_stderr(settings)
    run_async(_serve(make_kit(settings, flags_of(ctx, **flags))))


async def _serve(kit: InboxKit) -> None:
    with stop_signals() as told:
        async with kit:
            await _warn_unreachable(kit)
            await listen(kit)
            announce(kit)
            await first(told.wait, kit.serve)
            await kit.runtime.drain(_STOP_SECONDS)


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
        routers = discovery.load(Path(settings.handlers))
        check_patterns(routers)
        kit = InboxKit(*routers, settings=settings)
    kit.plan_messages()
    return kit


def is_app(handlers: str) -> bool:
    """Whether ``handlers`` names a kit, as ``package.module:kit``, and no folder."""
    return _APP.fullmatch(handlers) is not None and not Path(handlers).is_dir()


async def listen(kit: InboxKit) -> None:
    """Open both ports, where the settings say or at the usual places."""
    smtp, http = kit.settings.smtp or SMTP, kit.settings.http or HTTP
    await kit.runtime.edges.open(smtp=smtp, http=http)


def announce(kit: InboxKit) -> None:
    """Say in one line on standard output where the ports are."""
    click.echo(f"ready smtp={smtp_bind(kit)} http={kit.url}")
    sys.stdout.flush()


def smtp_bind(kit: InboxKit) -> str:
    """Return ``HOST:PORT`` of the SMTP listener, with brackets around an IPv6 address."""
    host, port = kit.smtp_address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextlib.contextmanager
def stop_signals() -> Generator[anyio.Event]:
    """Yield what the first SIGTERM or SIGINT sets; the second one ends the process at once."""
    told, loop = anyio.Event(), asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def signalled(number: signal.Signals) -> None:
        for each in numbers:
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
    for router in routers:
        wanted = {h.filters.to for h in router.handlers if isinstance(h.filters.to, str)}
        for pattern in sorted(wanted - {"*"}):
            if not any(matching.matches(pattern, address) for address in known):
                log.warning(
                    "%s: no inbox matches to=%r; make it with: inboxkit inbox create %s",
                    router.name,
                    pattern,
                    pattern.replace("@*", f"@{settings.domain}"),
                )

"""Commands that serve: run in earnest, dev with reload."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from .. import discovery, matching
from ..errors import ConfigurationError
from ..kit import InboxKit
from ..store import inboxes as store_inboxes
from ..values import EventType
from .opening import log_to_stderr, settings_of
from .opening import run as run_async
from .printing import message_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from anyio.abc import TaskGroup

    from ..router import Router
    from ..settings import Settings

log = logging.getLogger("inboxkit.run")
_SMTP, _HTTP = "127.0.0.1:1025", "127.0.0.1:8025"
_STOP_SECONDS = 30.0
_smtp = click.option("--smtp", metavar="HOST:PORT", help=f"SMTP listener; {_SMTP}, port 0: any.")
_http = click.option("--http", metavar="HOST:PORT", help=f"HTTP; {_HTTP}, port 0: any.")
_folder = click.argument("handlers", required=False)


@click.command()
@_folder
@_smtp
@_http
@click.pass_context
def run(ctx: click.Context, handlers: str | None, smtp: str | None, http: str | None) -> None:
    """Run in earnest: mail for known inboxes is taken, HANDLERS are called.

    HANDLERS is a folder (``handlers`` by default) or ``package.module:kit`` of your own.
    """
    run_async(_serve(_settings(ctx, handlers, smtp, http)))


@click.command()
@_folder
@_smtp
@_http
@click.option("--no-reload", is_flag=True, help="Do not watch the handlers for changes.")
@click.pass_context
def dev(
    ctx: click.Context, handlers: str | None, smtp: str | None, http: str | None, no_reload: bool
) -> None:
    """Run for development: any recipient is taken, arrivals are printed, handlers reload."""
    settings = _settings(ctx, handlers, smtp, http, any_recipient=True)
    run_async(_develop(settings, reload=not no_reload))


def _settings(
    ctx: click.Context, handlers: str | None, smtp: str | None, http: str | None, **more: Any
) -> Settings:
    settings = settings_of(ctx, handlers=handlers, smtp=smtp, http=http, **more)
    ports = {"smtp": settings.smtp or _SMTP, "http": settings.http or _HTTP}
    return settings.model_copy(update=ports)


async def _serve(settings: Settings) -> None:
    log_to_stderr(settings)
    kit = make_kit(settings)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_on_signal, kit, tasks)
        async with kit:
            await _warn_unreachable(kit, settings)
            await _announce(kit)
            await kit.serve()
        tasks.cancel_scope.cancel()


def make_kit(settings: Settings) -> InboxKit:
    """Return the kit with the handlers of the settings; a broken one stops the start."""
    if ":" in settings.handlers:
        found = discovery.load_app(settings.handlers)
        if not isinstance(found, InboxKit):
            raise ConfigurationError(f"handlers: {settings.handlers} is no InboxKit")
        return found
    kit = InboxKit(settings=settings)
    for router in discovery.load(Path(settings.handlers)):
        kit.include(router)
    kit.plan_messages()
    return kit


async def _announce(kit: InboxKit) -> None:
    """Open the ports, then say in one line where they are."""
    edges = kit.runtime.edges
    await edges.open(smtp=kit.settings.smtp, http=kit.settings.http)
    host, port = edges.smtp_address
    click.echo(f"ready smtp={host}:{port} http={edges.url}")
    sys.stdout.flush()


async def _stop_on_signal(kit: InboxKit, tasks: TaskGroup) -> None:
    """The first SIGTERM or SIGINT stops gracefully, the second at once."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("stopping (%s)", signal.Signals(number).name)
            if kit.is_stopping:
                tasks.cancel_scope.cancel()
                return
            kit.stop()


async def _warn_unreachable(kit: InboxKit, settings: Settings) -> None:
    """Warn of each handler whose ``to=`` matches no inbox, and say which command makes it."""
    if settings.any_recipient or settings.catch_all:
        return
    known = [r.address for r in await kit.runtime.store.read(store_inboxes.everything)]
    for router in kit.runtime.handlers.routers:
        wanted = {h.filters.to for h in router.handlers if isinstance(h.filters.to, str)}
        for pattern in sorted(wanted - {"*"}):
            if not any(matching.matches(pattern, address) for address in known):
                address = pattern.replace("*", settings.domain) if "@*" in pattern else pattern
                log.warning(
                    "%s: no inbox matches to=%r; make it with: inboxkit inbox create %s",
                    router.name,
                    pattern,
                    address,
                )
    for first, second in matching.overlapping(kit.runtime.handlers.routers):
        log.warning("%s and %s may both answer a message", first.id, second.id)


async def _develop(settings: Settings, *, reload: bool) -> None:
    """Run; on each change of the handlers stop and run anew, on the same ports."""
    log_to_stderr(settings)
    while True:
        changed = False
        async with anyio.create_task_group() as tasks:
            kit = make_kit(settings)
            tasks.start_soon(_stop_on_signal, kit, tasks)
            async with kit:
                await _announce(kit)
                host, port = kit.smtp_address
                port_http = kit.url.rpartition(":")[2]
                settings = settings.model_copy(
                    update={"smtp": f"{host}:{port}", "http": f"127.0.0.1:{port_http}"}
                )
                tasks.start_soon(_print_events, kit)
                async with _watched(settings, reload) as watch:
                    changed = await _until_stopped_or_changed(kit, watch)
            tasks.cancel_scope.cancel()
        if not changed:
            return
        click.echo("handlers changed, loading them again", err=True)
        discovery.forget()


async def _print_events(kit: InboxKit) -> None:
    async for event in kit.events():
        line = message_line(event.message)
        if event.type == EventType.RECEIVED:
            click.echo(line)
        elif event.type not in (EventType.QUEUED,):
            click.echo(f"{line} ({event.type}{': ' + event.reason if event.reason else ''})")
        sys.stdout.flush()


@contextlib.asynccontextmanager
async def _watched(settings: Settings, reload: bool) -> AsyncIterator[AsyncIterator[Any] | None]:
    folder = Path(settings.handlers)
    try:
        import watchfiles  # the extra ``dev``
    except ImportError:
        watchfiles = None  # type: ignore[assignment]
    if not reload or watchfiles is None or not folder.is_dir():
        yield None
        return
    stop = anyio.Event()
    try:
        yield watchfiles.awatch(folder, stop_event=stop, step=50)
    finally:
        stop.set()


async def _until_stopped_or_changed(kit: InboxKit, watch: AsyncIterator[Any] | None) -> bool:
    """Return whether handlers changed; False when the runtime is to stop."""
    changed = False

    async def look(tasks: TaskGroup) -> None:
        nonlocal changed
        if watch is None:
            return
        async for changes in watch:
            if any(str(path).endswith(".py") for _, path in changes) and _loads(kit):
                changed = True
                kit.stop()
                return

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look, tasks)
        await kit.serve()
        tasks.cancel_scope.cancel()
    return changed


def _loads(kit: InboxKit) -> bool:
    """Whether the changed handlers can be imported; if not, what runs goes on running."""
    discovery.forget()
    try:
        loaded: Sequence[Router[...]] = discovery.load(Path(kit.settings.handlers))
    except ConfigurationError as error:
        cause = error.__cause__
        log.error("handlers not loaded, the old ones go on: %s", error, exc_info=cause)
        return False
    return isinstance(loaded, list)

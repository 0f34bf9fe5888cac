"""The command ``dev``: any recipient is taken, what happens is printed, handlers reload."""

from __future__ import annotations

import contextlib
import logging
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from .. import discovery, matching
from ..egress import LOOPBACK
from ..errors import ConfigurationError
from ..listening import raise_limit
from ..settings import ROLES
from ..store import events as store_events
from ..store import runs as store_runs
from ..tokens import public_id
from ..values import EventType
from .ending import run_leaving
from .opening import flags_of, is_app, log_to_stderr, settings_of
from .printing import flat, message_line, plain
from .routing import takers
from .serving import (
    announce,
    first,
    handlers_argument,
    http_option,
    listen,
    make_kit,
    smtp_bind,
    smtp_option,
    stop_signals,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from ..kit import InboxKit
    from ..models import Event
    from ..settings import Settings

log = logging.getLogger("inboxkit.dev")
_DRAIN_SECONDS = 2.0
_LOOK_SECONDS = 0.5
_RUNS_SHOWN = 100


@click.command()
@handlers_argument
@smtp_option
@http_option
@click.option("--no-reload", is_flag=True, help="Do not watch the handlers for changes.")
@click.pass_context
def dev(ctx: click.Context, /, no_reload: bool, **flags: str | None) -> None:
    """Run for development: any recipient and any login are taken, handlers reload.

    Arrivals are printed, and shown in a browser at the address that is printed.

    HANDLERS is a folder (`handlers` by default) or `package.module:kit` of your own.
    """
    known = settings_of(ctx, **flags)
    open_to: dict[str, Any] = {"any_recipient": True, "role": ROLES}
    open_to |= {} if known.smtp_users else {"smtp_any_login": True}
    open_to |= {} if "http_pages" in known.model_fields_set else {"http_pages": True}
    # Webhooks may go to programs on this machine, beside what the settings allow.
    flags["egress_networks"] = " ".join((*known.egress_networks, *LOOPBACK))
    settings = settings_of(ctx, **open_to, **flags)
    log_to_stderr(settings)
    raise_limit()
    # A file that changes twice in a second, to the same length, would be taken from its cache.
    sys.dont_write_bytecode = True
    given = flags_of(ctx, **open_to, **flags)
    watched = None if no_reload or is_app(settings.handlers) else Path(settings.handlers)
    source = Source(settings, given, watched)
    # Loaded before the event loop runs: there a signal ends what an import waits for.
    run_leaving(ctx, lambda: _develop(source, source.load()))


async def _develop(source: Source, kit: InboxKit) -> None:
    """Run; after each change of the handlers stop and run anew, on the same ports."""
    printer = Printer()
    with stop_signals() as told:
        while True:
            async with contextlib.AsyncExitStack() as stack:
                await first(told.wait, partial(source.start, stack, kit))
                if told.is_set():
                    return
                kit = source.started
                if await printer.begin(kit):
                    announce(kit)
                    _tell_of_pages(kit)
                else:
                    click.echo(source.told(kit), err=True)
                source.keep_ports(kit)
                changed = partial(source.changed, told)
                follow, watch = partial(printer.follow, kit), partial(printer.watch, kit)
                await first(told.wait, kit.serve, follow, watch, changed)
                await kit.runtime.drain(_DRAIN_SECONDS)
            if source.next is None:
                return
            source.last, kit, source.next = kit, source.next, None


def _tell_of_pages(kit: InboxKit) -> None:
    if kit.settings.http_pages:
        click.echo(f"look at mail in a browser: {kit.url}/", err=True)


class Source:
    """Where the handlers come from; looks for changes, and loads them when they can be loaded."""

    def __init__(self, settings: Settings, flags: Mapping[str, Any], folder: Path | None) -> None:
        self._settings = settings
        self._flags = flags
        self._folder = folder
        self._seen: Mapping[Path, tuple[int, int]] = {}
        self.next: InboxKit | None = None
        self.last: InboxKit | None = None  # that ran before
        self._started: InboxKit | None = None

    @property
    def started(self) -> InboxKit:
        """The kit that the last ``start`` has started."""
        assert self._started is not None
        return self._started

    def load(self) -> InboxKit:
        """Return a kit with the handlers as they are now; raise ConfigurationError."""
        self._seen = self._state()
        discovery.forget()
        return make_kit(self._settings, self._flags)

    async def start(self, stack: contextlib.AsyncExitStack, kit: InboxKit) -> None:
        """Start a kit on its ports; when its handlers cannot begin, the one before."""
        self._started = await self._entered(stack, kit)
        await listen(self._started)

    async def _entered(self, stack: contextlib.AsyncExitStack, kit: InboxKit) -> InboxKit:
        """Start a kit; when its handlers cannot begin, such as for a resource, the one before."""
        try:
            return await stack.enter_async_context(kit)
        except Exception:
            if self.last is None:
                raise
            log.exception("back to the old handlers: the new ones cannot begin")
        self.last.settings = kit.settings  # with the ports as they are
        return await stack.enter_async_context(self.last)

    def told(self, kit: InboxKit) -> str:
        """Return what there is to say of a kit that has begun."""
        if kit is self.last:
            return "the old handlers are at work again"
        return "handlers changed and loaded again"

    def keep_ports(self, kit: InboxKit) -> None:
        """Let later kits listen where this one does."""
        ports = {"smtp": smtp_bind(kit), "http": kit.url.partition("://")[2]}
        self._settings = self._settings.model_copy(update=ports)

    async def changed(self, told: anyio.Event) -> None:
        """Return when handlers have changed and are loaded, as ``next``; or when told to stop."""
        async for _ in self._looks(told):
            if self._state() == self._seen:
                continue
            try:
                self.next = self.load()
            except ConfigurationError as error:
                log.error("the old handlers go on: %s", error, exc_info=error.__cause__)
            except Exception:
                log.exception("the old handlers go on: the new ones cannot be loaded")
            else:
                return

    async def _looks(self, told: anyio.Event) -> AsyncGenerator[None]:
        """Yield when it is time to look: twice a second, and at once with the extra ``dev``."""
        if self._folder is None:
            await told.wait()
            return
        while not told.is_set():
            if self._folder.is_dir() and find_spec("watchfiles") is not None:
                from watchfiles import awatch  # the extra, and of no use elsewhere

                at_most = int(_LOOK_SECONDS * 1000)
                watch = awatch(
                    self._folder, stop_event=told, rust_timeout=at_most, yield_on_timeout=True
                )
                async for _ in watch:
                    yield
            await anyio.sleep(_LOOK_SECONDS)
            yield

    def _state(self) -> Mapping[Path, tuple[int, int]]:
        """Return what tells one state of the files from another."""
        state: dict[Path, tuple[int, int]] = {}
        for path in self._folder.rglob("*.py") if self._folder else ():
            with contextlib.suppress(OSError):  # gone in between
                found = path.stat()
                state[path] = (found.st_mtime_ns, found.st_size)
        return state


class Printer:
    """Prints what happens, each event once, however often the handlers are loaded again."""

    def __init__(self) -> None:
        self._after = ""
        self._failures: set[tuple[int, int]] = set()

    async def begin(self, kit: InboxKit) -> bool:
        """Begin with what happens from now on; False when it has begun before."""
        if self._after:
            return False
        self._after = store_events.cursor_id(await kit.runtime.store.read(store_events.last))
        self._failures = {(row.id, row.attempts) for row in await _failed(kit)}
        return True

    async def follow(self, kit: InboxKit) -> None:
        """Print until cancelled."""
        async for event in kit.events(after=self._after):
            self._after = event.id
            if event.type != EventType.QUEUED:  # soon followed by what became of it
                click.echo(event_line(event) + _untaken(kit, event))
                sys.stdout.flush()

    async def watch(self, kit: InboxKit) -> None:
        """Print what handlers raise, as the log may not, until cancelled."""
        bell = kit.runtime.store.bell
        while True:
            seen = bell.count("run")
            for row in reversed(await _failed(kit)):
                if (row.id, row.attempts) not in self._failures:
                    self._failures.add((row.id, row.attempts))
                    failed = f"{public_id('run', row.id)} of {row.handler}: {row.state}"
                    click.echo(f"{failed}\n{plain(row.error.rstrip())}", err=True)
            await bell.wait("run", seen, timeout=_LOOK_SECONDS)


async def _failed(kit: InboxKit) -> list[Any]:
    """Return those of the last Runs whose handlers raised something."""
    rows = await kit.runtime.store.read(store_runs.listed, limit=_RUNS_SHOWN)
    return [row for row in rows if row.state in ("retrying", "failed")]


def _untaken(kit: InboxKit, event: Event) -> str:
    """Return a remark on mail that no handler takes, when there are handlers."""
    routers = kit.runtime.handlers.routers
    if event.type != EventType.RECEIVED or not routers or takers(routers, event.message):
        return ""
    held = (matching.withheld(router, event.message) for router in routers)
    return next((f" (withheld: {found[1]})" for found in held if found), " (no handler)")


def event_line(event: Event) -> str:
    """Return one line about what happened to a message."""
    line = message_line(event.message)
    if event.type == EventType.RECEIVED:
        return line
    return f"{line} ({event.type}{': ' if event.reason else ''}{flat(event.reason)})"

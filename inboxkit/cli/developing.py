"""The command ``dev``: any recipient is taken, what happens is printed, handlers reload."""

from __future__ import annotations

import logging
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import discovery
from ..errors import ConfigurationError
from ..store import events as store_events
from ..values import EventType
from .opening import flags_of, log_to_stderr, settings_of
from .opening import run as run_async
from .printing import message_line, plain
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
    from collections.abc import Mapping

    import anyio

    from ..kit import InboxKit
    from ..models import Event
    from ..settings import Settings

log = logging.getLogger("inboxkit.dev")
_RELOAD_SECONDS = 2.0
_WATCH_MS = 500  # how long a watch that is no longer wanted may last


@click.command()
@handlers_argument
@smtp_option
@http_option
@click.option("--no-reload", is_flag=True, help="Do not watch the handlers for changes.")
@click.pass_context
def dev(ctx: click.Context, /, no_reload: bool, **flags: str | None) -> None:
    """Run for development: any recipient is taken, arrivals are printed, handlers reload.

    HANDLERS is a folder (``handlers`` by default) or ``package.module:kit`` of your own.
    """
    settings = settings_of(ctx, any_recipient=True, **flags)
    log_to_stderr(settings)
    # A file that changes twice in a second, to the same length, would be taken from its cache.
    sys.dont_write_bytecode = True
    given = flags_of(ctx, any_recipient=True, **flags)
    watched = None if no_reload else _watched(settings)
    run_async(_develop(settings, given, watched))


def _watched(settings: Settings) -> Path | None:
    """Return the folder to watch, or say why there is none."""
    folder = Path(settings.handlers)
    if not folder.is_dir():
        click.echo(f"{folder} is no folder: nothing is reloaded", err=True)
        return None
    if find_spec("watchfiles") is None:
        click.echo("to reload handlers: pip install 'inboxkit[dev]'", err=True)
        return None
    return folder


async def _develop(settings: Settings, given: Mapping[str, Any], watched: Path | None) -> None:
    """Run; after each change of the handlers stop and run anew, on the same ports."""
    kit, printer = make_kit(settings, given), Printer()
    with stop_signals() as told:
        while True:
            reload = Reload(settings, given, told)
            async with kit:
                await listen(kit)
                if await printer.begin(kit):
                    announce(kit)
                ports = {"smtp": smtp_bind(kit), "http": kit.url.partition("://")[2]}
                settings = settings.model_copy(update=ports)
                watch = partial(reload.changed, watched)
                await first(told.wait, kit.serve, partial(printer.follow, kit), watch)
                await kit.runtime.drain(_RELOAD_SECONDS)
            if reload.kit is None:
                return
            click.echo("handlers changed and loaded again", err=True)
            kit = reload.kit
            kit.settings = kit.settings.model_copy(update=ports)


class Printer:
    """Prints what happens, each event once, however often the handlers are loaded again."""

    def __init__(self) -> None:
        self._after = ""

    async def begin(self, kit: InboxKit) -> bool:
        """Begin with what happens from now on; False when it has begun before."""
        if self._after:
            return False
        self._after = store_events.cursor_id(await kit.runtime.store.read(store_events.last))
        return True

    async def follow(self, kit: InboxKit) -> None:
        """Print until cancelled."""
        async for event in kit.events(after=self._after):
            self._after = event.id
            if event.type != EventType.QUEUED:  # soon followed by what became of it
                click.echo(event_line(event))
                sys.stdout.flush()


def event_line(event: Event) -> str:
    """Return one line about what happened to a message."""
    line = message_line(event.message)
    if event.type == EventType.RECEIVED:
        return line
    reason = " ".join(plain(event.reason).split())
    return f"{line} ({event.type}: {reason})" if reason else f"{line} ({event.type})"


class Reload:
    """Waits for a change of the handlers that can be loaded; ``kit`` is what to run then."""

    def __init__(self, settings: Settings, given: Mapping[str, Any], told: anyio.Event) -> None:
        self._settings = settings
        self._given = given
        self._told = told
        self.kit: InboxKit | None = None

    async def changed(self, folder: Path | None) -> None:
        """Return when changed handlers were loaded, or when it is time to stop."""
        if folder is None:
            await self._told.wait()
            return
        from watchfiles import awatch  # the extra ``dev``

        watch = awatch(folder, stop_event=self._told, rust_timeout=_WATCH_MS)
        async for changes in watch:
            if any(path.endswith(".py") for _, path in changes):
                self.kit = self._loaded()
            if self.kit is not None:
                return

    def _loaded(self) -> InboxKit | None:
        """Return a kit with the handlers as they are now, None when they are broken."""
        discovery.forget()
        try:
            return make_kit(self._settings, self._given)
        except ConfigurationError as error:
            log.error("the old handlers go on: %s", error, exc_info=error.__cause__)
            return None

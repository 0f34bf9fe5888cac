"""Opening a kit for a command: its settings, its log, and how much work it takes on."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..errors import ConfigurationError, NotFound
from ..settings import Settings, load
from ..tokens import public_id, row_id

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncGenerator, Collection, Coroutine

    import click

    from ..kit import InboxKit

T = TypeVar("T")
_APP = re.compile(r"[\w.]+:[\w.]+")
_KINDS = {"msg": "message", "thd": "thread", "evt": "event", "run": "Run"}


def flags_of(ctx: click.Context, **given: Any) -> dict[str, Any]:
    """Return the settings that were given as flags, before the command and after it."""
    before: dict[str, Any] = ctx.find_root().obj["given"]
    return before | {key: value for key, value in given.items() if value is not None}


def settings_of(ctx: click.Context, **given: Any) -> Settings:
    """Return the settings of this call: flags, then environment, then file."""
    file = ctx.find_root().obj["file"]
    return load(flags_of(ctx, **given), file=Path(file) if file else None)


def url_of(ctx: click.Context) -> str:
    """Return the server that this call is for, "" for the database."""
    return str(ctx.find_root().obj["url"])


def left_of(ctx: click.Context) -> list[str]:
    """Return where a command names what did not end with it, so that the exit does not wait."""
    left: list[str] = ctx.find_root().obj["left"]
    return left


def threads_before(ctx: click.Context) -> Collection[threading.Thread]:
    """Return the threads that the command line was called beside."""
    found: Collection[threading.Thread] = ctx.find_root().obj["threads"]
    return found


def work_on_a_database(ctx: click.Context) -> None:
    """Refuse a server that was named for a command that works on a database."""
    if url_of(ctx):
        raise ConfigurationError(
            f"url: {ctx.command_path} works on a database; leave out --url (INBOXKIT_URL)"
        )


def require_database(settings: Settings) -> None:
    """Raise NotFound when there is no database: to look for something in it must not make one."""
    from ..store.database import sqlite_file  # slow to import: a server's client does without

    file = sqlite_file(settings.database)
    if file is not None and not file.is_file():
        raise NotFound(
            f"no database at {file.absolute()}; `inboxkit inbox create ADDRESS` makes one, as "
            "`inboxkit dev` and `inboxkit run` do; --database URL names another"
        )


def is_app(handlers: str) -> bool:
    """Whether ``handlers`` names a kit, as ``package.module:kit``, and no folder."""
    return _APP.fullmatch(handlers) is not None and not Path(handlers).is_dir()


def handlers_folder(settings: Settings) -> Path:
    """Return the folder of handlers; raise ConfigurationError if it was named and is not there.

    Without the usual one, which nobody has named, mail is kept and no handler is called.
    """
    folder = Path(settings.handlers)
    if "handlers" in settings.model_fields_set and not folder.exists():
        raise ConfigurationError(
            f"handlers: there is no folder {folder.absolute()}; make it, or name another or "
            "package.module:kit"
        )
    return folder


@asynccontextmanager
async def opened(
    ctx: click.Context, *, works: bool = False, **given: Any
) -> AsyncGenerator[InboxKit]:
    """Open the database of this call; with ``works`` also read, send and so on meanwhile."""
    from ..kit import InboxKit  # slow to import: commands that only look do without

    work_on_a_database(ctx)
    kit = InboxKit(settings=settings_of(ctx, **given))
    if not works:
        kit.only_look()
    async with kit:
        yield kit


def row_number(prefix: str, public: str) -> int:
    """Return the row id of a public id; raise NotFound for what is none."""
    try:
        number = row_id(prefix, public)
    except ValueError:
        number = None
    if number is None or public_id(prefix, number) != public.lower():  # one that was cut short
        raise NotFound(f"no {_KINDS[prefix]} {public}")
    return number


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine, on uvloop when it is installed.

    Of errors that came together out of a task group the first one is raised.
    """
    with new_runner() as runner:
        return run_with(runner, work)


def run_with(runner: asyncio.Runner, work: Coroutine[Any, Any, T]) -> T:
    """Do the same in a runner, which stays open."""
    try:
        return runner.run(work)
    except BaseExceptionGroup as group:
        error = _first(group)
    raise error


def _first(error: BaseException) -> BaseException:
    if not isinstance(error, BaseExceptionGroup):
        return error
    return _first(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])


def new_runner() -> asyncio.Runner:
    """Return what runs coroutines, on uvloop when it is installed."""
    try:
        import uvloop  # pyright: ignore[reportMissingModuleSource] - the extra ``speed``
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


_CONTROLS = (*range(32), *range(127, 160), 0x2028, 0x2029)
_TURNS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))  # the direction of a line
_ESCAPED = {code: repr(chr(code))[1:-1] for code in (*_CONTROLS, *_TURNS)}
_ESCAPED_IN_JSON = {code: f"\\u{code:04x}" for code in (*_CONTROLS, *_TURNS)}
_ESCAPED_BELOW = {code: text for code, text in _ESCAPED.items() if code != ord("\n")}


class TextFormatter(logging.Formatter):
    """One line a record, and below it a traceback: what others wrote makes no line of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).translate(_ESCAPED)

    def formatException(self, ei: Any) -> str:
        return super().formatException(ei).translate(_ESCAPED_BELOW)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message; never a body, a key or a code."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False).translate(_ESCAPED_IN_JSON)


def log_to_stderr(settings: Settings) -> None:
    """Send our log to standard error, as text or as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    text = TextFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else text)
    logger = logging.getLogger("inboxkit")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False

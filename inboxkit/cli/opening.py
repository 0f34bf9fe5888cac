"""Opening a kit for a command: its settings, its log, and how much work it takes on."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..kit import InboxKit
from ..settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    import click

T = TypeVar("T")


def settings_of(ctx: click.Context, **given: Any) -> Settings:
    """Return the settings of this call: flags, then environment, then file."""
    root = ctx.find_root().obj
    file = Path(root["file"]) if root["file"] else None
    flags = {k: v for k, v in given.items() if v is not None}
    return load(root["given"] | flags, file=file)


@asynccontextmanager
async def opened(
    ctx: click.Context, *, works: bool = False, **given: Any
) -> AsyncIterator[InboxKit]:
    """Open the database of this call; with ``works`` also read, send and so on meanwhile."""
    kit = InboxKit(settings=settings_of(ctx, **given))
    if not works:
        kit.only_look()
    async with kit:
        yield kit


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine, on uvloop when it is installed."""
    try:
        import uvloop  # pyright: ignore[reportMissingModuleSource] - the extra ``speed``
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


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
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr(settings: Settings) -> None:
    """Send our log to standard error, as text or as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else text)
    logger = logging.getLogger("inboxkit")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False

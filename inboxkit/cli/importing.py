"""The command ``import``: mbox, Maildir and .eml files into an inbox."""

from __future__ import annotations

import mailbox
from email.parser import BytesHeaderParser
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from ..kit import InboxKit
from ..parsing import dates
from ..pipeline.accept import Arriving
from ..store import jobs
from .opening import run, settings_of
from .serving import make_kit

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_ONCE = 64
_HEAD_BYTES = 64 * 1024


@click.command("import")
@click.option("--inbox", required=True, metavar="ADDRESS", help="Where it goes; made if new.")
@click.option("--dispatch", is_flag=True, help="Call the handlers for it too.")
@click.option("--send", is_flag=True, help="With --dispatch: send for real what handlers send.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.pass_context
def import_(
    ctx: click.Context, inbox: str, dispatch: bool, send: bool, paths: tuple[Path, ...]
) -> None:
    """Take in mbox files, Maildirs, folders of .eml files and .eml files.

    The same mail is taken in once, however often it is imported. Returns when all of it is read.
    """
    if send and not dispatch:
        raise click.UsageError("--send goes with --dispatch")
    taken, known = run(_import(ctx, inbox, dispatch, send, paths))
    click.echo(f"imported {taken}, known already {known}", err=True)


async def _import(
    ctx: click.Context, inbox: str, dispatch: bool, send: bool, paths: tuple[Path, ...]
) -> tuple[int, int]:
    settings = settings_of(ctx)
    kit = make_kit(settings) if dispatch else InboxKit(settings=settings)
    async with kit:
        await kit.inbox(inbox)
        counts = [0, 0]
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for raw in (mail for path in paths for mail in mails(path)):
                await limiter.acquire_on_behalf_of(raw_key := object())
                mail = arriving(raw, inbox, silent=not dispatch, record=dispatch and not send)
                tasks.start_soon(_take, kit, mail, counts, limiter, raw_key)
        await _until_done(kit, ("read", "plan", "run", "send") if dispatch else ("read",))
        return counts[0], counts[1]


async def _take(
    kit: InboxKit, mail: Arriving, counts: list[int], limiter: anyio.CapacityLimiter, key: object
) -> None:
    try:
        for _, known in await kit.runtime.accept.take(mail):
            counts[known] += 1
    finally:
        limiter.release_on_behalf_of(key)


def arriving(raw: bytes, inbox: str, *, silent: bool, record: bool) -> Arriving:
    """Return a mail from a file as it would arrive, at the time its Date field says."""
    head = BytesHeaderParser().parsebytes(raw[:_HEAD_BYTES])
    return Arriving(
        raw=raw,
        mail_from=str(head["Return-Path"] or "").strip("<> "),
        rcpt_to=(inbox,),
        size=len(raw),
        sha256=sha256(raw).hexdigest(),
        trace={"imported": True},
        silent=silent,
        record=record,
        unique=True,
        received_at=dates.parse(str(head["Date"] or "")),
    )


def mails(path: Path) -> Iterator[bytes]:
    """Iterate over the raw mails of a file or folder."""
    if path.is_dir() and (path / "cur").is_dir():
        box = mailbox.Maildir(path, create=False)
        yield from (box.get_bytes(key) for key in sorted(box.keys()))
    elif path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            yield from mails(file)
    elif _is_mbox(path):
        mbox = mailbox.mbox(path, create=False)
        yield from (mbox.get_bytes(key) for key in mbox.keys())
        mbox.close()
    else:
        yield path.read_bytes()


def _is_mbox(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(5) == b"From "


async def _until_done(kit: InboxKit, steps: tuple[str, ...]) -> None:
    """Return when nothing of these steps is due, whoever does it."""
    store = kit.runtime.store
    while True:
        seen = store.bell.count("done")
        if await store.read(jobs.count, steps, due_by=kit.clock.now()) == 0:
            return
        await store.bell.wait("done", seen, timeout=1)

"""The command ``import``: mbox, Maildir and .eml files into an inbox."""

from __future__ import annotations

import mailbox
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from ..kit import InboxKit
from ..parsing import dates
from ..parsing.mime import decode_headers
from ..pipeline.accept import Arriving
from ..store import backlog
from ..trace import without_trace_fields
from .envelopes import sender_of
from .opening import flags_of, run, settings_of
from .printing import flat
from .serving import make_kit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..store.arrivals import Arrival

_AT_ONCE = 64
_FIELD = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:>From [^\n]*\n)?[A-Za-z][\w-]*[ \t]*:", re.ASCII)
_MAILDIR = ("cur", "new", "tmp")


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
    A file that is no mail is named on standard error, the others are taken, and it exits 1.
    """
    if send and not dispatch:
        raise click.UsageError("--send goes with --dispatch")
    settings = settings_of(ctx)
    kit = make_kit(settings, flags_of(ctx)) if dispatch else InboxKit(settings=settings)
    skipped: list[Path] = []
    found = (mail for path in paths for mail in mails(path, skipped))
    taken, known = run(_import(kit, inbox, found, dispatch=dispatch, send=send))
    click.echo(f"imported {taken}, known already {known}", err=True)
    if dispatch and known:
        click.echo("what is known is not handled again: inboxkit replay MESSAGE", err=True)
    for path in skipped:
        click.echo(flat(f"error: {path}: no mail, as it begins with no header field"), err=True)
    if skipped:
        ctx.exit(1)


async def _import(
    kit: InboxKit, inbox: str, found: Iterable[bytes], *, dispatch: bool, send: bool
) -> tuple[int, int]:
    counts = [0, 0]
    room = anyio.Semaphore(_AT_ONCE)

    async def store(copies: tuple[Arrival, ...]) -> None:
        try:
            for _, known in await kit.runtime.accept.store(copies):
                counts[known] += 1
        finally:
            room.release()

    async with kit:
        await kit.inbox(inbox)
        async with anyio.create_task_group() as tasks:
            for raw in found:
                mail = arriving(raw, inbox, silent=not dispatch, record=dispatch and not send)
                copies = await kit.runtime.accept.prepare(mail)  # one by one: ids keep the order
                await room.acquire()
                tasks.start_soon(store, copies)
        await until_done(kit, ("read", "plan", "run", "send") if dispatch else ("read",))
    return counts[0], counts[1]


def arriving(raw: bytes, inbox: str, *, silent: bool, record: bool) -> Arriving:
    """Return a mail from a file as it would arrive, at the time its Date field says.

    The fields of an export say who sent it, and are not part of it: it is known by its own bytes.
    """
    head = decode_headers(raw)
    raw = without_trace_fields(raw)
    return Arriving(
        raw=raw,
        mail_from=sender_of(head),
        rcpt_to=(inbox,),
        size=len(raw),
        sha256=sha256(raw).hexdigest(),
        trace={"imported": True},
        silent=silent,
        record=record,
        unique=True,
        received_at=dates.parse(head.get("Date")),
    )


def mails(path: Path, skipped: list[Path]) -> Iterator[bytes]:
    """Iterate over the raw mails of a file or folder; hidden files and no files are left out.

    A file that is called ``.eml`` or lies in a Maildir is a mail; what does not even begin like
    one, such as the index of a mail program, comes to ``skipped``.
    """
    if path.is_dir():
        is_maildir = (path / "cur").is_dir()
        for name in _MAILDIR[:2] if is_maildir else ():
            files = sorted((path / name).glob("*"))
            yield from (file.read_bytes() for file in files if file.is_file())
        for child in sorted(path.iterdir()):
            if _is_wanted(child, is_maildir):
                yield from mails(child, skipped)
    elif path.suffix.lower() != ".eml" and _is_mbox(path):
        mbox = mailbox.mbox(path, create=False)
        yield from (mbox.get_bytes(key) for key in mbox.keys())
        mbox.close()
    elif path.suffix.lower() == ".eml" or _is_mail(path):
        yield path.read_bytes()
    else:
        skipped.append(path)


def _is_wanted(child: Path, is_maildir: bool) -> bool:
    """Whether to go into an entry of a folder; of a Maildir only its folders, such as .Sent."""
    if child.is_dir():
        hidden = child.name.startswith(".") and not (child / "cur").is_dir()
        return not (hidden or child.is_symlink() or (is_maildir and child.name in _MAILDIR))
    return child.is_file() and not (is_maildir or child.name.startswith("."))


def _is_mbox(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(5) == b"From "


def _is_mail(path: Path) -> bool:
    with path.open("rb") as file:
        return _FIELD.match(file.read(1_000)) is not None


async def until_done(kit: InboxKit, steps: tuple[str, ...]) -> None:
    """Return when nothing of these steps is due, whoever does it."""
    store = kit.runtime.store
    while True:
        seen = store.bell.count("done")
        if not await store.read(backlog.are_left, steps, kit.clock):
            return
        await store.bell.wait("done", seen, timeout=1)

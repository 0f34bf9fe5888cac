"""The command ``try``: what handlers make of a mail, on a copy of the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import files
from .opening import flags_of, run, settings_of, work_on_a_database
from .printing import as_json, flat, message_whole, plain
from .reading import json_option
from .trying import rehearsed

if TYPE_CHECKING:
    from .trying import Rehearsal

_SENT = ("inbox", "to", "cc", "subject", "text", "html", "state", "tag", "attachments")
_GOOD = ("done", "rejected", "skipped")


@click.command("try")
@click.argument("mail", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("address", required=False)
@click.option("--handlers", metavar="FOLDER", help="Folder of handlers, or package.module:kit.")
@json_option
@click.pass_context
def try_(
    ctx: click.Context, mail: Path, address: str | None, handlers: str | None, json_: bool
) -> None:
    """Call the handlers for a mail file on a copy of the database; print what they would send.

    It goes to ADDRESS, or else to the first in its To. Nothing is sent, and nothing is stored
    here; what handlers do elsewhere is done. Exits 1 if one fails.
    """
    work_on_a_database(ctx)
    flags = {"handlers": handlers}
    settings = settings_of(ctx, **flags)
    raw = files.mail(mail, settings)
    shown = _shown(run(rehearsed(settings, flags_of(ctx, **flags), address, raw)))
    as_json(shown) if json_ else _print(shown)
    if any(one["state"] not in _GOOD for one in shown["runs"]):
        ctx.exit(1)


def _shown(rehearsal: Rehearsal) -> dict[str, Any]:
    message = rehearsal.message
    return {
        "inbox": message.inbox,
        "kind": str(message.kind),
        "thread_id": None if message.thread_reason == "new" else message.thread_id,
        "thread_reason": message.thread_reason,
        "runs": [
            {"handler": row.handler, "kind": row.kind, "state": row.state, "error": row.error}
            for row in rehearsal.runs
        ],
        "sends": [
            {name: value for name, value in message_whole(sent).items() if name in _SENT}
            for sent in rehearsal.sends
        ],
        "thread_state": dict(rehearsal.thread.state),
    }


def _print(shown: dict[str, Any]) -> None:
    click.echo(f"inbox: {shown['inbox']}\nkind: {shown['kind']}")
    click.echo(f"thread: {shown['thread_id'] or 'a new one'} ({shown['thread_reason']})")
    for one in shown["runs"]:
        click.echo(f"{one['handler']}: {one['state']}")
        if one["error"]:
            click.echo(plain(one["error"].rstrip()))
    if not shown["runs"]:
        click.echo("no handler takes it; why: inboxkit routes --mail FILE")
    for sent in shown["sends"]:
        people = ", ".join([*sent["to"], *sent["cc"]])
        files = "".join(f" [{file['filename']}]" for file in sent["attachments"])
        click.echo("\n" + flat(f"{sent['inbox']} -> {people}: {sent['subject']}{files}"))
        click.echo(plain(sent["text"].rstrip()))
    if shown["thread_state"]:
        click.echo(f"\nthread state: {flat(shown['thread_state'])}")

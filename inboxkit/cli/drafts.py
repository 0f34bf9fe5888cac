"""Commands on drafts: list, show, send, delete. A person sends what a program has drafted."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import click

from ..client.actions import RemoteActions
from ..client.server import Outdated, piece
from ..errors import ConfigurationError, SendError
from ..parsing.hidden import hidden_words, visible_text
from .opening import run
from .printing import as_json, flat, plain, table
from .reaching import server_of
from .sending import SETTLED_SECONDS, UNDER_WAY, print_sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..client.server import Server
    from ..models import Message

_PAGE = 100
_ASK_AGAIN_SECONDS = 0.1
_SHOWN = (
    "id",
    "version",
    "inbox",
    "to",
    "cc",
    "bcc",
    "reply_to",
    "subject",
    "in_reply_to",
    "forward_of",
)
_json = click.option("--json", "json_", is_flag=True, help="One JSON object a line.")


@click.group()
def draft() -> None:
    """List, show, send and delete drafts."""


@draft.command("list")
@click.option("--inbox", metavar="ADDRESS", help="Of this inbox alone.")
@_json
@click.pass_context
def list_(ctx: click.Context, inbox: str | None, json_: bool) -> None:
    """List drafts, newest first."""
    rows = [_row(found) for found in run(_list(ctx, inbox))]
    if json_:
        for row in rows:
            as_json(row)
        return
    columns = ("id", "inbox", "to", "subject", "send_status", "updated_at")
    table(columns, ([row.get(c, "") for c in columns] for row in rows))


async def _list(ctx: click.Context, inbox: str | None) -> list[dict[str, Any]]:
    path = f"/v0/inboxes/{piece(inbox)}/drafts" if inbox else "/v0/drafts"
    found: list[dict[str, Any]] = []
    token: str | None = ""
    async with server_of(ctx) as server:
        while token is not None:
            said = await server.get(path, {"limit": _PAGE, "page_token": token or None})
            found += said["drafts"]
            token = said.get("next_page_token")
    return found


@draft.command()
@click.argument("draft_id", metavar="ID")
@_json
@click.pass_context
def show(ctx: click.Context, draft_id: str, json_: bool) -> None:
    """Show a draft, also the words that its HTML hides from who gets it."""
    row = _row(run(_show(ctx, draft_id)))
    html = row.get("html", "")
    if hidden := hidden_words(html):
        row["hidden_words"] = hidden
    if json_:
        as_json(row)
        return
    for name in (*_SHOWN, "send_at", "send_status", "error"):
        if row.get(name):
            click.echo(f"{name}: {flat(row[name])}")
    for file in row.get("attachments", ()):
        click.echo(flat(f"attachment: {file.get('filename', '')} ({file['size']} bytes)"))
    click.echo(f"\n{plain(row.get('text', ''))}")
    if html:
        _show_html(visible_text("", html)[0], hidden, row.get("text", ""))


def _show_html(seen: str, hidden: str, text: str) -> None:
    """Print what a reader sees of the HTML where it is not the text, and what is hidden in it."""
    if seen.split() != text.split():
        click.echo(f"\nIts HTML says something else than the text above:\n\n{plain(seen)}")
    if hidden:
        told = "Its HTML hides these words: they are sent along, and who reads the mail does not"
        click.echo(f"\n{told} see them:\n\n{plain(hidden)}")
    click.echo("It has HTML too: --json shows it.", err=True)


async def _show(ctx: click.Context, draft_id: str) -> dict[str, Any]:
    async with server_of(ctx) as server:
        found, version = await server.get_version(f"/v0/drafts/{piece(draft_id)}")
        return {**found, "version": version}


@draft.command()
@click.argument("draft_id", metavar="ID")
@click.option("--version", metavar="VERSION", help="Only as `draft show` has shown it.")
@_json
@click.pass_context
def send(ctx: click.Context, draft_id: str, version: str | None, json_: bool) -> None:
    """Send a draft; it becomes a message, once."""
    if version is not None and not (version.isascii() and version.isalnum()):
        raise ConfigurationError(f"--version: {version!r} is none; `draft show` prints it")
    print_sent(run(_send(ctx, draft_id, version or "")), json_)


async def _send(ctx: click.Context, draft_id: str, version: str) -> Message:
    async with server_of(ctx, works=True) as server:
        path = f"{await _path(server, draft_id)}/send"
        try:
            said = await server.post(path, {}, key=secrets.token_hex(16), version=version)
        except Outdated:
            way_out = f"look at what it is now: inboxkit draft show {draft_id}"
            words = f"draft {draft_id}: is not version {version} any more, and was not sent"
            raise SendError(f"{words}; {way_out}") from None
        actions = RemoteActions(server)
        sent = await actions.stored(said["inboxkit"]["id"])
        for _ in range(round(SETTLED_SECONDS / _ASK_AGAIN_SECONDS)):
            if sent.state not in UNDER_WAY:
                break
            await server.pause(_ASK_AGAIN_SECONDS)
            sent = await actions.message(sent.id)
        return sent


@draft.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.pass_context
def delete(ctx: click.Context, ids: Sequence[str]) -> None:
    """Delete drafts; nothing of them is sent."""
    run(_delete(ctx, ids))


async def _delete(ctx: click.Context, ids: Sequence[str]) -> None:
    async with server_of(ctx) as server:
        for path in [await _path(server, one) for one in ids]:
            await server.delete(path)


async def _path(server: Server, draft_id: str) -> str:
    """Return the path of a draft below its inbox, where it is changed; raise NotFound."""
    found = await server.get(f"/v0/drafts/{piece(draft_id)}")
    return f"/v0/inboxes/{piece(found['inbox_id'])}/drafts/{piece(draft_id)}"


def _row(found: dict[str, Any]) -> dict[str, Any]:
    """Return a draft as commands show things: with ``id``, ``inbox`` and ``error``."""
    left_out = ("draft_id", "inbox_id", "inboxkit")
    rest = {name: value for name, value in found.items() if name not in left_out}
    more: dict[str, Any] = found.get("inboxkit", {})
    return {"id": found["draft_id"], "inbox": found["inbox_id"]} | rest | more

"""The command ``listen``: events as they happen, posted to a program on this machine if wanted."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from .. import signatures
from ..client.server import Server
from ..client.transport import place
from ..client.waiting import pages
from ..egress import EVERYWHERE, Guard
from ..pipeline.posting import Poster, signed
from .opening import require_database, run, settings_of, url_of
from .printing import as_json, flat
from .reaching import api_of
from .reading import json_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..client.server import Asked
    from ..pipeline.posting import Answer


@dataclass(frozen=True, slots=True)
class _Target:
    """Where events are posted, and what signs them."""

    url: str
    key: signatures.Key


def _url(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        place(value.partition("?")[0])  # or say what a URL looks like
    return value


def _key(_ctx: click.Context, _option: click.Parameter, value: str | None) -> signatures.Key:
    if value is None:
        return signatures.Key.made()
    try:
        return signatures.Key.of(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.option(
    "--forward-to", "url", metavar="URL", callback=_url, help="Post each there, as a webhook."
)
@click.option(
    "--event",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Only this type, such as message.received; repeatable.",
)
@click.option(
    "--inbox", "inboxes", multiple=True, metavar="ADDRESS", help="Only this inbox; repeatable."
)
@click.option("--after", metavar="ID", help="Begin after this event; `start`: with the first.")
@click.option(
    "--secret", "key", metavar="SECRET", callback=_key, help="Sign with it; a new one otherwise."
)
@json_option
@click.pass_context
def listen(
    ctx: click.Context,
    url: str | None,
    types: tuple[str, ...],
    inboxes: tuple[str, ...],
    after: str | None,
    key: signatures.Key,
    json_: bool,
) -> None:
    """Show events as they happen, and post them to a program on this machine.

    What webhooks are told, without a public URL: the program gets the same requests, signed. One
    that is not taken is not tried again by itself; --after goes back to it.
    """
    asked: dict[str, Asked] = {"event_types": list(types), "inbox_ids": list(inboxes)}
    run(_listen(ctx, asked, after, _Target(url, key) if url else None, json_))


async def _listen(
    ctx: click.Context,
    asked: Mapping[str, Asked],
    after: str | None,
    target: _Target | None,
    json_: bool,
) -> None:
    settings = settings_of(ctx)
    if not url_of(ctx):
        require_database(settings)
    poster, told = Poster(Guard(EVERYWHERE)), False
    async with api_of(ctx, settings, works=False) as (transport, key):
        try:
            async for said in pages(Server(transport, key), asked, after):
                if not told:
                    click.echo(_beginning(target), err=True)
                    told = True
                for event in said["events"]:
                    answer = await _posted(poster, target, event) if target else None
                    _print(event, answer, json_)
        finally:
            await poster.close()


def _beginning(target: _Target | None) -> str:
    if target is None:
        return "listening"
    return f"forwarding to {target.url}, signed with {target.key.secret}"


async def _posted(poster: Poster, target: _Target, event: Mapping[str, Any]) -> Answer:
    body, now = json.dumps(event, ensure_ascii=False).encode(), datetime.now(UTC)
    headers = signed([target.key], event["event_id"], now, body)
    return await poster.post(target.url, body, headers, now)


def _print(event: Mapping[str, Any], answer: Answer | None, json_: bool) -> None:
    """Print one event; of a post the status, or why there was none."""
    outcome = "" if answer is None else answer.error or str(answer.status)
    if json_:
        as_json(event if answer is None else {**event, "forwarded": outcome})
    else:
        facts = event["inboxkit"]
        cells = (event["event_id"], event["event_type"], facts.get("id"), _about(event), outcome)
        click.echo("\t".join(flat(cell) for cell in cells))
    sys.stdout.flush()


def _about(event: Mapping[str, Any]) -> str:
    """Return whom an event is about: who wrote, or who was written to."""
    message = event.get("message")
    return str(message["from"] if message else event["inboxkit"].get("recipient") or "")

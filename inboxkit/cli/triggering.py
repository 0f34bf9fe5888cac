"""The command ``trigger``: let something happen to a message that a fake vendor has taken."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any

import click

from ..errors import ConfigurationError, NotFound, RemoteError
from ..store import sends
from .faking import HTTP
from .looking import looked
from .opening import row_number, run, url_of

EXIT_UNREACHABLE = 5


@click.command()
@click.argument("event", metavar="EVENT")
@click.argument("message_id", metavar="ID")
@click.option("--to", "recipient", default="", metavar="ADDRESS", help="Only for this recipient.")
@click.option("--text", default="", help="What a reply says.")
@click.option(
    "--url",
    default=f"http://{HTTP}",
    envvar="INBOXKIT_FAKE_URL",
    show_default=True,
    help="Where inboxkit fake listens.",
)
@click.pass_context
def trigger(
    ctx: click.Context, event: str, message_id: str, recipient: str, text: str, url: str
) -> None:
    """Post the webhook of EVENT about a message, signed as its vendor signs.

    EVENT is delivered, bounced, softbounce, complained, opened and so on, or reply. ID is the id
    that `inboxkit send` or `messages` printed, the vendor's own, or the Message-ID.
    """
    target = f"{url.rstrip('/')}/_fake/trigger"
    asked = {"event": event, "id": message_id, "recipient": recipient, "text": text}
    try:
        statuses = _ask(target, asked)["statuses"]
    except NotFound:  # of a send of which the vendor kept neither Message-ID nor Reply-To
        known = run(_at_the_vendor(ctx, message_id, recipient))
        if not known:
            raise
        statuses = [s for id in known for s in _ask(target, asked | {"id": id})["statuses"]]
    for status in statuses:
        click.echo(status or "no answer")
    if not all(200 <= status < 300 for status in statuses):
        click.echo("error: not every webhook was taken", err=True)
        raise click.exceptions.Exit(1)


async def _at_the_vendor(ctx: click.Context, message_id: str, recipient: str) -> list[str]:
    """Return what a vendor calls a send of this call's database; nothing where there is none."""
    if url_of(ctx):
        return []
    with suppress(NotFound):
        async with looked(ctx) as look:
            number: int | None
            if message_id.startswith("msg_"):
                number = row_number("msg", message_id)
            else:
                named = f"<{message_id.strip('<>')}>"
                number = await look.store.read(sends.find_send, rfc_id=named)
            if number is not None:
                return await look.store.read(sends.provider_ids, number, recipient)
    return []


def _ask(url: str, asked: dict[str, str]) -> Any:
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"url: {url} is no HTTP URL")
    request = urllib.request.Request(url, json.dumps(asked).encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            words = _message(error.read())
        if error.code == 404:
            raise NotFound(words) from None
        raise RemoteError(f"{error.code} {words}") from None
    except OSError as error:
        click.echo(f"error: nobody answers at {url}: {error}; start: inboxkit fake", err=True)
        raise click.exceptions.Exit(EXIT_UNREACHABLE) from None


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return "the answer cannot be read"

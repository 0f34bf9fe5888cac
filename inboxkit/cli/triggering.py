"""The command ``trigger``: let something happen to a message that a fake vendor has taken."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import click

from ..errors import ConfigurationError, NotFound, RemoteError
from .faking import HTTP

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
def trigger(event: str, message_id: str, recipient: str, text: str, url: str) -> None:
    """Post the webhook of EVENT about a message, signed as its vendor signs.

    EVENT is delivered, bounced, softbounce, complained, opened and so on, or reply. ID is the id
    that `inboxkit send` or `messages` printed, the vendor's own, or the Message-ID.
    """
    asked = {"event": event, "id": message_id, "recipient": recipient, "text": text}
    statuses = _ask(f"{url.rstrip('/')}/_fake/trigger", asked)["statuses"]
    for status in statuses:
        click.echo(status or "no answer")
    if not all(200 <= status < 300 for status in statuses):
        click.echo("error: not every webhook was taken", err=True)
        raise click.exceptions.Exit(1)


def _ask(url: str, asked: dict[str, str]) -> Any:
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"url: {url} is no HTTP URL")
    request = urllib.request.Request(url, json.dumps(asked).encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
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

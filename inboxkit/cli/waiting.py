"""Commands that wait: wait, otp, link. They print only the value; a timeout exits with 4."""

from __future__ import annotations

from datetime import timedelta
from math import isnan
from typing import Any

import click

from ..models import Message, Want
from ..registration import check_host
from ..router import address_glob
from .opening import run
from .printing import as_json, message_whole, plain
from .reaching import reached

_RECENT = timedelta(minutes=10)


class _Seconds(click.FloatRange):
    """A number of seconds; NaN is none, and lies within every range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = float(super().convert(value, param, ctx))
        if isnan(found):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return found


_seconds = _Seconds(min=0)
_timeout = click.option(
    "--timeout", type=_seconds, default=30.0, show_default=True, help="Seconds to wait."
)
_sender = click.option("--from", "sender", default="*", help="Glob of the sender's address.")
_since = click.option(
    "--since",
    type=_Seconds(min=0, max=1e9),
    metavar="SECONDS",
    help="How far back mail counts; 600 by default.",
)
_json = click.option("--json", "json_", is_flag=True, help="The whole message as JSON.")


@click.command()
@click.argument("address")
@_timeout
@_sender
@_since
@_json
@click.pass_context
def otp(
    ctx: click.Context, address: str, timeout: float, sender: str, since: float | None, json_: bool
) -> None:
    """Wait for a one-time code and print it."""
    message = run(_wait(ctx, address, Want(kind="otp", sender=sender), timeout, since))
    _print(message, str(message.otp), json_)


@click.command()
@click.argument("address")
@_timeout
@_sender
@_since
@click.option("--host", default="*", help="Glob of the link's host.")
@_json
@click.pass_context
def link(
    ctx: click.Context,
    address: str,
    timeout: float,
    sender: str,
    since: float | None,
    host: str,
    json_: bool,
) -> None:
    """Wait for a link to act on and print it."""
    check_host(host)
    want = Want(kind="link", sender=sender, host=host)
    message = run(_wait(ctx, address, want, timeout, since))
    _print(message, str(message.link), json_)


@click.command()
@click.argument("address")
@_timeout
@_sender
@_since
@click.option("--subject", default="*", help="Glob of the subject.")
@_json
@click.pass_context
def wait(
    ctx: click.Context,
    address: str,
    timeout: float,
    sender: str,
    since: float | None,
    subject: str,
    json_: bool,
) -> None:
    """Wait for a message and print its text."""
    want = Want(sender=sender, subject=subject)
    message = run(_wait(ctx, address, want, timeout, since))
    _print(message, message.reply_text or message.text, json_)


async def _wait(
    ctx: click.Context, address: str, want: Want, timeout: float, since: float | None
) -> Message:
    back = _RECENT if since is None else timedelta(seconds=since)
    async with reached(ctx) as place:
        inbox = await place.inbox(address, since=back)
        asked = Want(
            kind=want.kind,
            sender=address_glob("from", want.sender),
            subject=want.subject,
            host=want.host,
            after=inbox.since,
        )
        return await place.actions.wait(inbox.address, asked, timeout=timeout)


def _print(message: Message, value: str, json_: bool) -> None:
    if json_:
        as_json(message_whole(message))
    else:
        click.echo(plain(value))

"""The command ``fake``: the vendors' APIs on a local port, for programs under test."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigurationError
from ..kit import EXAMPLE_DOMAIN, InboxKit
from ..parsing import parse
from ..settings import PREFIX
from ..testing.control import add_routes
from ..testing.emulator import Emulator
from ..testing.vendors import DOMAIN
from ..tokens import public_id
from .opening import log_to_stderr, run, settings_of
from .printing import table
from .serving import stop_signals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..providers.fakes.fake import Caught
    from ..settings import Settings
    from ..testing.emulator import Keep

HTTP = "127.0.0.1:8026"
_NAMED = re.compile(r"(\w+)=(.+)")


def _webhooks(_ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> Any:
    """Turn ``URL`` and ``mailgun=URL`` into a table; "" is for every vendor."""
    found: dict[str, str] = {}
    for value in given:
        named = _NAMED.fullmatch(value)
        name, url = (named[1], named[2]) if named else ("", value)
        if not url.startswith(("http://", "https://")):
            raise click.BadParameter(f"{value} is no URL, nor VENDOR=URL")
        found[name] = url
    return found


@click.command()
@click.option("--http", default=HTTP, show_default=True, metavar="HOST:PORT", help="Port 0: any.")
@click.option("--vendor", "vendors", multiple=True, help="Only this one; repeatable.")
@click.option(
    "--webhook",
    "webhooks",
    multiple=True,
    callback=_webhooks,
    metavar="[VENDOR=]URL",
    help="Where webhooks go; {provider} in it is the vendor's name. Repeatable.",
)
@click.option("--delay", default=0.0, metavar="SECONDS", help="Between a message and its webhooks.")
@click.pass_context
def fake(ctx: click.Context, /, **flags: Any) -> None:
    """Emulate the vendors' APIs; what is sent to them can be read as in any inbox.

    Addresses such as bounce@, complaint@, open@, ratelimit@ and drop@ have outcomes of their own.
    """
    settings = settings_of(ctx, any_recipient=True)
    log_to_stderr(settings)
    # The database may be the application's own: what it has to send, the application sends. So
    # no provider is needed here, whose keys may be among what this command prints.
    kit = InboxKit(settings=settings.model_copy(update={"provider": ("memory",)}))
    kit.only_read()
    run(_serve(kit, **flags))


async def _serve(
    kit: InboxKit,
    *,
    http: str,
    vendors: tuple[str, ...],
    webhooks: Mapping[str, str],
    delay: float,
) -> None:
    options = {name: kit.settings.provider_options(name) for name in kit.settings.options}
    try:
        emulator = Emulator(
            vendors, bind=http, options=options, webhooks=webhooks, keep=_keep(kit), delay=delay
        )
    except ValueError as error:
        raise ConfigurationError(f"http: {error}") from None
    add_routes(emulator)
    with stop_signals() as told:
        async with kit, emulator:
            _print(emulator, kit.settings)
            await told.wait()


def _keep(kit: InboxKit) -> Keep:
    """Return what stores a message in the inboxes of those who would get it."""

    async def keep(vendor: str, caught: Caught) -> Mapping[str, str]:
        ids: dict[str, str] = {}
        for recipient in dict.fromkeys(caught.rcpt_to):
            [(row_id, _)] = await kit.runtime.accept.mail(
                caught.mime,
                mail_from=parse(caught.mime).sender.email,
                rcpt_to=[recipient],
                trace={"fake": vendor, "provider_id": caught.id},
                silent=True,
            )
            ids[recipient] = public_id("msg", row_id)
        return ids

    return keep


def _print(emulator: Emulator, settings: Settings) -> None:
    accounts = emulator.accounts.values()
    table(("vendor", "url", "the vendor's own client"), ((a.name, a.url, a.sdk) for a in accounts))
    # No provider that reaches people sends from the example domain.
    domain = {} if settings.domain != EXAMPLE_DOMAIN else {f"{PREFIX}DOMAIN": DOMAIN}
    click.echo("inboxkit itself, with these variables before a command:", err=True)
    for account in accounts:  # no table, which would break them: they are there to be copied
        pairs = (account.variables | domain).items()
        click.echo(" ".join(f"{name}={shlex.quote(value)}" for name, value in pairs))
    click.echo(f"ready http={emulator.url}")
    sys.stdout.flush()

"""Commands on settings: show them, check them, print webhook addresses."""

from __future__ import annotations

import click

from ..edges import smtp_settings
from ..errors import ConfigurationError
from ..http.app import check_bind
from ..kit import check_domain
from ..pipeline import configured
from ..providers.base import Feature
from ..providers.registry import PROVIDERS, provider
from ..settings import masked
from ..store.database import parse_url
from ..store.store import open_bucket
from .opening import settings_of
from .printing import as_json
from .serving import HTTP, SMTP


@click.group()
def config() -> None:
    """Show or check the settings."""


@config.command()
@click.option("--json", "json_", is_flag=True, help="As one JSON object.")
@click.pass_context
def show(ctx: click.Context, json_: bool) -> None:
    """Show the settings in force; secrets as stars."""
    shown = masked(settings_of(ctx))
    if json_:
        as_json(shown)
    else:
        click.echo("\n".join(f"{name} = {value!r}" for name, value in shown.items()))


@config.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Check the settings as the start would, without starting."""
    settings = settings_of(ctx)
    parse_url(settings.database)
    configured.configure(settings)
    check_domain(settings)
    smtp_settings(settings, settings.smtp or SMTP)
    check_bind(settings.model_copy(update={"http": settings.http or HTTP}))
    read = set(PROVIDERS)
    if settings.object_store:
        read.add("object_store")
        open_bucket(settings.object_store, settings.provider_options("object_store")).close()
    for name in sorted(set(settings.options) - read):
        known = ", ".join(sorted(PROVIDERS))
        click.echo(f"warning: nothing reads [{name}]; the providers are {known}", err=True)
    click.echo("ok")


@click.command("webhook-url")
@click.argument("name", metavar="PROVIDER")
@click.option("--base", default="https://YOUR-HOST", help="Public address of your server.")
def webhook_url(name: str, base: str) -> None:
    """Print the address to enter at a provider for its webhooks."""
    found = provider(name)
    if not {Feature.EVENTS, Feature.INBOUND} & found.capabilities:
        raise ConfigurationError(f"provider {name}: has no webhooks")
    click.echo(f"{base.rstrip('/')}/webhooks/{found.name}")

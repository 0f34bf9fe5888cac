"""Commands on settings: show them, check them, print webhook addresses."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..edges import smtp_settings
from ..errors import ConfigurationError
from ..http.app import check_bind
from ..kit import check_domain
from ..pipeline import configured
from ..providers.base import Feature
from ..providers.registry import PROVIDERS, provider
from ..settings import PREFIX, Settings, masked, provider_option
from ..store.database import parse_url
from ..store.store import open_bucket
from .mounting import mounted
from .opening import handlers_folder, is_app, settings_of
from .printing import as_json
from .serving import HTTP, SMTP

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_NAME = re.compile(rf"\b{PREFIX}\w+", re.ASCII)
_OF_COMMANDS = ("config", "url")  # flags of the command line that are no settings


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
    """Check the settings as the start would, without handlers and without the database."""
    settings = settings_of(ctx)
    parse_url(settings.database)
    configured.configure(settings)
    check_domain(settings)
    smtp_settings(settings, settings.smtp or SMTP)
    if "worker" in settings.role and not is_app(settings.handlers):
        handlers_folder(settings)
    check_bind(settings.model_copy(update={"http": settings.http or HTTP}))
    if settings.mcp:
        mounted(settings)
    if settings.object_store:
        open_bucket(settings.object_store, settings.provider_options("object_store")).close()
    for name, hint in unread(os.environ, settings).items():
        click.echo(f"warning: nothing reads {name}{hint and '; '}{hint}", err=True)
    click.echo("ok")


def unread(environ: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Return the variables and tables that nothing reads, and what was meant perhaps."""
    read = {*PROVIDERS, "sendmail", *(["object_store"] if settings.object_store else ())}
    found = _unread(environ, read, _named(Path(settings.handlers)))
    for name in sorted(set(settings.options) - read):
        if not any(variable.startswith(f"{PREFIX}{name.upper()}_") for variable in found):
            found[f"[{name}]"] = f"the providers are {', '.join(sorted(PROVIDERS))}"
    return found


def _named(handlers: Path) -> set[str]:
    """Return the variables with our prefix that handlers name: they read them by themselves."""
    files = handlers.rglob("*.py") if handlers.is_dir() else ()
    return {name for file in files for name in _NAME.findall(file.read_text(errors="replace"))}


def _unread(
    environ: Mapping[str, str], read: Collection[str], named: Collection[str]
) -> dict[str, str]:
    """Return the variables with our prefix that nothing reads, and what was meant perhaps.

    They stop nothing: a program's own may begin like ours.
    """
    fields, found = sorted(Settings.model_fields), dict[str, str]()
    for variable in sorted(v for v in environ if v.startswith(PREFIX)):
        key = variable.removeprefix(PREFIX).lower()
        reader, option = provider_option(key)
        known = key in {*fields, *_OF_COMMANDS} or variable in named
        if known or (reader in read and option):
            continue
        meant = get_close_matches(key, fields, n=1, cutoff=0.8)
        found[variable] = f"did you mean {PREFIX}{meant[0].upper()}?" if meant else ""
    return found


@click.command("webhook-url")
@click.argument("name", metavar="PROVIDER")
@click.option("--base", default="https://YOUR-HOST", help="Public address of your server.")
def webhook_url(name: str, base: str) -> None:
    """Print the address to enter at a provider for its webhooks."""
    found = provider(name)
    if not {Feature.EVENTS, Feature.INBOUND} & found.capabilities:
        raise ConfigurationError(f"provider {name}: has no webhooks")
    if not base.startswith(("http://", "https://")):
        raise click.BadParameter(f"--base {base}: write https://{base}")
    click.echo(f"{base.rstrip('/')}/webhooks/{found.name}")

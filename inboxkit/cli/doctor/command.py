"""The command ``doctor``: whether this installation can do its work, point by point."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ...errors import ConfigurationError
from ...resolving import DnsResolver
from ..opening import flags_of, settings_of, work_on_a_database
from ..printing import as_json, table
from ..serving import handlers_argument, http_option, role_option, smtp_option
from . import database, installation, network
from .points import State, fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...settings import Settings
    from .points import Point


@click.command()
@handlers_argument
@smtp_option
@http_option
@role_option
@click.option("--dns", "names", metavar="DOMAIN", multiple=True, help="Ask DNS about a domain.")
@click.option("--json", "json_", is_flag=True, help="A point a line.")
@click.pass_context
def doctor(ctx: click.Context, /, names: tuple[str, ...], json_: bool, **flags: str | None) -> None:
    """Look at whether `inboxkit run` could do its work; nothing is changed, no mail is sent.

    HANDLERS and the ports are those of `run`. Exits 1 when a point is at fault.
    """
    work_on_a_database(ctx)
    try:
        settings = settings_of(ctx, **flags)
    except ConfigurationError as error:
        found: Sequence[Point] = [fault("settings", str(error), "see docs/settings.md")]
    else:
        domains = [name.strip().rstrip(".").lower() for name in names]
        found = examined(settings, flags_of(ctx, **flags), domains)
    if json_:
        for point in found:
            as_json(asdict(point))
    else:
        columns = ("state", "check", "found", "what to do")
        table(columns, [(str(p.state), p.check, p.found, p.fix) for p in found])
    if any(point.state == State.FAULT for point in found):
        ctx.exit(1)


def examined(given: Settings, flags: Mapping[str, Any], names: Sequence[str]) -> list[Point]:
    """Return all points; those of DNS for the domains that are named.

    Where a kit of one's own is run, its settings count, below the flags.
    """
    told, routers, settings = installation.handlers(given, flags)
    found = [*installation.settings(settings), *installation.certificate(settings)]
    try:
        found += installation.extras(settings)
    except ConfigurationError as error:  # of the database's URL, which all that follows needs
        return [*found, fault("database", str(error), "see docs/settings.md")]
    found += installation.providers(settings)
    found += [told, *database.disk(settings)]
    points, known = database.database(settings, routers, names)
    found += points
    found += [*network.object_store(settings), *network.ports(settings)]
    found.append(installation.limits(settings))
    resolver = DnsResolver(settings.dns_servers)
    for name in names:
        found += network.dns(name, settings, known.get(name), resolver)
    return found

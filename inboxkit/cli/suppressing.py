"""Commands on suppressions: who is not written to any more, and why."""

from __future__ import annotations

import csv
import io
import sys
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import click

from ..addresses import check_address
from ..store import suppressions as store_suppressions
from ..store.suppressions import Entry
from .looking import looked
from .opening import run
from .printing import as_json, moment, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_COLUMNS: tuple[str, ...] = ("address", "domain", "reason", "detail", "created_at")
_domain = click.option(
    "--domain", "sending_domain", metavar="NAME", help="Only of mail sent from this domain."
)


@click.group()
def suppressions() -> None:
    """List and change who is not written to."""


@suppressions.command("list")
@_domain
@click.option("--json", "json_", is_flag=True, help="One JSON object a line.")
@click.pass_context
def list_(ctx: click.Context, sending_domain: str | None, json_: bool) -> None:
    """List suppressed addresses; without a domain in the second column, for all mail."""
    rows = [_row(row) for row in run(_list(ctx, sending_domain))]
    if json_:
        for row in rows:
            as_json(row)
    else:
        table(_COLUMNS, ([row[c] for c in _COLUMNS] for row in rows))


@suppressions.command()
@_domain
@click.pass_context
def export(ctx: click.Context, sending_domain: str | None) -> None:
    """Print all entries as CSV, for `suppressions import` and for other systems."""
    rows = run(_list(ctx, sending_domain))
    out = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
    out.writeheader()
    out.writerows(_row(row) for row in rows)


async def _list(ctx: click.Context, domain: str | None) -> Sequence[Any]:
    async with looked(ctx) as look:
        return await look.store.read(store_suppressions.everything, domain=domain)


def _row(row: Any) -> dict[str, Any]:
    return {
        "address": row.address,
        "domain": row.domain,
        "reason": row.reason,
        "detail": row.detail,
        "created_at": moment(row.created_at),
    }


@suppressions.command("import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@click.option("--reason", default="manual", show_default=True, help="Where the file gives none.")
@click.pass_context
def import_(ctx: click.Context, file: IO[str], reason: str) -> None:
    """Take over FILE: CSV with a column `address` (or `email`), or an address a line; `-` reads
    standard input.

    Columns `domain`, `reason`, `detail` and `created_at` are kept. Nothing is taken when a line
    is wrong.
    """
    entries = list(_entries(file, reason))
    click.echo(f"added {run(_add(ctx, entries))} of {len(entries)}", err=True)


def _entries(lines: Iterable[str], reason: str) -> Iterator[Entry]:
    try:
        text = "".join(lines)
        yield from _of_text(text, reason)
    except (UnicodeDecodeError, csv.Error) as error:
        raise click.BadParameter(f"the file is no CSV in UTF-8: {error}") from None


def _of_text(text: str, reason: str) -> Iterator[Entry]:
    reader = csv.DictReader(io.StringIO(text))
    names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    column = names.get("address") or names.get("email")
    if column is None:
        plain = (line.strip() for line in text.splitlines())
        yield from (
            Entry(_address(n, line), reason=reason) for n, line in enumerate(plain, 1) if line
        )
        return
    for number, row in enumerate(reader, 2):
        value = {name: (row.get(given) or "").strip() for name, given in names.items()}
        yield Entry(
            _address(number, row[column] or ""),
            value.get("domain", ""),
            value.get("reason") or reason,
            value.get("detail", ""),
            _moment(number, value.get("created_at", "")),
        )


def _address(number: int, value: str) -> str:
    try:
        return check_address(value.strip())
    except ValueError as error:
        raise click.BadParameter(f"line {number}: {error}") from None


def _moment(number: int, value: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(value) if value else None
        if read is None:
            return None
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"line {number}: {value!r} is no moment in ISO 8601") from None


@suppressions.command()
@click.argument("addresses", nargs=-1, required=True)
@_domain
@click.option("--reason", default="manual", show_default=True, help="One word: why.")
@click.pass_context
def add(
    ctx: click.Context, addresses: tuple[str, ...], sending_domain: str | None, reason: str
) -> None:
    """Write no more to these addresses."""
    try:
        checked = [check_address(address.strip()) for address in addresses]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    entries = [Entry(address, sending_domain or "", reason) for address in checked]
    click.echo(f"added {run(_add(ctx, entries))}", err=True)


async def _add(ctx: click.Context, entries: Sequence[Entry]) -> int:
    async with looked(ctx, makes=True) as look:
        store, now = look.store, look.clock.now()
        return await store.write(store_suppressions.add_all, entries, now)


@suppressions.command()
@click.argument("addresses", nargs=-1, required=True)
@_domain
@click.pass_context
def remove(ctx: click.Context, addresses: tuple[str, ...], sending_domain: str | None) -> None:
    """Write to these addresses again."""
    click.echo(f"removed {run(_remove(ctx, addresses, sending_domain))}", err=True)


async def _remove(ctx: click.Context, addresses: tuple[str, ...], domain: str | None) -> int:
    async with looked(ctx) as look:
        removed = [
            await look.store.write(store_suppressions.remove, address, domain=domain)
            for address in addresses
        ]
        return sum(removed)

"""The command ``parse``: what mail files say, without a server or a database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..parsing import parse as parse_bytes
from ..parsing.model import Limits
from . import files
from .printing import as_json, moment, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..parsing.model import Bounce, ParsedAttachment, ParsedMessage
    from ..values import Address

_MOST_BYTES = Limits().message_bytes + 1  # of what is larger the header alone is read


@click.command()
@click.option("--json", "json_", is_flag=True, help="One JSON object a line (the default).")
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH...")
@click.pass_context
def parse(ctx: click.Context, json_: bool, paths: tuple[str, ...]) -> None:
    """Read mail files, folders of them, or - for standard input; print a JSON object for each.

    A bad message never makes it fail: its state and defects say what is wrong. Of a pipe that does
    not end it reads as much as of a message. A file that cannot be read is named on standard error,
    the others are read, and it exits 1.
    """
    del json_  # there is no other form; the flag is there for scripts that pass it everywhere
    unread = 0
    for name in (file for path in paths for file in _files(path)):
        try:
            raw = files.beginning(None if name == "-" else Path(name), _MOST_BYTES)
        except OSError as error:
            click.echo(f"error: {plain(error)}", err=True)
            unread += 1
        else:
            as_json(parsed_row(name, parse_bytes(raw)))
    if unread:
        ctx.exit(1)


def _files(name: str) -> Iterator[str]:
    path = Path(name)
    if path.is_dir():
        yield from (str(file) for file in sorted(path.rglob("*")) if file.is_file())
    elif name == "-" or path.exists():
        yield name
    else:
        raise click.UsageError(f"{name} does not exist")


def parsed_row(path: str, parsed: ParsedMessage) -> dict[str, Any]:
    """Return a parsed message as the fixed JSON object."""
    return {
        "path": path,
        "message_id": parsed.message_id,
        "subject": parsed.subject,
        "from": _addresses(parsed.senders),
        "to": _addresses(parsed.to),
        "cc": _addresses(parsed.cc),
        "reply_to": _addresses(parsed.reply_to),
        "date": moment(parsed.date),
        "text": parsed.text,
        "html": parsed.html,
        "reply_text": parsed.reply.text,
        "signature": parsed.reply.signature,
        "visible_text": parsed.visible_text,
        "otp": parsed.code.value if parsed.code else None,
        "link": parsed.links[0].url if parsed.links else None,
        "attachments": [_attachment(part) for part in parsed.attachments],
        "kind": str(parsed.kind),
        "kind_reason": parsed.kind_reason,
        "bounce": [_bounce(found) for found in parsed.report.bounces],
        "in_reply_to": parsed.in_reply_to,
        "references": list(parsed.references),
        "defects": list(parsed.defects),
        "state": parsed.state,
    }


def _addresses(found: tuple[Address, ...]) -> list[dict[str, str]]:
    return [{"name": a.name, "email": a.email} for a in found]


def _attachment(part: ParsedAttachment) -> dict[str, Any]:
    return {
        "filename": part.filename,
        "content_type": part.content_type,
        "size": part.size,
        "sha256": part.sha256,
        "inline": part.inline,
        "content_id": part.content_id,
    }


def _bounce(found: Bounce) -> dict[str, Any]:
    return {
        "recipient": found.recipient,
        "status": found.status,
        "reason": found.reason,
        "hard": found.hard,
    }

"""How commands print: JSON a line for programs, a table on a terminal, tabs in a pipe."""

from __future__ import annotations

import codecs
import json
import re
import sys
from typing import IO, TYPE_CHECKING, Any

import click

from ..values import Direction, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from ..models import Attachment, Event, Message, Thread


# What would end a line for some reader of JSON lines, and what no UTF-8 can hold.
_LINE_ENDS = {ord(c): f"\\u{ord(c):04x}" for c in "\x7f\x85\u2028\u2029"}
_SURROGATES = re.compile("[\ud800-\udfff]")
# Control characters, but for tab and newline: a subject must not steer the terminal.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def as_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    utf8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    line = json.dumps(value, ensure_ascii=False, default=str)
    line = _SURROGATES.sub("\ufffd", line).translate(_LINE_ENDS)
    if not utf8:
        line = json.dumps(json.loads(line))
    click.echo(line)


def plain(text: Any) -> str:
    """Return foreign text as a terminal may show it: without control characters."""
    shown = str("" if text is None else text).replace("\r\n", "\n")
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("\ufffd", shown))


def moment(value: datetime | None) -> str | None:
    """Return a moment as ISO 8601 in UTC with milliseconds."""
    if value is None:
        return None
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows for people: a table on a terminal, tab-separated lines elsewhere."""
    if sys.stdout.isatty():
        draw(columns, rows, sys.stdout)
        return
    for row in rows:
        click.echo("\t".join(flat(cell) for cell in row))


def draw(columns: Sequence[str], rows: Iterable[Sequence[Any]], file: IO[str]) -> None:
    """Draw a table; what cells hold is text, never markup or control codes."""
    from rich.console import Console  # only for tables on a terminal: it is slow to import
    from rich.table import Table

    shown = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*(flat(cell) for cell in row))
    Console(file=file, markup=False, emoji=False, highlight=False).print(shown)


def flat(cell: Any) -> str:
    """Return what a cell holds on one line, the items of a list with commas."""
    if isinstance(cell, list | tuple | set | frozenset):
        cell = ", ".join(str(item) for item in cell)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
    return " ".join(plain(cell).split())


def message_row(message: Message) -> dict[str, Any]:
    """Return what lists show of a message."""
    return {
        "id": message.id,
        "message_id": message.message_id,
        "inbox": message.inbox,
        "thread_id": message.thread_id,
        "thread_reason": message.thread_reason,
        "subject": message.subject,
        "from": str(message.sender),
        "to": [str(a) for a in message.to],
        "direction": str(message.direction),
        "state": message.state,
        "kind": str(message.kind),
        "received_at": moment(message.received_at),
        "labels": sorted(message.labels),
        "tag": message.tag,
        "size": message.size,
        "preview": message.preview,
    }


def message_whole(message: Message) -> dict[str, Any]:
    """Return all that is known of a message."""
    answers = message.answers
    return message_row(message) | {
        "cc": [str(a) for a in message.cc],
        "reply_to": [str(a) for a in message.reply_to],
        "mail_from": message.envelope.mail_from,
        "rcpt_to": list(message.envelope.rcpt_to),
        "date": moment(message.date),
        "in_reply_to": message.in_reply_to,
        "references": list(message.references),
        "text": message.text,
        "html": message.html,
        "reply_text": message.reply_text,
        "visible_text": message.visible_text,
        "otp": None if message.otp is None else str(message.otp),
        "link": None if message.link is None else str(message.link),
        "participant": message.participant,
        "answers": None if answers is None else answers.id,
        "metadata": dict(message.metadata),
        "defects": list(message.defects),
        "attachments": [_attachment(part) for part in message.attachments],
    }


def _attachment(part: Attachment) -> dict[str, Any]:
    return {
        "id": part.id,
        "filename": part.filename,
        "content_type": part.content_type,
        "size": part.size,
        "sha256": part.sha256,
        "inline": part.inline,
    }


def thread_whole(thread: Thread, messages: Iterable[Message]) -> dict[str, Any]:
    """Return a conversation with its messages."""
    return {
        "id": thread.id,
        "inbox": thread.inbox,
        "subject": thread.subject,
        "participants": [str(a) for a in thread.participants],
        "waiting_since": moment(thread.waiting_since),
        "reminders": thread.reminders,
        "state": dict(thread.state),
        "messages": [message_whole(m) for m in messages],
    }


def event_row(event: Event) -> dict[str, Any]:
    """Return what lists show of an event."""
    return {
        "id": event.id,
        "type": str(event.type),
        "at": moment(event.at),
        "message": event.message.id,
        "inbox": event.message.inbox,
        "subject": event.message.subject,
        "recipient": event.recipient,
        "hard": event.hard,
        "reason_class": event.reason_class,
        "reason": event.reason,
    }


def message_line(message: Message) -> str:
    """Return one line about a message that came or goes, with the code and the link it holds."""
    arrow = "<-" if message.direction == Direction.INBOUND else "->"
    other = message.sender if arrow == "<-" else ", ".join(a.email for a in message.to)
    extra = f" [{message.kind}]" if message.kind != Kind.HUMAN else ""
    extra += f" code {message.otp}" if message.otp else ""
    extra += f" link {message.link}" if message.link else ""
    return plain(f"{message.inbox} {arrow} {other}: {message.subject}{extra}").replace("\n", " ")

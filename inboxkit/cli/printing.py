"""How commands print: JSON a line for programs, a table on a terminal, tabs in a pipe."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from ..values import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from ..models import Event, Message, Thread


def as_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def moment(value: datetime | None) -> str | None:
    """Return a moment as ISO 8601 in UTC with milliseconds."""
    if value is None:
        return None
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows for people: a table on a terminal, tab-separated lines elsewhere."""
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(_flat(cell) for cell in row))
        return
    from rich.console import Console  # only for tables on a terminal: it is slow to import
    from rich.table import Table

    shown = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*(_flat(cell) for cell in row))
    Console().print(shown)


def _flat(cell: Any) -> str:
    return " ".join(str("" if cell is None else cell).split())


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
        "attachments": [
            {
                "id": a.id,
                "filename": a.filename,
                "content_type": a.content_type,
                "size": a.size,
                "sha256": a.sha256,
                "inline": a.inline,
            }
            for a in message.attachments
        ],
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
    """Return one line about a message that came or goes."""
    arrow = "<-" if message.direction == Direction.INBOUND else "->"
    other = message.sender if arrow == "<-" else ", ".join(a.email for a in message.to)
    extra = f" [{message.kind}]" if message.kind != "human" else ""
    return f"{message.inbox} {arrow} {other}: {message.subject}{extra}"

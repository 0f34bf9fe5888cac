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


# How wide tables are: a column of words at least, what is not cut at most, and between columns.
_WORDS_CELLS, _WHOLE_CELLS, _GAP_CELLS = 12, 64, 2
# What would end a line for some reader of JSON lines, and what no UTF-8 can hold.
_LINE_ENDS = {ord(c): f"\\u{ord(c):04x}" for c in "\x7f\x85\u2028\u2029"}
_SURROGATES = re.compile("[\ud800-\udfff]")
# Control characters, but for tab and newline: a subject must not steer the terminal.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What turns the direction of a line, so that it seems to say something else.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_MOST_SHOWN = 3  # recipients of a message, on a line about it


def as_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    utf8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    line = json.dumps(value, ensure_ascii=False, default=str)
    line = _SURROGATES.sub("\ufffd", line).translate(_LINE_ENDS)
    if not utf8:
        line = json.dumps(json.loads(line))
    click.echo(line)


def plain(text: Any) -> str:
    """Return foreign text as a terminal may show it: without control and direction signs."""
    shown = _TURNS.sub("", str("" if text is None else text).replace("\r\n", "\n"))
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("\ufffd", shown))


def moment(value: datetime | None) -> str | None:
    """Return a moment as ISO 8601 in UTC with milliseconds."""
    if value is None:
        return None
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, spare: Sequence[str] = ()
) -> None:
    """Print rows for people: a table on a terminal, tab-separated lines elsewhere.

    ``spare`` columns are left out, one after the other, of a terminal that is too narrow.
    """
    if sys.stdout.isatty():
        draw(columns, rows, sys.stdout, spare=spare)
        return
    for row in rows:
        click.echo("\t".join(flat(cell) for cell in row))


def draw(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    file: IO[str],
    *,
    spare: Sequence[str] = (),
) -> None:
    """Draw a table; what cells hold is text, never markup or control codes.

    A column of ids, addresses or moments is never cut: who reads one goes on with it. Columns of
    words give way, then ``spare`` ones; what is still too wide goes on in the terminal's next line.
    """
    from rich.console import Console  # only for tables on a terminal: it is slow to import
    from rich.table import Table

    console = Console(file=file, markup=False, emoji=False, highlight=False)
    shown = [dict(zip(columns, map(flat, row), strict=True)) for row in rows]
    least = {name: _least(name, [row[name] for row in shown]) for name in columns}
    kept = list(columns)
    for name in spare:
        if _width(least, kept) > console.width:
            kept.remove(name)
    console.width = max(console.width, _width(least, kept) + 1)  # rich before 14.3 wants the cell
    drawn = Table(box=None, pad_edge=False)
    for name in kept:
        whole = _is_whole(row[name] for row in shown)
        drawn.add_column(name, min_width=least[name], no_wrap=whole)
    for row in shown:
        drawn.add_row(*(row[name] for name in kept))
    console.print(drawn)


def _is_whole(cells: Iterable[str]) -> bool:
    """Whether a column holds no words, but what somebody may want to copy."""
    return all(" " not in cell and len(cell) <= _WHOLE_CELLS for cell in cells)


def _least(name: str, cells: Sequence[str]) -> int:
    """Return how wide a column must be."""
    from rich.cells import cell_len

    natural = max(cell_len(cell) for cell in (name, *cells))
    return natural if _is_whole(cells) else min(natural, max(_WORDS_CELLS, len(name)))


def _width(least: Mapping[str, int], kept: Sequence[str]) -> int:
    return sum(least[name] + _GAP_CELLS for name in kept) - _GAP_CELLS


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
    other = message.sender if arrow == "<-" else _recipients(message)
    extra = f" [{message.kind}]" if message.kind != Kind.HUMAN else ""
    extra += f" code {message.otp}" if message.otp else ""
    extra += f" link {message.link}" if message.link else ""
    return plain(f"{message.inbox} {arrow} {other}: {message.subject}{extra}").replace("\n", " ")


def _recipients(message: Message) -> str:
    """Return the first ones: a mail to thousands has a line for what happens to each."""
    shown = ", ".join(one.email for one in message.to[:_MOST_SHOWN])
    more = len(message.to) - _MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown

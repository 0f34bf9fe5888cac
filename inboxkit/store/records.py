"""Rows to values: Message, Thread and Event as users hold them, a page at a time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Text, func, literal_column, select

from .. import known
from ..extracted import Link, Otp
from ..models import Actions, Attachment, Event, Message, Thread
from ..tokens import public_id, row_id
from ..values import Address, Direction, Envelope
from . import wire_ids
from .conversations import computed_labels, way_label
from .events import cursor_id
from .prepared import Prepared, among
from .tables import attachment, content, inbox, label, message
from .threads import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

BRIEF_CHARACTERS = 20_000
_CONTENT = (
    content.c.text,
    content.c.html,
    content.c.reply_text,
    content.c.signature,
    content.c.visible_text,
    content.c.headers,
    content.c.references,
    content.c.defects,
)
_TEXTS = ("text", "reply_text", "signature", "visible_text")
_BEGUN = [
    func.substr(
        content.c[name], literal_column("1"), literal_column(str(BRIEF_CHARACTERS)), type_=Text
    ).label(name)
    for name in _TEXTS
]


def messages(
    connection: Connection,
    ids: Sequence[int],
    actions: Actions,
    *,
    answers: bool = True,
    brief: bool = False,
) -> list[Message]:
    """Return the messages with these row ids, in their order; unknown ids are left out.

    ``brief``: without HTML, and of each text the beginning, as a mail may have megabytes of both.
    """
    rows = {row["id"]: row for row in (_brief if brief else _by_ids)(connection, ids=ids)}
    labels = _labels(connection, list(rows))
    files = _files(connection, [i for i, row in rows.items() if row["attachment_count"]])
    asked = {r["answers_id"] for r in rows.values() if r["answers_id"]} if answers else set[int]()
    sends = {}
    if asked:
        found = messages(connection, sorted(asked), actions, answers=False, brief=brief)
        sends = {m.id: m for m in found}
    return [
        _message(rows[i], labels[i], files[i], sends.get(_public(rows[i]["answers_id"])), actions)
        for i in ids
        if i in rows
    ]


def _reading(*columns: Any) -> Prepared:
    return Prepared(
        select(message, inbox.c.address.label("inbox_address"), *columns)
        .join(inbox, inbox.c.id == message.c.inbox_id)
        .outerjoin(content, content.c.message_id == message.c.id)
        .where(among(message.c.id))
    )


_by_ids = _reading(*_CONTENT)
_brief = _reading(
    *_BEGUN,
    literal_column("''").label("html"),
    *(column for column in _CONTENT if column.name not in (*_TEXTS, "html")),
)
_labels_of = Prepared(select(label).where(among(label.c.message_id)))
_files_of = Prepared(
    select(attachment)
    .where(among(attachment.c.message_id))
    .order_by(attachment.c.message_id, attachment.c.position)
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as programs outside see it: under its name there, with what only they ask for."""

    name: str
    message: Message
    labels: frozenset[str]
    bcc: tuple[Address, ...]
    reply_html: str = field(repr=False)
    created_at: datetime
    updated_at: datetime


def shown(
    connection: Connection, ids: Sequence[int], actions: Actions, *, brief: bool = False
) -> list[Shown]:
    """Return messages for programs outside, in the order of the ids.

    ``brief``: for a list, which has no words of theirs; without what they answer too.
    """
    found = messages(connection, ids, actions, answers=not brief, brief=brief)
    return shown_as(connection, found, brief=brief)


def shown_as(
    connection: Connection, found: Sequence[Message], *, brief: bool = False
) -> list[Shown]:
    """Return messages that were loaded before for programs outside; without those gone since."""
    ids = [row_id("msg", m.id) for m in found]
    reading = _of_listed if brief else _of_shown
    rows = {public_id("msg", row.id): row for row in reading.rows(connection, ids=ids)}
    names = {public_id("msg", i): name for i, name in wire_ids.of(connection, ids).items()}
    return [_shown(names[m.id], m, rows[m.id]) for m in found if m.id in rows and m.id in names]


_SHOWN = (
    message.c.id,
    message.c.bcc,
    message.c.direction,
    message.c.unread,
    message.c.created_at,
    message.c.updated_at,
)
_of_shown = Prepared(
    select(*_SHOWN, content.c.reply_html)
    .outerjoin(content, content.c.message_id == message.c.id)
    .where(among(message.c.id))
)
_NO_HTML = literal_column("''", Text).label("reply_html")
_of_listed = Prepared(select(*_SHOWN, _NO_HTML).where(among(message.c.id)))


def _shown(name: str, found: Message, row: Any) -> Shown:
    computed = computed_labels(row.direction, found.state, unread=row.unread)
    return Shown(
        name=name,
        message=found,
        labels=found.labels | computed,
        bcc=addresses(row.bcc),
        reply_html=row.reply_html or "",
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _public(row_id: int | None) -> str:
    return "" if row_id is None else public_id("msg", row_id)


def _labels(connection: Connection, ids: Sequence[int]) -> Mapping[int, set[str]]:
    found: defaultdict[int, set[str]] = defaultdict(set)
    for row in _labels_of(connection, ids=ids):
        found[row["message_id"]].add(row["label"])
    return found


def _files(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[Row[Any]]]:
    found: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for row in _files_of.rows(connection, ids=ids) if ids else ():
        found[row.message_id].append(row)
    return found


def addresses(pairs: Sequence[Sequence[str]]) -> tuple[Address, ...]:
    """Return addresses from their JSON."""
    return tuple(Address(email, name) for email, name in pairs)


def _from_columns(said: Mapping[str, Any], address: str, actions: Actions) -> dict[str, Any]:
    """Return the fields of a Message that its own row holds."""
    thread_id = said["thread_id"]
    return {
        "id": public_id("msg", said["id"]),
        "message_id": said["message_id"],
        "direction": Direction(said["direction"]),
        "inbox": address,
        "sender": Address(said["sender_email"], said["sender_name"]),
        "envelope": Envelope(said["mail_from"], tuple(said["rcpt_to"])),
        "received_at": said["received_at"],
        "actions": actions,
        "to": addresses(said["to"]),
        "cc": addresses(said["cc"]),
        "reply_to": addresses(said["reply_to"]),
        "date": said["date_at"],
        "subject": said["subject"],
        "preview": said["preview"],
        "tag": said["tag"],
        "metadata": said["metadata"],
        "thread_id": "" if thread_id is None else public_id("thd", thread_id),
        "thread_reason": said["thread_reason"],
        "in_reply_to": said["in_reply_to"],
        "size": said["size"],
    }


def _message(
    row: Mapping[str, Any],
    labels: set[str],
    files: Sequence[Row[Any]],
    answers: Message | None,
    actions: Actions,
) -> Message:
    system = {way_label(row["direction"], row["state"])}
    made = Message(
        **_from_columns(row, row["inbox_address"], actions),
        headers=dict(reversed([(n, v) for n, v in row["headers"] or ()])),
        text=row["text"] or "",
        html=row["html"] or "",
        reply_text=row["reply_text"] or "",
        signature=row["signature"] or "",
        visible_text=row["visible_text"] or "",
        kind=known.kind(row["kind"]),
        auth=known.auth(row["auth"]),
        state=row["state"],
        defects=tuple(row["defects"] or ()),
        labels=frozenset(labels | system | ({"unread"} if row["unread"] else set())),
        participant=row["participant"],
        references=tuple(row["references"] or ()),
        answers=answers,
    )
    return _with_parts(made, row, files)


def _with_parts(made: Message, row: Mapping[str, Any], files: Sequence[Row[Any]]) -> Message:
    """Hang in what points back at the message; it is frozen for everybody else."""
    if row["otp"] is not None:
        object.__setattr__(made, "otp", Otp(row["otp"], made, row["link"]))
    if row["link"] is not None:
        object.__setattr__(made, "link", Link(row["link"], made))
    parts = tuple(
        Attachment(
            id=public_id("att", f.id),
            filename=f.filename,
            safe_name=f.safe_name,
            content_type=f.content_type,
            size=f.size,
            sha256=f.sha256,
            inline=f.inline,
            content_id=f.content_id,
            sniffed_type=f.sniffed_type,
            message=made,
        )
        for f in files
    )
    object.__setattr__(made, "attachments", parts)
    return made


def thread(connection: Connection, row_id: int, actions: Actions) -> Thread | None:
    """Return a thread, or the one that it was merged into."""
    row = resolve(connection, row_id)
    if row is None:
        return None
    owner = select(inbox.c.address).where(inbox.c.id == row.inbox_id)
    address = connection.execute(owner).scalar()
    if address is None:  # it was deleted since the thread was looked at
        return None
    return Thread(
        id=public_id("thd", row.id),
        subject=row.subject,
        inbox=address,
        actions=actions,
        participants=addresses(row.participants),
        waiting_since=row.waiting_since,
        reminders=row.reminders,
        state=row.state,
    )


def thread_messages(connection: Connection, row_id: int, actions: Actions) -> list[Message]:
    """Return a thread's messages, oldest first."""
    row = resolve(connection, row_id)
    if row is None:
        return []
    query = select(message.c.id).where(message.c.thread_id == row.id).order_by(message.c.id)
    return messages(connection, list(connection.execute(query).scalars()), actions)


def events(connection: Connection, rows: Sequence[Row[Any]], actions: Actions) -> list[Event]:
    """Return log entries with their messages; an entry whose message is purged is left out."""
    ids = sorted({row.message_id for row in rows})
    found = {m.id: m for m in messages(connection, ids, actions)}
    return [
        Event(
            id=cursor_id(row.seq),
            type=known.event_type(row.type),
            at=row.at,
            message=found[public_id("msg", row.message_id)],
            recipient=row.recipient,
            hard=row.hard,
            reason_class=row.reason_class,
            reason=row.reason,
            data=row.data,
        )
        for row in rows
        if public_id("msg", row.message_id) in found
    ]


def staged_message(
    row: Mapping[str, Any], said: Mapping[str, Any], address: str, actions: Actions
) -> Message:
    """Return a send that is staged: it has an id, but nobody else can see it yet."""
    return Message(
        **_from_columns(row, address, actions),
        text=said["text"],
        html=said["html"],
        reply_text=said["text"],
        visible_text=said["text"],
        state="staged",
        labels=frozenset({way_label("outbound", row["state"])}),
        references=tuple(said["references"]),
    )

"""Drafts: mails that are not sent yet. What becomes of one when it is sent is in ``departing``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, String, cast, delete, insert, select, update

from ..errors import KeyReused
from ..tokens import new_id, public_id
from ..values import File
from . import inboxes, jobs, sends
from .api_tables import draft_file
from .messages import preview
from .pages import Page, paged
from .rows import columns
from .tables import draft, inbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .leased import Job
    from .reach import Reach
    from .transactions import Tx

KIND = "draft"  # of the job that sends one at its time
SCHEDULED, FAILED = "scheduled", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFile:
    """What a draft knows of a file without its bytes."""

    id: int
    filename: str
    content_type: str
    content_id: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRecord:
    """A draft as it is stored. ``parent_id`` is the message that it answers or sends on.

    ``send_status`` is "" while nobody has said when to send it.
    """

    id: int
    inbox_id: int
    inbox: str
    client_id: str | None = None
    labels: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    subject: str = ""
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    files: tuple[DraftFile, ...] = ()
    in_reply_to: str = ""
    forward_of: str = ""
    reply_all: bool = False
    parent_id: int | None = None
    references: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    send_status: str = ""
    send_at: datetime | None = None
    error: str = ""
    created_at: datetime
    updated_at: datetime

    @property
    def preview(self) -> str:
        """The first words on one line."""
        return preview(self.text)


_MANY = ("labels", "to", "cc", "bcc", "reply_to", "references")
_PLAIN = (
    *("id", "inbox_id", "client_id", "subject", "text", "html", "in_reply_to", "forward_of"),
    *("reply_all", "parent_id", "extra", "send_status", "send_at", "error"),
    *("created_at", "updated_at"),
)


def create(tx: Tx, wanted: DraftRecord, files: Sequence[File]) -> DraftRecord:
    """Store a draft, or return the one that the inbox has under this ``client_id`` already."""
    if not inboxes.hold(tx, wanted.inbox_id):
        raise inboxes.InboxGone
    known = _of_client(tx.connection, wanted)
    if known is not None:
        return known
    row = {name: getattr(wanted, name) for name in _PLAIN}
    row |= {name: list(getattr(wanted, name)) for name in _MANY}
    row |= {"extra": dict(wanted.extra), "preview": wanted.preview}
    row["attachments"] = _add_files(tx, wanted.id, files)
    tx.connection.execute(insert(draft), [row])
    schedule(tx, wanted)
    return require(tx.connection, wanted.id)


def create_once(tx: Tx, wanted: DraftRecord, files: Sequence[File]) -> DraftRecord:
    """Store a draft as ``create`` does; raise KeyReused when its key is that of a send."""
    key = wanted.extra.get("key")
    sent = None if key is None else sends.keyed(tx.connection, wanted.inbox_id, key)
    if sent is not None:
        raise KeyReused(
            f"key {key!r}: message {public_id('msg', int(sent.id))} was sent under it; "
            "use a new key for another mail"
        )
    return create(tx, wanted, files)


def _of_client(connection: Connection, wanted: DraftRecord) -> DraftRecord | None:
    if wanted.client_id is None:
        return None
    mine = draft.c.inbox_id == wanted.inbox_id, draft.c.client_id == wanted.client_id
    row = connection.execute(_all().where(*mine)).first()
    return None if row is None else _record(row)


def _add_files(tx: Tx, draft_id: int, files: Sequence[File]) -> list[dict[str, Any]]:
    """Store the bytes; return what the draft's own row says of them."""
    said = [
        {
            "id": new_id(),
            "filename": file.filename,
            "content_type": file.content_type or "application/octet-stream",
            "content_id": file.content_id,
            "size": len(file.data),
        }
        for file in files
    ]
    if said:
        rows = [
            {"id": one["id"], "draft_id": draft_id, "data": file.data}
            for one, file in zip(said, files, strict=True)
        ]
        tx.connection.execute(insert(draft_file), rows)
    return said


def find(connection: Connection, reach: Reach, draft_id: int) -> DraftRecord | None:
    """Return a draft within reach."""
    mine = reach.owns(draft.c.inbox_id), draft.c.id == draft_id
    row = connection.execute(_all().where(*mine)).first()
    return None if row is None else _record(row)


def listed(
    connection: Connection,
    reach: Reach,
    page: Page[int],
    *,
    labels: Sequence[str] = (),
    before: datetime | None = None,
    after: datetime | None = None,
) -> list[DraftRecord]:
    """Return a page of the drafts within reach that carry all of these labels."""
    query = _all().where(reach.owns(draft.c.inbox_id), *(_labelled(name) for name in labels))
    if before is not None:
        query = query.where(draft.c.updated_at < before)
    if after is not None:
        query = query.where(draft.c.updated_at > after)
    return [_record(row) for row in connection.execute(paged(query, draft.c.id, page))]


def _labelled(name: str) -> ColumnElement[bool]:
    if name == SCHEDULED:
        return draft.c.send_status == SCHEDULED
    written = json.dumps(name, ensure_ascii=False)  # as the database writes it
    return cast(draft.c.labels, String).contains(written, autoescape=True)


def change(
    tx: Tx,
    known: DraftRecord,
    values: Mapping[str, Any],
    *,
    add: Sequence[File] = (),
    remove: Sequence[int] = (),
    now: datetime,
) -> DraftRecord | None:
    """Change columns and files; None when the draft has been sent, changed or deleted since."""
    mine = (draft.c.id == known.id) & (draft.c.updated_at == known.updated_at)
    changed_at = update(draft).where(mine).values(updated_at=_later(known, now))
    if not tx.connection.execute(changed_at).rowcount:
        return None
    kept = [one for one in known.files if one.id not in remove]
    said = [
        {name: getattr(one, name) for name in DraftFile.__slots__} for one in kept
    ] + _add_files(tx, known.id, add)
    lost = [one.id for one in known.files if one.id in remove]
    tx.connection.execute(delete(draft_file).where(draft_file.c.id.in_(lost)))
    changed = {k: list(v) if k in _MANY else v for k, v in values.items()}
    if "text" in values:
        changed["preview"] = preview(values["text"])
    written = update(draft).where(draft.c.id == known.id).values(attachments=said, **changed)
    tx.connection.execute(written)
    made = require(tx.connection, known.id)
    if "send_at" in changed:
        schedule(tx, made)
    return made


def _later(known: DraftRecord, now: datetime) -> datetime:
    """Return when it is changed: two changes within a microsecond must still be told apart."""
    return max(now, known.updated_at + type(now).resolution)


def schedule(tx: Tx, known: DraftRecord) -> None:
    """Let the draft be sent at its time, or at none.

    A job that is being worked on looks at the draft again before it sends anything.
    """
    jobs.cancel(tx, KIND, [str(known.id)])
    if known.send_at is not None and not jobs.is_known(tx.connection, KIND, str(known.id)):
        due = jobs.new_job(KIND, known.id, inbox_id=known.inbox_id, due_at=known.send_at)
        jobs.put(tx, [due])


def wait(tx: Tx, held: Job) -> None:
    """Let the job of a draft that is not due wait for its time, or end when it has none.

    As it is now, which whoever changes it waits for: it may have a time again since it was read.
    """
    mine = select(draft.c.id).where(draft.c.id == int(held.key))
    tx.connection.execute(mine.with_for_update())
    known = by_id(tx.connection, int(held.key))
    if known is None or known.send_at is None or known.send_status != SCHEDULED:
        jobs.complete(tx, [held])
    else:
        jobs.put_back(tx, held, due_at=known.send_at, error="")


def fail(tx: Tx, known: DraftRecord, error: str, now: datetime) -> bool:
    """Keep a draft that could not be sent at its time, and say why; False when it was changed."""
    mine = (draft.c.id == known.id) & (draft.c.updated_at == known.updated_at)
    values = {"send_status": FAILED, "error": error[:2_000], "updated_at": _later(known, now)}
    return bool(tx.connection.execute(update(draft).where(mine).values(**values)).rowcount)


def remove(tx: Tx, known: DraftRecord) -> bool:
    """Delete a draft; False when it has been sent, changed or deleted since."""
    mine = (draft.c.id == known.id) & (draft.c.updated_at == known.updated_at)
    if not tx.connection.execute(delete(draft).where(mine)).rowcount:
        return False
    tx.connection.execute(delete(draft_file).where(draft_file.c.draft_id == known.id))
    jobs.cancel(tx, KIND, [str(known.id)])
    return True


def remove_all(tx: Tx, inbox_id: int) -> None:
    """Delete the drafts of an inbox that is deleted."""
    mine = select(draft.c.id).where(draft.c.inbox_id == inbox_id)
    ids = list(tx.connection.execute(mine).scalars())
    jobs.cancel(tx, KIND, [str(i) for i in ids])
    tx.connection.execute(delete(draft_file).where(draft_file.c.draft_id.in_(mine)))
    tx.connection.execute(delete(draft).where(draft.c.inbox_id == inbox_id))


def require(connection: Connection, draft_id: int) -> DraftRecord:
    """Return a draft that is known to be there."""
    return _record(connection.execute(_all().where(draft.c.id == draft_id)).one())


def by_id(connection: Connection, draft_id: int) -> DraftRecord | None:
    """Return a draft, whoever it belongs to."""
    row = connection.execute(_all().where(draft.c.id == draft_id)).first()
    return None if row is None else _record(row)


def file(connection: Connection, file_id: int) -> File | None:
    """Return one file of a draft with its bytes."""
    query = select(draft_file.c.draft_id, draft_file.c.data).where(draft_file.c.id == file_id)
    row = connection.execute(query).first()
    known = None if row is None else by_id(connection, row.draft_id)
    if row is None or known is None:
        return None
    found = (one for one in known.files if one.id == file_id)  # none: it has just been taken out
    return next((_with_data(one, row.data) for one in found), None)


def files(connection: Connection, known: DraftRecord) -> tuple[File, ...]:
    """Return a draft's files with their bytes, in their order."""
    query = select(draft_file.c.id, draft_file.c.data).where(draft_file.c.draft_id == known.id)
    data = {row.id: row.data for row in connection.execute(query)}
    return tuple(_with_data(one, data[one.id]) for one in known.files if one.id in data)


def _with_data(one: DraftFile, data: bytes) -> File:
    return File(one.filename, data, one.content_type, one.content_id)


def _all() -> Any:
    return select(draft, inbox.c.address.label("inbox")).join(inbox, inbox.c.id == draft.c.inbox_id)


def _record(row: Row[Any]) -> DraftRecord:
    said = columns(row)
    fields: dict[str, Any] = {name: said[name] for name in _PLAIN}
    fields |= {name: tuple(said[name]) for name in _MANY}
    kept = tuple(DraftFile(**one) for one in said["attachments"])
    return DraftRecord(**fields, inbox=said["inbox"], files=kept)

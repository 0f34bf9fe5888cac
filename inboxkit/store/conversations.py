"""What lists show of threads: who wrote, to whom, what about, which labels. Newest first."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    select,
    tuple_,
)

from . import search, wire_ids
from .columns import Moment
from .pages import Page, paged
from .prepared import Prepared, among
from .rows import columns
from .tables import attachment, inbox, label, message, thread
from .threads import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from .query import Query, Term
    from .reach import Reach

# Not what placing looks at: a thread's marks are many, and each would be decoded.
_SHOWN: tuple[ColumnElement[Any], ...] = (
    thread.c.id,
    thread.c.last_at,
    thread.c.received_at,
    thread.c.sent_at,
    thread.c.subject,
    thread.c.preview,
    thread.c.last_message_id,
    thread.c.message_count,
    thread.c.size,
    thread.c.created_at,
    thread.c.updated_at,
    inbox.c.address,
)
_MEMBERS = 100  # the newest messages of a thread; older ones add nobody to a list


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of some message of a thread."""

    id: int
    filename: str
    content_type: str
    size: int
    inline: bool
    content_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A thread as it is listed. Senders and recipients are pairs of email and name."""

    id: int
    inbox: str
    labels: frozenset[str]
    last_at: datetime
    received_at: datetime | None
    sent_at: datetime | None
    senders: Sequence[Sequence[str]]
    recipients: Sequence[Sequence[str]]
    subject: str
    preview: str
    files: Sequence[File]
    last_message: str
    message_count: int
    size: int
    created_at: datetime
    updated_at: datetime

    @property
    def key(self) -> tuple[datetime, int]:
        """Where it stands in a list."""
        return (self.last_at, self.id)


def listed(
    connection: Connection,
    reach: Reach,
    query: Query,
    page: Page[tuple[datetime, int]],
    *,
    hidden: Sequence[str] = (),
) -> list[Conversation]:
    """Return a page of threads; each term holds for one of a thread's messages or another.

    A thread of which every message carries a ``hidden`` label is not listed.
    """
    key = (thread.c.last_at, thread.c.id)
    order = [column.asc() if page.ascending else column.desc() for column in key]
    held = (_holds(term, reach.forbidden) for term in query.filters)
    wanted = _visible(reach, hidden).where(*held)
    if page.after is not None:
        at, row_id = page.after
        after = tuple_(literal(at, Moment), literal(row_id))
        place = tuple_(*key)
        wanted = wanted.where(place > after if page.ascending else place < after)
    rows = connection.execute(wanted.order_by(*order).limit(page.size + 1)).all()
    return _conversations(connection, rows, reach.forbidden)


def found(
    connection: Connection,
    reach: Reach,
    query: Query,
    page: Page[int],
    *,
    hidden: Sequence[str] = (),
) -> list[tuple[int, Conversation]]:
    """Return a page of threads with a message that matches, with the newest such message."""
    walk = _Walk(connection, reach, query, page, hidden)
    rows = list(islice(walk.threads(), page.size + 1))
    threads = select(*_SHOWN).join(inbox, inbox.c.id == thread.c.inbox_id)
    known = connection.execute(threads.where(thread.c.id.in_([r.thread_id for r in rows]))).all()
    shown = {c.id: c for c in _conversations(connection, known, reach.forbidden)}
    return [(row.id, shown[row.thread_id]) for row in rows if row.thread_id in shown]


@dataclass(frozen=True, slots=True)
class _Walk:
    """Goes from hit to hit, so that a page costs what it shows, however many hits there are."""

    connection: Connection
    reach: Reach
    query: Query
    page: Page[int]
    hidden: Sequence[str]

    def threads(self) -> Iterator[Row[Any]]:
        """Iterate over the threads of a page and those after it, each at its newest hit."""
        hits = search.hits(self.connection, self.query, self.reach.inbox_id)
        wanted = hits.select(message.c.id, message.c.thread_id)
        wanted = wanted.where(*search.listed(self.reach, self.hidden))
        part, more = self.page, True
        known = set[int]()
        while more:
            rows = self.connection.execute(paged(wanted, hits.id, part)).all()
            newest = {r.thread_id: r.id for r in reversed(rows) if r.thread_id not in known}
            if self.page.after is not None or self.page.ascending:
                newest |= self._newest(newest)
            shown = [row for row in rows if row.id == newest.get(row.thread_id)]
            yield from shown
            known |= {row.thread_id for row in shown}
            more = len(rows) > part.size
            part = replace(part, after=rows[-1].id) if more else part

    def _newest(self, seen: Mapping[int, int]) -> dict[int, int]:
        """Return the newest hits of threads, of each of which one hit is known."""
        lowest = min(seen.values(), default=0)
        query = select(message.c.thread_id, func.max(message.c.id)).where(
            message.c.thread_id.in_(seen),
            message.c.id >= lowest,
            *search.listed(self.reach, self.hidden),
            *search.is_hit(self.connection, self.query, self.reach.inbox_id),
        )
        rows = self.connection.execute(query.group_by(message.c.thread_id)).all()
        return dict(rows)


def find(connection: Connection, reach: Reach, thread_id: int) -> Conversation | None:
    """Return a thread within reach, or the one that it was merged into."""
    row = resolve(connection, thread_id)
    if row is None:
        return None
    wanted = _visible(reach, reach.forbidden).where(thread.c.id == row.id)
    rows = connection.execute(wanted).all()
    return next(iter(_conversations(connection, rows, reach.forbidden)), None)


def members(connection: Connection, reach: Reach, thread_id: int, page: Page[int]) -> list[int]:
    """Return a page of a thread's messages."""
    mine = select(message.c.id).where(
        message.c.thread_id == thread_id, *search.shown(reach.forbidden)
    )
    return list(connection.execute(paged(mine, message.c.id, page)).scalars())


def _visible(reach: Reach, hidden: Sequence[str]) -> Select[Any]:
    seen = exists().where(message.c.thread_id == thread.c.id, *search.shown(hidden))
    return (
        select(*_SHOWN)
        .join(inbox, inbox.c.id == thread.c.inbox_id)
        .where(reach.owns(thread.c.inbox_id), thread.c.merged_into.is_(None), seen)
    )


def _holds(term: Term, forbidden: Sequence[str]) -> ColumnElement[bool]:
    if term.field == "before":
        return thread.c.last_at < term.moment
    if term.field == "after":
        return thread.c.last_at >= term.moment
    one = search.condition(term)
    return exists().where(message.c.thread_id == thread.c.id, one, *search.shown(forbidden))


def _conversations(
    connection: Connection, rows: Sequence[Row[Any]], forbidden: Sequence[str]
) -> list[Conversation]:
    """Return threads, without what is only in messages that carry a ``forbidden`` label."""
    found = _whole(connection, rows)
    if not forbidden or not found:
        return found
    query = select(message.c.thread_id).join(label, label.c.message_id == message.c.id)
    mine = message.c.thread_id.in_([one.id for one in found]), label.c.label.in_(forbidden)
    partly = set(connection.execute(query.where(*mine).distinct()).scalars())
    parts = (_part(connection, one, forbidden) if one.id in partly else one for one in found)
    return [one for one in parts if one is not None]


def _whole(connection: Connection, rows: Sequence[Row[Any]]) -> list[Conversation]:
    ids = [row.id for row in rows]
    people = _by_thread(_members.rows(connection, ids=ids))
    labels = _by_thread(_labels.rows(connection, ids=ids))
    files = _by_thread(_files.rows(connection, ids=ids))
    last = wire_ids.of(connection, [row.last_message_id for row in rows if row.last_message_id])
    return [
        _conversation(
            row,
            people[row.id],
            {found.label for found in labels[row.id]},
            [_file(found) for found in files[row.id]],
            last,
        )
        for row in rows
        if row.last_message_id in last
    ]


def _conversation(
    row: Row[Any],
    people: Sequence[Any],
    labels: set[str],
    files: Sequence[File],
    last: Mapping[int, str],
) -> Conversation:
    return Conversation(
        id=row.id,
        inbox=row.address,
        labels=frozenset(labels.union(*(_computed(m) for m in people))),
        last_at=row.last_at,
        received_at=row.received_at,
        sent_at=row.sent_at,
        senders=_senders(people),
        recipients=_recipients(people),
        subject=row.subject,
        preview=row.preview,
        files=files,
        last_message=last[row.last_message_id],
        message_count=row.message_count,
        size=row.size,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _part(
    connection: Connection, whole: Conversation, forbidden: Sequence[str]
) -> Conversation | None:
    """Return a thread as who may not see some of its messages sees it.

    None when the others were deleted since it was found.
    """
    mine = message.c.thread_id == whole.id, *search.shown(forbidden)
    newest = select(message.c.id, message.c.preview, *_OF_MEMBERS).where(*mine)
    members = connection.execute(newest.order_by(message.c.id.desc()).limit(_MEMBERS)).all()
    labels = select(label.c.label).join(message, message.c.id == label.c.message_id).where(*mine)
    files = select(attachment).join(message, message.c.id == attachment.c.message_id).where(*mine)
    files = files.order_by(attachment.c.message_id, attachment.c.position)
    sums = select(func.count(), func.sum(message.c.size)).where(*mine)
    count, size = connection.execute(sums).one()
    said = set(connection.execute(labels.distinct()).scalars())
    names = wire_ids.of(connection, [row.id for row in members[:1]])
    if not names:
        return None
    last, people = members[0], members[::-1]
    return replace(
        whole,
        labels=frozenset(said.union(*(_computed(m) for m in people))),
        senders=_senders(people),
        recipients=_recipients(people),
        preview=last.preview,
        files=[_file(row) for row in connection.execute(files)],
        last_message=names[last.id],
        message_count=count,
        size=int(size or 0),
    )


def _senders(people: Sequence[Any]) -> list[tuple[str, ...]]:
    return _once((m.sender_email, m.sender_name) for m in people if m.sender_email)


def _recipients(people: Sequence[Any]) -> list[tuple[str, ...]]:
    told = dict.fromkeys(text for m in people for text in (m.to, m.cc, m.bcc))
    return _once(tuple(pair) for text in told for pair in json.loads(text))


def _once(pairs: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(pairs))


_OF_MEMBERS: tuple[ColumnElement[Any], ...] = (
    message.c.thread_id,
    message.c.direction,
    message.c.unread,
    message.c.state,
    message.c.sender_email,
    message.c.sender_name,
    # As text: most of a thread's messages go to the same people, or to nobody in copy.
    *(cast(c, Text).label(c.name) for c in (message.c.to, message.c.cc, message.c.bcc)),
)


def _prepared_members() -> Prepared:
    place = func.row_number().over(partition_by=message.c.thread_id, order_by=message.c.id.desc())
    ranked = select(message.c.id, place.label("place")).where(among(message.c.thread_id)).subquery()
    query: Select[Any] = (
        select(*_OF_MEMBERS)
        .join(ranked, and_(ranked.c.id == message.c.id, ranked.c.place <= _MEMBERS))
        .order_by(message.c.id)
    )
    return Prepared(query)


_members = _prepared_members()
_labels = Prepared(
    select(message.c.thread_id, label.c.label)
    .join(message, message.c.id == label.c.message_id)
    .where(among(message.c.thread_id))
    .distinct()
)
_files = Prepared(
    select(message.c.thread_id, attachment)
    .join(attachment, attachment.c.message_id == message.c.id)
    .where(among(message.c.thread_id), message.c.attachment_count > 0)
    .order_by(attachment.c.message_id, attachment.c.position)
)


def _file(row: Row[Any]) -> File:
    said = columns(row)
    return File(**{name: said[name] for name in File.__slots__})


def _by_thread(rows: Iterable[Any]) -> Mapping[int, list[Any]]:
    grouped: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.thread_id].append(row)
    return grouped


def _computed(row: Row[Any]) -> set[str]:
    return computed_labels(row.direction, row.state, unread=row.unread)


def computed_labels(direction: str, state: str, *, unread: bool) -> set[str]:
    """Return the labels that follow from what a message is."""
    if direction == "outbound":
        return {way_label(direction, state)} | {state} & {"bounced"}
    return {way_label(direction, state), "unread" if unread else "read"}


def way_label(direction: str, state: str) -> str:
    """Return the label that says which way a message went, or that it has not gone yet."""
    if direction == "inbound":
        return "received"
    return "scheduled" if state == "scheduled" else "sent"

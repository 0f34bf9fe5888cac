"""Announcements: entries of the event log with what decides who may be told of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select

from ..values import EventType
from . import conversations, domains, records
from .reach import HIDDEN_LABELS, Reach
from .tables import inbox, label, message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..models import Actions
    from .conversations import Conversation
    from .domains import DomainRecord
    from .records import Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An entry of the log. ``labels`` are those of its message that lists leave out.

    What is about a domain is of no inbox; of no pod either when the domain is of none.
    """

    seq: int
    type: str
    at: datetime
    inbox_id: int
    inbox: str
    pod_id: str
    message_id: int
    thread_id: int | None
    labels: frozenset[str]
    recipient: str
    hard: bool
    reason_class: str
    reason: str
    data: Mapping[str, Any]

    def is_within(self, reach: Reach) -> bool:
        """Whether a caller with this reach may know of it."""
        return reach.holds(self.pod_id, self.inbox_id) and not self.labels.intersection(
            reach.forbidden
        )


def of(connection: Connection, rows: Sequence[Row[Any]]) -> list[Announcement]:
    """Return entries of the log as announcements; those of deleted inboxes are left out."""
    owners = _owners(connection, {row.inbox_id for row in rows})
    labels = _labels(connection, {row.message_id for row in rows})
    return [
        _announcement(row, *_owner(row, owners), frozenset(labels[row.message_id]))
        for row in rows
        if row.inbox_id in owners or _is_of_domain(row)
    ]


def _announcement(row: Row[Any], address: str, pod_id: str, labels: frozenset[str]) -> Announcement:
    return Announcement(
        seq=row.seq,
        type=row.type,
        at=row.at,
        inbox_id=row.inbox_id,
        inbox=address,
        pod_id=pod_id,
        message_id=row.message_id,
        thread_id=row.thread_id,
        labels=labels,
        recipient=row.recipient,
        hard=row.hard,
        reason_class=row.reason_class,
        reason=row.reason,
        data=row.data,
    )


def _is_of_domain(row: Row[Any]) -> bool:
    return bool(row.type == EventType.DOMAIN_VERIFIED)


def _owner(row: Row[Any], owners: Mapping[int, tuple[str, str]]) -> tuple[str, str]:
    return owners.get(row.inbox_id) or ("", row.data.get("pod_id") or "")


def _owners(connection: Connection, ids: set[int]) -> Mapping[int, tuple[str, str]]:
    """Return the address and the pod of inboxes."""
    query = select(inbox.c.id, inbox.c.address, inbox.c.pod_id).where(inbox.c.id.in_(ids))
    return {row.id: (row.address, row.pod_id) for row in connection.execute(query)}


def _labels(connection: Connection, ids: set[int]) -> Mapping[int, set[str]]:
    found: defaultdict[int, set[str]] = defaultdict(set)
    query = select(label).where(label.c.message_id.in_(ids), label.c.label.in_(HIDDEN_LABELS))
    for row in connection.execute(query):
        found[row.message_id].add(row.label)
    return found


@dataclass(frozen=True, slots=True)
class Subject:
    """What an announcement is about: a message, with its thread where that is wanted."""

    message: Shown
    thread: Conversation | None


def present(connection: Connection, told: Sequence[Announcement]) -> set[int]:
    """Return of the messages that announcements are about those that were not deleted."""
    query = select(message.c.id).where(message.c.id.in_({one.message_id for one in told}))
    return set(connection.execute(query).scalars())


def subject_domain(connection: Connection, told: Announcement) -> DomainRecord | None:
    """Return the domain that an announcement is about, or None when it was deleted."""
    return domains.by_name(connection, told.data["domain_id"])


def subject(
    connection: Connection, told: Announcement, actions: Actions, *, thread: bool
) -> Subject | None:
    """Return the message that an announcement is about, or None when it was deleted."""
    found = records.shown(connection, [told.message_id], actions)
    if not found:
        return None
    if not thread or told.thread_id is None:
        return Subject(found[0], None)
    # One event for all who are told of it: of the thread what each of them may see.
    forbidden = [name for name in HIDDEN_LABELS if name not in told.labels]
    reach = Reach(forbidden=forbidden)
    return Subject(found[0], conversations.find(connection, reach, told.thread_id))

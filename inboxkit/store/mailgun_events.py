"""The event log as Mailgun shows it: by domain, filtered, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    case,
    cast,
    false,
    or_,
    select,
)

from ..providers.base import Feature
from ..providers.registry import PROVIDERS
from ..values import EventType
from . import mailgun_sends, search
from .database import to_json
from .mailgun_tables import mailgun_send
from .prepared import among
from .tables import attachment, event, inbox, message, reference
from .threads import stored_id

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from typing import TypeAlias

    from sqlalchemy import Row

    from .reach import Reach

    Files: TypeAlias = Mapping[int, Sequence[Mapping[str, Any]]]

# Providers that tell nothing later: what they took is as delivered as it will ever be known.
_SILENT = [name for name, found in PROVIDERS.items() if Feature.EVENTS not in found.capabilities]
SUPPRESSED = and_(event.c.type == "rejected", event.c.reason_class == "suppressed")
TEMPORARY = event.c.type == str(EventType.DEFERRED)
_PERMANENT = or_(event.c.type.in_(("bounced", "failed")), SUPPRESSED)
# What each of Mailgun's names means in our log.
_NAMES: dict[str, ColumnElement[bool]] = {
    "accepted": event.c.type == str(EventType.QUEUED),
    "stored": event.c.type == str(EventType.RECEIVED),
    "delivered": or_(
        event.c.type == str(EventType.DELIVERED),
        and_(event.c.type == str(EventType.ACCEPTED), message.c.provider.in_(_SILENT)),
    ),
    "rejected": and_(event.c.type == "rejected", event.c.reason_class != "suppressed"),
    "failed": or_(TEMPORARY, _PERMANENT),
    "opened": event.c.type == str(EventType.OPENED),
    "clicked": event.c.type == str(EventType.CLICKED),
    "unsubscribed": event.c.type == str(EventType.UNSUBSCRIBED),
    "complained": event.c.type == str(EventType.COMPLAINED),
}
NAMES = tuple(_NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events are asked for; an empty filter lets everything through."""

    reach: Reach
    domains: Sequence[str] = ()
    names: Sequence[str] = ()
    severity: str = ""
    recipients: Sequence[str] = ()
    message_ids: Sequence[str] = ()
    senders: Sequence[str] = ()
    subjects: Sequence[str] = ()
    tags: Sequence[str] = ()
    has_attachment: bool | None = None
    begin: datetime | None = None
    end: datetime | None = None
    ascending: bool = False


def find(connection: Connection, wanted: Wanted, after: int | None, limit: int) -> list[Row[Any]]:
    """Return entries of the log with their messages, from the place ``after`` on, it included."""
    query = _joined().where(*conditions(wanted))
    named: dict[str, list[int]] = {}
    if wanted.message_ids:
        named["ids"] = _named(connection, wanted)
        if not named["ids"]:
            return []
        query = query.where(among(event.c.message_id))
    if after is not None:
        query = query.where(event.c.seq >= after if wanted.ascending else event.c.seq <= after)
    order = event.c.seq.asc() if wanted.ascending else event.c.seq.desc()
    return list(connection.execute(query.order_by(order).limit(limit), named))


def _named(connection: Connection, wanted: Wanted) -> list[int]:
    """Return the messages with these Message-IDs, by what threads know of each inbox.

    A second mail with an id that its inbox knows is in the thread of the first one.
    """
    names = _rfc_ids(wanted)
    known = inbox.join(reference, reference.c.inbox_id == inbox.c.id).join(
        message, message.c.thread_id == reference.c.thread_id
    )
    query = (
        select(message.c.id)
        .select_from(known)
        .where(wanted.reach.inboxes(), *_of_domains(wanted))
        .where(reference.c.rfc_id.in_(list(map(stored_id, names))))
        .where(message.c.message_id.in_(names))
    )
    return list(connection.execute(query.distinct()).scalars())


def _rfc_ids(wanted: Wanted) -> list[str]:
    return [f"<{i.strip('<>')}>" for i in wanted.message_ids]


def _of_domains(wanted: Wanted) -> list[ColumnElement[bool]]:
    if not wanted.domains:
        return []
    return [or_(*(mailgun_sends.of_domain(name) for name in wanted.domains))]


def files(connection: Connection, message_ids: Collection[int]) -> Files:
    """Return what messages have attached, by message; those without anything are left out."""
    query = (
        select(attachment)
        .where(attachment.c.message_id.in_(set(message_ids)))
        .order_by(attachment.c.message_id, attachment.c.position)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(query):
        kept = found.setdefault(row.message_id, [])
        kept.append({"filename": row.filename, "content-type": row.content_type, "size": row.size})
    return found


def by_seqs(connection: Connection, seqs: Sequence[int]) -> list[Row[Any]]:
    """Return entries of the log that Mailgun has a name for, in their order."""
    known = or_(*_NAMES.values())
    query = _joined().where(event.c.seq.in_(seqs), known).order_by(event.c.seq)
    return list(connection.execute(query))


def name(row: Row[Any]) -> str:
    """Return Mailgun's name of an entry."""
    suppressed = row.type == "rejected" and row.reason_class == "suppressed"
    if suppressed or row.type in ("bounced", "deferred", "failed"):
        return "failed"
    plain = {"queued": "accepted", "received": "stored", "accepted": "delivered"}
    return plain.get(row.type, str(row.type))


JOINED = (
    event.join(message, message.c.id == event.c.message_id)
    .join(inbox, inbox.c.id == event.c.inbox_id)
    .outerjoin(mailgun_send, mailgun_send.c.message_id == message.c.id)
)


def _joined() -> Select[Any]:
    return select(
        event,
        inbox.c.address.label("inbox_address"),
        message.c.message_id.label("rfc_id"),
        message.c.direction,
        message.c.rcpt_to,
        message.c.sender_email,
        message.c.sender_name,
        message.c.to.label("people_to"),
        message.c.cc.label("people_cc"),
        message.c.subject,
        message.c.size,
        message.c.tag,
        message.c.metadata.label("asked"),
        message.c.mail_from,
        message.c.provider,
        mailgun_send.c.tags.label("all_tags"),
        mailgun_send.c.is_test,
    ).select_from(JOINED)


def named() -> ColumnElement[str]:
    """Return Mailgun's name of an entry, in the database."""
    return case(*((condition, name) for name, condition in _NAMES.items()), else_="")


def conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    """Return what holds for the entries that are asked for."""
    names = wanted.names or NAMES
    found = [wanted.reach.inboxes(), or_(false(), *(_NAMES[n] for n in names if n in _NAMES))]
    found += [*_of_domains(wanted), *search.shown(wanted.reach.forbidden)]
    if wanted.severity:
        found.append(TEMPORARY if wanted.severity == "temporary" else _PERMANENT)
    if wanted.begin is not None:
        found.append(event.c.at >= wanted.begin)
    if wanted.end is not None:
        found.append(event.c.at <= wanted.end)
    if wanted.has_attachment is not None:
        found.append((message.c.attachment_count > 0) == wanted.has_attachment)
    return found + _about(wanted)


def _about(wanted: Wanted) -> list[ColumnElement[bool]]:
    """Return what holds for the messages of the entries."""
    found: list[ColumnElement[bool]] = []
    if wanted.message_ids:
        found.append(message.c.message_id.in_(_rfc_ids(wanted)))
    if wanted.senders:
        found.append(message.c.sender_email.in_([s.lower() for s in wanted.senders]))
    if wanted.subjects:
        found.append(or_(*(_holds(message.c.subject, text) for text in wanted.subjects)))
    if wanted.recipients:
        found.append(or_(*(_to(address) for address in wanted.recipients)))
    if wanted.tags:
        found.append(or_(*(tagged(tag) for tag in wanted.tags)))
    return found


def _holds(column: Any, text: str) -> ColumnElement[bool]:
    held: ColumnElement[bool] = column.icontains(text, autoescape=True)
    return held


def _to(address: str) -> ColumnElement[bool]:
    """An entry without a recipient is about all recipients; the list is searched as its JSON."""
    everybody = and_(event.c.recipient == "", _holds(_text(message.c.rcpt_to), to_json(address)))
    return or_(_holds(event.c.recipient, address), everybody)


def tagged(tag: str) -> ColumnElement[bool]:
    """Return what holds for messages that carry a tag."""
    return or_(message.c.tag == tag, _holds(_text(mailgun_send.c.tags), to_json(tag)))


def _text(column: Any) -> Any:
    return cast(column, String)

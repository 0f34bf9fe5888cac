"""Domains that are used here: their records, their key, and whether DNS has them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, tuple_, update
from sqlalchemy import literal as value_of

from ..authentication.domains import organization
from ..dkim_keys import DkimKey
from ..dns_records import PENDING, VALID, VERIFIED, DnsRecord, status
from ..errors import InboxKitError
from ..values import EventType
from . import events
from .api_tables import DEFAULT_POD, domain
from .columns import Moment
from .owners import hold_pod

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from .pages import Page
    from .reach import Reach
    from .transactions import Tx

NOWHERE = 0  # the inbox and the message of an event that is of none


class DomainTaken(InboxKitError):
    """The domain is here already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRecord:
    """A domain as it is stored; its id is its name. ``pod_id`` None: it is of no single pod."""

    id: str
    pod_id: str | None
    status: str
    feedback_enabled: bool
    inbound_enabled: bool
    subdomains_enabled: bool
    tracking_enabled: bool
    records: tuple[DnsRecord, ...]
    dkim_selector: str
    dkim_key: str = field(repr=False)
    client_id: str | None = None
    verified_at: datetime | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def key(self) -> DkimKey:
        """The key that signs what it sends."""
        return DkimKey(self.id, self.dkim_selector, self.dkim_key)

    def is_open_to(self, pod_id: str | None) -> bool:
        """Whether a pod may have addresses of it; None stands for who is bound to no pod."""
        return pod_id is None or self.pod_id in (None, pod_id)

    def signs_for(self, pod_id: str | None) -> bool:
        """Whether its key signs what an inbox of a pod sends; who is bound to no pod made those of
        the default one.
        """
        return self.is_open_to(pod_id) if pod_id != DEFAULT_POD else True


def create(tx: Tx, wanted: DomainRecord) -> DomainRecord:
    """Store a domain; the same ``client_id`` in a pod returns the same one. Raise DomainTaken.

    Raise NotFound when the pod that it belongs to was deleted meanwhile.
    """
    if wanted.pod_id is not None:
        hold_pod(tx, wanted.pod_id)
    if wanted.client_id is not None:
        named = select(domain).where(domain.c.client_id == wanted.client_id)
        known = tx.connection.execute(named).first()
        if known is not None and known.pod_id != wanted.pod_id:
            raise DomainTaken(f"the client_id {wanted.client_id} is taken; choose another")
        if known is not None:
            return _record(known)
    above = around(tx.connection, wanted.id)
    if above is not None and (above.id == wanted.id or not above.is_open_to(wanted.pod_id)):
        raise DomainTaken(f"the domain {above.id} is here already")
    row = {name: getattr(wanted, name) for name in DomainRecord.__slots__}
    tx.connection.execute(insert(domain), [row | {"records": _stored(wanted.records)}])
    return wanted


def _stored(records: Sequence[DnsRecord]) -> list[dict[str, Any]]:
    return [asdict(record) for record in records]


def by_name(connection: Connection, name: str) -> DomainRecord | None:
    """Return a domain, whoever it belongs to."""
    row = connection.execute(select(domain).where(domain.c.id == name)).first()
    return None if row is None else _record(row)


def around(connection: Connection, name: str) -> DomainRecord | None:
    """Return the domain that a name is or lies in, the nearest, whoever it belongs to.

    Nobody owns what lies in a public suffix, such as ``co.uk``.
    """
    names, top = [name], organization(name)
    while names[-1] != top and "." in names[-1]:
        names.append(names[-1].partition(".")[2])
    rows = connection.execute(select(domain).where(domain.c.id.in_(names)))
    return max(map(_record, rows), key=lambda one: len(one.id), default=None)


def find(connection: Connection, reach: Reach, name: str) -> DomainRecord | None:
    """Return a domain within reach."""
    row = connection.execute(select(domain).where(_held(reach), domain.c.id == name)).first()
    return None if row is None else _record(row)


def listed(
    connection: Connection, reach: Reach, page: Page[tuple[datetime, str]]
) -> list[DomainRecord]:
    """Return a page of the domains within reach, newest first."""
    key = (domain.c.created_at, domain.c.id)
    query = select(domain).where(_held(reach))
    if page.after is not None:
        at, name = page.after
        after, place = tuple_(value_of(at, Moment), value_of(name)), tuple_(*key)
        query = query.where(place > after if page.ascending else place < after)
    order = [column.asc() if page.ascending else column.desc() for column in key]
    rows = connection.execute(query.order_by(*order).limit(page.size + 1))
    return [_record(row) for row in rows]


def _held(reach: Reach) -> ColumnElement[bool]:
    """Return what holds for the domains within reach; a key of one inbox has none."""
    if reach.inbox_id is not None:
        return domain.c.id.in_([])
    if reach.pod_id is not None:
        return domain.c.pod_id == reach.pod_id
    return domain.c.id.is_not(None)


def change(
    tx: Tx,
    name: str,
    uses: Mapping[str, Any],
    records: Callable[[DomainRecord], Sequence[DnsRecord]],
    now: datetime,
) -> DomainRecord | None:
    """Change what a domain is used for; ``records`` returns what DNS must have for that.

    What is known of a record that it needs still is kept; the others are to be verified.
    """
    known = _held_now(tx, name)
    if known is None:
        return None
    kept = {(r.type, r.name): r for r in known.records}
    wanted = [kept.get((r.type, r.name), r) for r in records(replace(known, **uses))]
    values: dict[str, Any] = {**uses, "records": wanted}
    if known.status == VERIFIED and status(wanted) != VERIFIED:
        values["status"] = PENDING
    return _changed(tx, name, values, now)


def verified(
    tx: Tx, name: str, found: Sequence[DnsRecord], *, now: datetime
) -> DomainRecord | None:
    """Remember what DNS says; log it when the domain has become a verified one.

    A record that the domain has needed since it was looked up is still to be verified.
    """
    known = _held_now(tx, name)
    if known is None:
        return None
    told = {(r.type, r.name, r.value): r for r in found}
    records = [told.get((r.type, r.name, r.value), r) for r in known.records]
    values: dict[str, Any] = {"status": status(records), "records": records}
    if values["status"] == VERIFIED and known.status != VERIFIED:
        values["verified_at"] = now
        events.append(
            tx,
            EventType.DOMAIN_VERIFIED,
            at=now,
            inbox_id=NOWHERE,
            message_id=NOWHERE,
            data={"domain_id": name, "pod_id": known.pod_id},
        )
    return _changed(tx, name, values, now)


def _held_now(tx: Tx, name: str) -> DomainRecord | None:
    """Return a domain as it is until this transaction ends: what it needs is changed from that."""
    row = select(domain.c.id).where(domain.c.id == name)
    tx.connection.execute(row.with_for_update())
    return by_name(tx.connection, name)


def _changed(tx: Tx, name: str, values: Mapping[str, Any], now: datetime) -> DomainRecord | None:
    stored = {**values, "records": _stored(values["records"]), "updated_at": now}
    tx.connection.execute(update(domain).where(domain.c.id == name).values(**stored))
    return by_name(tx.connection, name)


def remove(tx: Tx, name: str) -> bool:
    """Delete a domain and its key; False when there is none."""
    return bool(tx.connection.execute(delete(domain).where(domain.c.id == name)).rowcount)


def signing(connection: Connection, name: str) -> DomainRecord | None:
    """Return a domain whose public key has been found in DNS."""
    known = by_name(connection, name)
    if known is None:
        return None
    published = f"{known.dkim_selector}._domainkey.{known.id}"
    good = any(r.name == published and r.status == VALID for r in known.records)
    return known if good else None


def _record(row: Row[Any]) -> DomainRecord:
    fields = {name: getattr(row, name) for name in DomainRecord.__slots__}
    fields["records"] = tuple(DnsRecord(**one) for one in row.records)
    return DomainRecord(**fields)

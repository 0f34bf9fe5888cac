"""Pods: tenants, each with inboxes of its own. Inboxes made without one are in ``pod_default``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, exists, func, insert, select

from ..tokens import new_id, public_id
from . import api_keys, endpoints, mailgun_validations, subscriptions
from .api_tables import DEFAULT_POD, domain, list_entry, pod, template
from .pages import Page, paged
from .tables import inbox, suppression

if TYPE_CHECKING:
    from datetime import datetime

    from .reach import Reach
    from .transactions import Tx


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod as it is stored."""

    id: str
    name: str
    client_id: str | None
    created_at: datetime
    updated_at: datetime


def create(tx: Tx, *, name: str, client_id: str | None, now: datetime) -> PodRecord:
    """Create a pod, or return the one that has the ``client_id`` already."""
    if client_id is not None:
        query = select(pod).where(pod.c.client_id == client_id)
        found = tx.connection.execute(query).first()
        if found is not None:
            return _record(found)
    made = PodRecord(public_id("pod", new_id()), name, client_id, now, now)
    row = {"id": made.id, "name": name, "client_id": client_id, "created_at": now}
    tx.connection.execute(insert(pod), [row | {"updated_at": now}])
    return made


def find(connection: Connection, pod_id: str) -> PodRecord | None:
    """Return the pod with this id."""
    row = connection.execute(select(pod).where(pod.c.id == pod_id)).first()
    return None if row is None else _record(row)


def listed(connection: Connection, reach: Reach, page: Page[str]) -> list[PodRecord]:
    """Return a page of the pods within reach."""
    query = paged(select(pod), pod.c.id, page)
    if reach.pod_id is not None:
        query = query.where(pod.c.id == reach.pod_id)
    return [_record(row) for row in connection.execute(query)]


def remove(tx: Tx, pod_id: str) -> bool:
    """Delete an empty pod and its keys; False when it still has things or is the default one."""
    held = select(pod.c.id).where(pod.c.id == pod_id).with_for_update()
    tx.connection.execute(held)  # whoever is adding to it has done so
    used = (table.c.pod_id == pod_id for table in (inbox, domain, template))
    if pod_id == DEFAULT_POD or any(
        tx.connection.execute(select(exists().where(mine))).scalar() for mine in used
    ):
        return False
    tx.connection.execute(delete(list_entry).where(list_entry.c.pod_id == pod_id))
    api_keys.remove_of(tx, pod_id=pod_id)
    endpoints.remove_of(tx, pod_id=pod_id)
    mailgun_validations.remove_of(tx, pod_id)
    subscriptions.remove_of(tx, pod_id=pod_id)
    tx.connection.execute(delete(suppression).where(suppression.c.domain == pod_id))
    tx.connection.execute(delete(pod).where(pod.c.id == pod_id))
    return True


def domains(connection: Connection, reach: Reach) -> int:
    """Return how many domains there are within reach."""
    query = select(func.count()).select_from(domain)
    if reach.pod_id is not None:
        query = query.where(domain.c.pod_id == reach.pod_id)
    return connection.execute(query).scalar_one()


def _record(row: Row[Any]) -> PodRecord:
    return PodRecord(row.id, row.name, row.client_id, row.created_at, row.updated_at)

"""Templates of mails: a name in a pod, versions by tag, one of which is active."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from ..errors import InboxKitError, NotFound
from ..templates.rendering import Sources
from ..tokens import new_id
from .api_tables import template, template_version
from .owners import hold_pod
from .pages import Page, paged
from .rows import columns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .transactions import Tx


class TemplateTaken(InboxKitError):
    """The name or the tag is there already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRecord:
    """A template as it is stored."""

    id: int
    pod_id: str
    name: str
    description: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """A version as it is stored; ``tag`` is its name."""

    id: int
    template_id: int
    tag: str
    active: bool
    engine: str
    comment: str
    subject: str = ""
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    created_at: datetime
    updated_at: datetime

    @property
    def sources(self) -> Sources:
        """What is rendered."""
        return Sources(
            engine=self.engine,
            subject=self.subject,
            text=self.text,
            html=self.html,
            headers=self.headers,
        )


def create(tx: Tx, *, pod_id: str, name: str, description: str, now: datetime) -> TemplateRecord:
    """Make a template without versions; raise TemplateTaken, NotFound when the pod is deleted."""
    hold_pod(tx, pod_id)
    if find(tx.connection, pod_id, name) is not None:
        raise TemplateTaken(f"the template {name} is there already")
    made = TemplateRecord(
        id=new_id(),
        pod_id=pod_id,
        name=name,
        description=description,
        created_at=now,
        updated_at=now,
    )
    tx.connection.execute(insert(template), [asdict(made)])
    return made


def find(connection: Connection, pod_id: str, name: str) -> TemplateRecord | None:
    """Return the template of a pod with this name."""
    mine = (template.c.pod_id == pod_id) & (template.c.name == name)
    row = connection.execute(select(template).where(mine)).first()
    return None if row is None else TemplateRecord(**columns(row))


def listed(connection: Connection, pod_id: str, page: Page[int]) -> list[TemplateRecord]:
    """Return a page of a pod's templates."""
    query = paged(select(template).where(template.c.pod_id == pod_id), template.c.id, page)
    return [TemplateRecord(**columns(row)) for row in connection.execute(query)]


def describe(tx: Tx, known: TemplateRecord, description: str, now: datetime) -> None:
    """Change the description."""
    mine = update(template).where(template.c.id == known.id)
    tx.connection.execute(mine.values(description=description, updated_at=now))


def remove(tx: Tx, known: TemplateRecord) -> None:
    """Delete a template with its versions."""
    _hold(tx, known.id)
    mine = template_version.c.template_id == known.id
    tx.connection.execute(delete(template_version).where(mine))
    tx.connection.execute(delete(template).where(template.c.id == known.id))


def _hold(tx: Tx, template_id: int) -> bool:
    mine = select(template.c.id).where(template.c.id == template_id)
    return tx.connection.execute(mine.with_for_update()).first() is not None


def add_version(tx: Tx, wanted: VersionRecord) -> VersionRecord:
    """Store a version; the first of a template is active. Raise TemplateTaken."""
    if not _hold(tx, wanted.template_id):
        raise NotFound("the template was deleted meanwhile")
    if version(tx.connection, wanted.template_id, wanted.tag) is not None:
        raise TemplateTaken(f"the version {wanted.tag} is there already")
    row = {f.name: getattr(wanted, f.name) for f in fields(wanted)}
    row |= {"headers": dict(wanted.headers), "active": False}
    tx.connection.execute(insert(template_version), [row])
    if wanted.active or version(tx.connection, wanted.template_id, None) is None:
        activate(tx, wanted.template_id, wanted.id)
    return _required(tx.connection, wanted.id)


def activate(tx: Tx, template_id: int, version_id: int) -> None:
    """Make a version the one that is used."""
    c = template_version.c
    mine = update(template_version).where(c.template_id == template_id)
    tx.connection.execute(mine.values(active=c.id == version_id))


def version(connection: Connection, template_id: int, tag: str | None) -> VersionRecord | None:
    """Return the version with this tag; without one, the active one."""
    c = template_version.c
    named = c.active if tag is None else c.tag == tag
    query = select(template_version).where(c.template_id == template_id, named)
    row = connection.execute(query).first()
    return None if row is None else _version(row)


def versions(connection: Connection, template_id: int, page: Page[int]) -> list[VersionRecord]:
    """Return a page of a template's versions."""
    c = template_version.c
    query = paged(select(template_version).where(c.template_id == template_id), c.id, page)
    return [_version(row) for row in connection.execute(query)]


def change_version(
    tx: Tx, known: VersionRecord, values: Mapping[str, Any], now: datetime
) -> VersionRecord:
    """Change a version, and make it the active one if that is said."""
    plain = {name: value for name, value in values.items() if name != "active"}
    mine = update(template_version).where(template_version.c.id == known.id)
    tx.connection.execute(mine.values(updated_at=now, **plain))
    if values.get("active"):
        activate(tx, known.template_id, known.id)
    return _required(tx.connection, known.id)


def remove_version(tx: Tx, known: VersionRecord) -> None:
    """Delete a version."""
    mine = template_version.c.id == known.id
    tx.connection.execute(delete(template_version).where(mine))


def _required(connection: Connection, version_id: int) -> VersionRecord:
    mine = template_version.c.id == version_id
    return _version(connection.execute(select(template_version).where(mine)).one())


def _version(row: Row[Any]) -> VersionRecord:
    return VersionRecord(**columns(row))

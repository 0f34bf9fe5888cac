"""Endpoints: the URLs that events are posted to, what each wants, and how far it was served."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from ..tokens import new_id, public_id
from . import announcements, api_keys, claims, events, jobs
from .api_tables import attempt, endpoint
from .pages import Page, paged
from .prepared import Prepared
from .reach import Reach
from .rows import columns
from .tables import inbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .transactions import Tx

CHANGED = "endpoint"  # what rings when there may be another one to serve
TOPIC = "post"  # the kind of job that posts one event to one endpoint
KEY_ENDED = "the API key that made it is revoked or has expired"
_MOST_OLD_SECRETS = 4  # each is a signature in every header


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRecord:
    """An endpoint as it is stored. ``pod_ids`` and ``inbox_ids`` empty: all within its scope.

    ``forbidden`` are the labels that its maker might not see. ``inbox`` is the address of
    ``inbox_id``, the inbox that the endpoint belongs to. ``old_secrets`` sign too, each until its
    moment in ISO 8601. It ends with the API key ``key_id``; None: with none.
    """

    id: int = 0
    pod_id: str | None = None
    inbox_id: int | None = None
    client_id: str | None = None
    url: str
    secret: str
    old_secrets: Sequence[tuple[str, str]] = ()
    event_types: Sequence[str]
    pod_ids: Sequence[str] = ()
    inbox_ids: Sequence[int] = ()
    forbidden: Sequence[str] = ()
    headers: Mapping[str, str]
    enabled: bool = True
    disabled_because: str = ""
    failing_since: datetime | None = None
    cursor: int = 0
    key_id: int | None = None
    created_at: datetime
    updated_at: datetime
    inbox: str | None = None

    @property
    def scope(self) -> str:
        """Who may see it, as one text."""
        return f"inbox:{self.inbox_id}" if self.inbox_id is not None else self.pod_id or ""

    def signing(self, now: datetime) -> list[str]:
        """Return the secrets that sign now, the newest first."""
        return [self.secret, *(old for old, until in self.earlier() if until > now)]

    def earlier(self) -> list[tuple[str, datetime]]:
        """Return the secrets that it had before, each with the end of its time."""
        return [(old, datetime.fromisoformat(until)) for old, until in self.old_secrets]

    def old_until(self) -> datetime | None:
        """Return until when an earlier secret signs too."""
        return max((until for _, until in self.earlier()), default=None)


_STORED = tuple(name for name in EndpointRecord.__slots__ if name != "inbox")


def public(endpoint_id: int) -> str:
    """Return the id that users see."""
    return public_id("ep", endpoint_id)


def create(tx: Tx, wanted: EndpointRecord) -> EndpointRecord:
    """Store an endpoint that gets what happens from now on.

    One that has the ``client_id`` already within the same scope is returned instead; if it has
    ended with its key, the new one takes its place. Raise NotFound when the inbox or the pod that
    it belongs to was deleted meanwhile.
    """
    claims.hold_owner(tx, pod_id=wanted.pod_id, inbox_id=wanted.inbox_id)
    if wanted.client_id is not None:
        mine = (endpoint.c.scope == wanted.scope) & (endpoint.c.client_id == wanted.client_id)
        known = tx.connection.execute(_all().where(mine)).first()
        if known is not None and not _ended(tx.connection, [known], wanted.created_at):
            return _record(known)
        if known is not None:
            remove(tx, [known.id])
    made = replace(wanted, id=new_id(), cursor=events.last(tx.connection))
    row = {name: getattr(made, name) for name in _STORED} | {"scope": made.scope}
    for name in ("event_types", "pod_ids", "inbox_ids", "forbidden", "old_secrets"):
        row[name] = list(row[name])
    tx.connection.execute(insert(endpoint), [row | {"headers": dict(made.headers)}])
    tx.wake(CHANGED)
    return made


def find(
    connection: Connection, reach: Reach, endpoint_id: int, now: datetime
) -> EndpointRecord | None:
    """Return an endpoint within reach, disabled when its key has ended."""
    found = _judged(connection, _within(reach).where(endpoint.c.id == endpoint_id), now)
    return found[0] if found else None


def by_id(connection: Connection, endpoint_id: int, now: datetime) -> EndpointRecord | None:
    """Return an endpoint, disabled when its key has ended."""
    found = _judged(connection, _all().where(endpoint.c.id == endpoint_id), now)
    return found[0] if found else None


def listed(
    connection: Connection, reach: Reach, page: Page[int], now: datetime
) -> list[EndpointRecord]:
    """Return a page of the endpoints within reach, those disabled whose key has ended."""
    return _judged(connection, paged(_within(reach), endpoint.c.id, page), now)


def enabled(connection: Connection, now: datetime) -> list[EndpointRecord]:
    """Return the endpoints that are to be served, those disabled whose key has ended since."""
    if not _any_enabled(connection):  # as a rule
        return []
    return _judged(connection, _all().where(endpoint.c.enabled.is_(True)), now)


_any_enabled = Prepared(select(endpoint.c.id).where(endpoint.c.enabled.is_(True)).limit(1))


def change(tx: Tx, endpoint_id: int, now: datetime, values: Mapping[str, Any]) -> None:
    """Change columns. One that is enabled anew gets what happens from now on."""
    more: dict[str, Any] = {}
    if values.get("enabled"):
        off = select(endpoint.c.id).where(endpoint.c.id == endpoint_id, ~endpoint.c.enabled)
        if tx.connection.execute(off).first() is not None:
            more = {"cursor": events.last(tx.connection), "failing_since": None}
            more["disabled_because"] = ""
    mine = update(endpoint).where(endpoint.c.id == endpoint_id)
    tx.connection.execute(mine.values(updated_at=now, **values, **more))
    tx.wake(CHANGED)


def rotate(tx: Tx, endpoint_id: int, secret: str, now: datetime, overlap: timedelta) -> None:
    """Sign with another secret; the one before signs too until ``overlap`` is over.

    With no ``overlap`` all earlier ones sign no more.
    """
    row = select(endpoint.c.id).where(endpoint.c.id == endpoint_id)
    tx.connection.execute(row.with_for_update())
    held = by_id(tx.connection, endpoint_id, now)
    if held is None:
        return
    valid = [[old, at.isoformat()] for old, at in held.earlier() if at > now and old != secret]
    latest = [] if held.secret == secret else [[held.secret, (now + overlap).isoformat()]]
    kept = [*latest, *valid][:_MOST_OLD_SECRETS] if overlap else []
    mine = update(endpoint).where(endpoint.c.id == endpoint_id)
    tx.connection.execute(mine.values(secret=secret, old_secrets=kept, updated_at=now))


def remove(tx: Tx, endpoint_ids: Sequence[int]) -> None:
    """Delete endpoints with the log of their attempts; what waits for them is not posted."""
    for endpoint_id in endpoint_ids:
        jobs.cancel_prefix(tx, TOPIC, f"{endpoint_id}:")
    tx.connection.execute(delete(attempt).where(attempt.c.endpoint_id.in_(endpoint_ids)))
    tx.connection.execute(delete(endpoint).where(endpoint.c.id.in_(endpoint_ids)))


def remove_of(tx: Tx, *, inbox_id: int | None = None, pod_id: str | None = None) -> None:
    """Delete the endpoints of an inbox or a pod that is deleted itself."""
    of = endpoint.c.pod_id == pod_id if inbox_id is None else endpoint.c.inbox_id == inbox_id
    remove(tx, list(tx.connection.execute(select(endpoint.c.id).where(of)).scalars()))


@dataclass(frozen=True, slots=True)
class Portion:
    """What an endpoint is given of the log: the events up to ``until`` that it wants.

    One that is disabled, as its key has ended, is given nothing any more.
    """

    endpoint: EndpointRecord
    until: int
    wanted: Sequence[tuple[int, int, str]]  # place in the log, inbox, type as it is told


def give(tx: Tx, portions: Sequence[Portion], now: datetime) -> None:
    """Queue what endpoints want. Of two processes that do it at once, only one does."""
    tx.wake("done")
    for portion in portions:
        if not portion.endpoint.enabled:
            disable(tx, portion.endpoint.id, now, portion.endpoint.disabled_because)
            continue
        mine = (endpoint.c.id == portion.endpoint.id) & (
            endpoint.c.cursor == portion.endpoint.cursor
        )
        moved = tx.connection.execute(update(endpoint).where(mine).values(cursor=portion.until))
        if moved.rowcount:
            to = portion.endpoint.id
            made = [_job(to, seq, of, name, now) for seq, of, name in portion.wanted]
            jobs.put_new(tx, TOPIC, made)  # one may have been given by its id already


def are_behind(connection: Connection) -> bool:
    """Whether there are events that an endpoint was not given yet."""
    return bool(_behind.rows(connection, last=events.last(connection)))


_behind = Prepared(
    select(endpoint.c.id)
    .where(endpoint.c.enabled.is_(True), endpoint.c.cursor < bindparam("last"))
    .limit(1)
)


def _job(endpoint_id: int, seq: int, inbox_id: int, name: str, now: datetime) -> Mapping[str, Any]:
    """Return the job of one post; those of one inbox are made one after the other."""
    lane = f"{TOPIC}:{endpoint_id}:{inbox_id}"
    key, data = f"{endpoint_id}:{seq}", {"type": name}
    return jobs.new_job(TOPIC, key, inbox_id=inbox_id, due_at=now, lane=lane, data=data)


def give_again(tx: Tx, endpoint_id: int, seqs: Sequence[int], now: datetime) -> int:
    """Queue events for an endpoint once more, beside what waits in order; return how many.

    Those that are being posted are left out.
    """
    known = [row for row in (events.by_seq(tx.connection, seq) for seq in seqs) if row is not None]
    made = [_job(endpoint_id, row.seq, row.inbox_id, "", now) for row in known]
    jobs.cancel(tx, TOPIC, [one["key"] for one in made])
    free = [one for one in made if not jobs.is_known(tx.connection, TOPIC, one["key"])]
    jobs.put(tx, [{**one, "lane": None} for one in free])
    return len(free)


def reachable(connection: Connection, served: EndpointRecord, seqs: Sequence[int]) -> Sequence[int]:
    """Return which of these events an endpoint may be told of; the others look unknown."""
    rows = [row for row in (events.by_seq(connection, seq) for seq in seqs) if row is not None]
    reach = Reach(served.pod_id, served.inbox_id, tuple(served.forbidden))
    return [one.seq for one in announcements.of(connection, rows) if one.is_within(reach)]


def recovered(tx: Tx, endpoint_id: int) -> None:
    """Note that an endpoint takes events again."""
    failing = (endpoint.c.id == endpoint_id) & endpoint.c.failing_since.is_not(None)
    tx.connection.execute(update(endpoint).where(failing).values(failing_since=None))


def failed(tx: Tx, endpoint_id: int, now: datetime) -> datetime:
    """Note that an endpoint did not take an event; return since when it does not."""
    mine = endpoint.c.id == endpoint_id
    fresh = mine & endpoint.c.failing_since.is_(None)
    tx.connection.execute(update(endpoint).where(fresh).values(failing_since=now))
    since = tx.connection.execute(select(endpoint.c.failing_since).where(mine)).scalar()
    return since or now


def disable(tx: Tx, endpoint_id: int, now: datetime, because: str) -> bool:
    """Serve an endpoint no more; False when it was not served."""
    mine = (endpoint.c.id == endpoint_id) & endpoint.c.enabled.is_(True)
    off = {"enabled": False, "disabled_because": because, "updated_at": now}
    return bool(tx.connection.execute(update(endpoint).where(mine).values(**off)).rowcount)


def _all() -> Any:
    return select(endpoint, inbox.c.address.label("inbox")).outerjoin(
        inbox, inbox.c.id == endpoint.c.inbox_id
    )


def _within(reach: Reach) -> Any:
    """Return the endpoints of what is within reach; an organization's own only from above."""
    query = _all()
    if reach.inbox_id is not None:
        return query.where(endpoint.c.inbox_id == reach.inbox_id)
    if reach.pod_id is not None:
        return query.where(endpoint.c.pod_id == reach.pod_id)
    return query


def _judged(connection: Connection, query: Any, now: datetime) -> list[EndpointRecord]:
    rows = connection.execute(query).all()
    over, found = _ended(connection, rows, now), map(_record, rows)
    off: dict[str, Any] = {"enabled": False, "disabled_because": KEY_ENDED}
    return [replace(r, **off) if r.enabled and r.key_id in over else r for r in found]


def _ended(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> set[int]:
    return api_keys.ended(connection, (row.key_id for row in rows), now)


def _record(row: Row[Any]) -> EndpointRecord:
    said = columns(row)
    return EndpointRecord(**{name: said[name] for name in EndpointRecord.__slots__})

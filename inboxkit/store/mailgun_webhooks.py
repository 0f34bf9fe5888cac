"""Where a domain's events are posted to in Mailgun's form, and how far the log was followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select

from . import events, facts, jobs
from .mailgun_tables import mailgun_webhook
from .turn_numbers import numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from .transactions import Tx

KIND = "mailgun"  # of the jobs that post
_CURSOR = "mailgun_cursor"
_BASE = "mailgun_base"
_KEY = "mailgun_signing_key"


def of_domain(connection: Connection, domain: str) -> dict[str, list[str]]:
    """Return the URLs of a domain by the name of the event."""
    query = select(mailgun_webhook).where(mailgun_webhook.c.domain == domain)
    return {row.name: list(row.urls) for row in connection.execute(query)}


def everything(connection: Connection) -> dict[str, dict[str, list[str]]]:
    """Return the URLs of all domains, by domain and name of the event."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in connection.execute(select(mailgun_webhook)):
        found.setdefault(row.domain, {})[row.name] = list(row.urls)
    return found


def change(
    tx: Tx,
    domain: str,
    changes: Callable[[Mapping[str, Sequence[str]]], Mapping[str, Sequence[str]]],
    *,
    now: datetime,
    base: str,
) -> dict[str, list[str]]:
    """Set the URLs of some events of a domain; return those of all.

    ``changes`` returns them for what there is, which nobody else changes meanwhile; an event
    without any is taken out.
    """
    tx.take_turns(numbered("mailgun webhooks", [domain]))
    changed = changes(of_domain(tx.connection, domain))
    names = mailgun_webhook.c.name.in_(list(changed))
    mine = (mailgun_webhook.c.domain == domain) & names
    tx.connection.execute(delete(mailgun_webhook).where(mine))
    rows = [
        {"domain": domain, "name": name, "urls": list(urls), "updated_at": now}
        for name, urls in changed.items()
        if urls
    ]
    if rows:
        tx.connection.execute(insert(mailgun_webhook), rows)
    begin(tx, base)
    return of_domain(tx.connection, domain)


def cursor(connection: Connection) -> int | None:
    """Return how far the log was followed; None before anything was to be told."""
    found = facts.get(connection, _CURSOR)
    return None if found is None else int(found)


def base(connection: Connection) -> str:
    """Return where this server was last reached by who set up a webhook or a route."""
    return facts.get(connection, _BASE) or ""


def signing_key(connection: Connection) -> str:
    """Return the key that posts are signed with, "" while it is the first one."""
    return facts.get(connection, _KEY) or ""


def set_signing_key(tx: Tx, key: str) -> None:
    """Sign with another key from now on; Mailgun's form of signing has room for one only."""
    facts.put(tx.connection, _KEY, key)


def begin(tx: Tx, base: str) -> None:
    """Follow the log from now on, unless it is followed already; remember where we are reached."""
    facts.put(tx.connection, _BASE, base)
    tx.wake(KIND)
    facts.first(tx.connection, _CURSOR, str(events.last(tx.connection)))


def advance(tx: Tx, before: int, after: int, posts: Sequence[Mapping[str, Any]]) -> bool:
    """Queue what is to be posted of the entries between two places; False when another did it."""
    if not facts.replace(tx, _CURSOR, str(before), str(after)):
        return False
    jobs.put_new(tx, KIND, posts)  # of a mail that is read again, its first post may still wait
    return True

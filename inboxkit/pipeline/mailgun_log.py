"""Follows the event log for those who think in Mailgun's terms: their webhooks and their routes.

What is due to be posted becomes jobs, in the transaction that moves the place in the log on: each
entry is told once, whichever process sees it first.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..blocking import in_thread
from ..errors import NotFound
from ..providers import mailgun_rules
from ..providers.mailgun_requests import Refusal
from ..store import (
    events,
    jobs,
    mailgun_account_webhooks,
    mailgun_events,
    mailgun_routes,
    mailgun_webhooks,
    records,
)
from ..tokens import public_id
from ..values import EventType, Kind
from . import mailgun_events as wire
from .loops import rounds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row

    from ..models import Actions, Message
    from ..providers.mailgun_rules import Action, Condition
    from ..store.mailgun_routes import RouteRecord
    from ..store.store import Store
    from .addresses import Addresses

log = logging.getLogger("inboxkit.mailgun")
_AT_ONCE = 200
_PAUSE_SECONDS = 30.0
# Mail that programs write is posted and stored, but not sent on: two of them would never end.
_SENT_ON = (Kind.HUMAN, Kind.LIST, Kind.CHALLENGE)


class MailgunLog:
    """Queues posts for what happens."""

    def __init__(self, store: Store, addresses: Addresses, actions: Actions) -> None:
        self._store = store
        self._addresses = addresses
        self._actions = actions

    async def run(self) -> None:
        """Follow the log until cancelled; without webhooks and routes there is nothing to do."""
        await rounds("Mailgun's webhooks and routes", self._round, is_aside=True)

    async def _round(self) -> None:
        topic = "event" if await self._is_wanted() else mailgun_webhooks.KIND
        seen = self._store.bell.count(topic)
        if not await self.step():
            await self._store.bell.wait(topic, seen, timeout=_PAUSE_SECONDS)

    async def _is_wanted(self) -> bool:
        return await self._store.read(mailgun_webhooks.cursor) is not None

    async def step(self) -> bool:
        """Take the next entries; False when there are none."""
        start = await self._store.read(mailgun_webhooks.cursor)
        if start is None:
            return False
        entries = await self._store.read(events.after, start, limit=_AT_ONCE)
        if not entries:
            return False
        posts = [*await self._events(entries), *await self._mails(entries)]
        end = entries[-1].seq
        await self._store.write(mailgun_webhooks.advance, start, end, posts)
        return True

    async def _events(self, entries: Sequence[Row[Any]]) -> list[dict[str, Any]]:
        hooks = await self._store.read(mailgun_webhooks.everything)
        everywhere = await self._store.read(mailgun_account_webhooks.urls)
        if not (hooks or everywhere):
            return []
        rows = await self._store.read(mailgun_events.by_seqs, [e.seq for e in entries])
        now = self._store.clock.now()
        return [
            jobs.new_job(
                mailgun_webhooks.KIND,
                f"event:{row.seq}:{number}:{place}",
                inbox_id=row.inbox_id,
                due_at=now,
                data={"url": url, "seq": row.seq, "number": number},
            )
            for row in rows
            for number in range(len(wire.recipients(row)))
            for place, url in enumerate(_urls(hooks, everywhere, row))
        ]

    async def _mails(self, entries: Sequence[Row[Any]]) -> list[dict[str, Any]]:
        came = [e for e in entries if e.type == EventType.RECEIVED]
        known = await self._store.read(mailgun_routes.everything) if came else ()
        rules = [rule for rule in map(_read, known) if rule is not None]
        if not rules:
            return []
        ids = [entry.message_id for entry in came]
        found = await self._store.read(records.messages, ids, self._actions)
        posts: list[dict[str, Any]] = []
        for entry in came:
            name = public_id("msg", entry.message_id)
            message = next((m for m in found if m.id == name), None)
            if message is not None:
                posts += await self._routed(message, entry, rules)
        return posts

    async def _routed(
        self, message: Message, entry: Row[Any], rules: Sequence[Rule]
    ) -> list[dict[str, Any]]:
        recipients = await self._own(message, entry.inbox_id)
        work = await in_thread(_wanted, message, recipients, rules)
        now = self._store.clock.now()
        return [
            jobs.new_job(
                mailgun_webhooks.KIND,
                f"route:{message.id}:{number}",
                inbox_id=entry.inbox_id,
                due_at=now,
                data={**task, "message": entry.message_id},
            )
            for number, task in enumerate(work)
        ]

    async def _own(self, message: Message, inbox_id: int) -> list[str]:
        """Return the recipients of the envelope that mean this inbox."""
        own: list[str] = []
        for recipient in message.envelope.rcpt_to:
            try:
                target = await self._addresses.resolve(recipient, make=False)
            except NotFound:
                continue
            if target is not None and target.inbox_id == inbox_id:
                own.append(recipient)
        return own or [message.inbox]


class Rule:
    """A route, read."""

    def __init__(self, record: RouteRecord) -> None:
        self.id = record.id
        self.conditions: tuple[Condition, ...] = mailgun_rules.expression(record.expression)
        self.actions: tuple[Action, ...] = tuple(map(mailgun_rules.action, record.actions))

    @property
    def stops(self) -> bool:
        """Whether no later route is tried."""
        return any(action.name == "stop" for action in self.actions)


def _read(record: RouteRecord) -> Rule | None:
    try:
        return Rule(record)
    except Refusal as error:  # stored by a version that took more
        log.error("route %s: %s", record.id, error)
        return None


def _urls(
    hooks: Mapping[str, Mapping[str, Sequence[str]]],
    everywhere: Mapping[str, Sequence[str]],
    row: Row[Any],
) -> list[str]:
    """Return where an entry is posted to: to each URL once, whoever named it."""
    domain, name = row.inbox_address.rpartition("@")[2], wire.webhook_name(row)
    return list(dict.fromkeys((*hooks.get(domain, {}).get(name, ()), *everywhere.get(name, ()))))


def _wanted(
    message: Message, recipients: Sequence[str], rules: Sequence[Rule]
) -> list[dict[str, Any]]:
    """Return what the routes ask for, for each recipient in turn."""
    headers = list(message.headers.items())
    work: list[dict[str, Any]] = []
    for recipient in recipients:
        for rule in rules:
            caught = mailgun_rules.matches(rule.conditions, recipient, headers)
            if caught is None:
                continue
            for action in rule.actions:
                targets = [caught.fill(target) for target in action.targets]
                work += (_task(action.name, target, recipient, rule.id) for target in targets)
            if rule.stops:
                break
    return [task for task in work if "url" in task or message.kind in _SENT_ON]


def _task(name: str, target: str, recipient: str, route: str) -> dict[str, Any]:
    task = {"do": name, "recipient": recipient, "route": route}
    return task | ({"url": target} if mailgun_rules.is_url(target) else {"to": target})

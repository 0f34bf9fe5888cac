"""Feedback: providers' webhooks. Verified and stored before the 200; read and acted on after it.

A webhook that cannot be read is kept and shown, never answered with an error that would lose it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..providers.base import (
    FetchPlan,
    InboundMail,
    NeedsFetch,
    ParseError,
    ProviderEvent,
    Unverified,
    WebhookRequest,
)
from ..providers.registry import PROVIDERS, provider
from ..store import deliveries, jobs, sends, suppressions, webhooks
from ..store.deliveries import Outcome
from ..tokens import row_id
from ..values import EventType, WebhookResponse
from .outbox import Configured

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..settings import Settings
    from ..store.jobs import Job
    from ..store.store import Store
    from ..store.writer import Tx
    from .accept import Accept

log = logging.getLogger("inboxkit.webhooks")
BATCH = 32
_LASTING = (EventType.COMPLAINED, EventType.UNSUBSCRIBED)


class Feedback:
    """Takes webhooks in, and does what they say."""

    def __init__(self, store: Store, accept: Accept, settings: Settings) -> None:
        self._store = store
        self._accept = accept
        self._settings = settings
        self._configured: dict[str, Configured] = {}

    def _provider(self, name: str) -> Configured:
        if name not in self._configured:
            found = provider(name)
            config = found.configure(self._settings.provider_options(name))
            self._configured[name] = Configured(found, config)
        return self._configured[name]

    async def receive(
        self, name: str, method: str, headers: Mapping[str, str], query: str, body: bytes, url: str
    ) -> WebhookResponse:
        """Check a webhook's signature over its raw bytes and store it; durable when it returns."""
        if name not in PROVIDERS:
            return _answer(404, f"no provider {name}")
        lowered = {k.lower(): v for k, v in headers.items()}
        request = WebhookRequest(method=method, headers=lowered, query=query, body=body, url=url)
        try:
            chosen = self._provider(name)
        except ConfigurationError as error:
            log.error("webhook of %s: %s", name, error)
            return _answer(503, f"provider {name} is not configured")
        if method not in ("POST", "PUT"):
            return _answer(200, "ok")  # a vendor probes the address
        verdict = chosen.provider.verify(request, chosen.config, self._store.clock.now())
        if isinstance(verdict, Unverified):
            log.warning("webhook of %s refused: %s", name, verdict.reason)
            return _answer(verdict.status, verdict.reason)
        if isinstance(verdict, NeedsFetch):
            log.error("webhook of %s: needs %s, which is not fetched", name, verdict.plan.url)
            return _answer(503, "cannot be verified yet")
        stored = await self._store.write(
            webhooks.store,
            provider=name,
            dedupe=verdict.dedupe_id,
            method=method,
            url=f"{url}?{query}" if query else url,
            headers=lowered,
            body=body,
            now=self._store.clock.now(),
        )
        return _answer(200, "ok" if stored is not None else "known already")

    async def work(self, taken: list[Job]) -> None:
        """Read stored webhooks."""
        for job in taken:
            row = await self._store.read(webhooks.by_id, int(job.key))
            if row is None:
                await self._store.write(jobs.complete, [job])
                continue
            await self._read(job, row)

    async def _read(self, job: Job, row: Any) -> None:
        url, _, query = row.url.partition("?")
        request = WebhookRequest(
            method=row.method, headers=row.headers, query=query, body=row.body, url=url
        )
        try:
            chosen = self._provider(row.provider)
            happened = chosen.provider.parse_events(request, chosen.config)
            arrived = chosen.provider.parse_inbound(request, chosen.config)
        except (ParseError, ConfigurationError) as error:
            log.error("webhook %s of %s: kept, cannot be read: %s", row.id, row.provider, error)
            await self._store.write(self._failed, job, row, str(error))
            return
        for mail in arrived:
            await self._mail(row, mail)
        await self._store.write(self._done, job, row, chosen, happened)

    async def _mail(self, row: Any, mail: InboundMail | FetchPlan) -> None:
        if isinstance(mail, FetchPlan):
            log.error("webhook %s: its mail must be fetched from %s", row.id, mail.hosts)
            return
        await self._accept.mail(
            mail.raw,
            mail_from=mail.mail_from,
            rcpt_to=mail.rcpt_to,
            trace={"provider": row.provider, "event": mail.event_id},
            keep_unrouted=True,
            unique=True,
        )

    def _failed(self, tx: Tx, job: Job, row: Any, error: str) -> None:
        jobs.complete(tx, [job])
        webhooks.settle(tx, row.id, "failed", error)

    def _done(
        self,
        tx: Tx,
        job: Job,
        row: Any,
        chosen: Configured,
        happened: Sequence[ProviderEvent | FetchPlan],
    ) -> None:
        jobs.complete(tx, [job])
        now = self._store.clock.now()
        missing = 0
        for event in happened:
            if isinstance(event, FetchPlan):
                continue
            found = _find(tx.connection, chosen.provider.name, event)
            if found is None:
                missing += 1
                self._suppress_unknown(tx, event)
                continue
            if event.message_id:
                sends.learn_aliases(tx, found, [event.message_id])
            deliveries.happened(tx, found, _outcome(event), now=now)
        webhooks.settle(tx, row.id, "done", f"{missing} events of unknown sends" * bool(missing))

    def _suppress_unknown(self, tx: Tx, event: ProviderEvent) -> None:
        """A dead address is dead, also when the mail was not sent by us."""
        hard = event.type == EventType.BOUNCED and event.hard
        if event.recipient and (hard or event.type in _LASTING):
            suppressions.add(
                tx, event.recipient, reason=str(event.type), now=self._store.clock.now()
            )


def _find(connection: Connection, name: str, event: ProviderEvent) -> int | None:
    metadata = event.data.get("metadata")
    ours = metadata.get("inboxkit_id") if isinstance(metadata, Mapping) else None
    if isinstance(ours, str):
        try:
            return row_id("msg", ours)
        except ValueError:
            log.warning("event of %s names an id that is not ours", name)
    return sends.find_send(
        connection, provider_id=event.provider_id, rfc_id=event.message_id, provider=name
    )


def _outcome(event: ProviderEvent) -> Outcome:
    return Outcome(
        type=event.type,
        at=event.at,
        recipient=event.recipient,
        hard=event.hard,
        reason_class=event.reason_class,
        reason=event.reason,
        event_id=event.event_id,
        data=dict(event.data),
    )


def _answer(status: int, text: str) -> WebhookResponse:
    return WebhookResponse(status, {"Content-Type": "text/plain"}, text.encode())

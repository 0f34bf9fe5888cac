"""Outbox: send what was staged, once, under a stable key, and remember what came of it.

``sending`` is written before the request and the outcome after it. A send that a crash or a
timeout leaves between the two is repeated only where the provider promises that a key sends once;
elsewhere it is marked ``unknown`` and never blindly repeated.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from anyio import CancelScope

from ..errors import SendError, StoreError
from ..parsing import parse
from ..providers.base import (
    Capture,
    Feature,
    HttpRequest,
    HttpResponse,
    Outgoing,
    Refused,
    Retry,
    SendOutcome,
    Sent,
    Unknown,
)
from ..providers.registry import AnyProvider, provider
from ..router import Retries
from ..store import deliveries, jobs, sends, suppressions
from ..store.blobs import Packed
from ..store.deliveries import Outcome
from ..store.jobs import Job, LeaseLost
from ..store.records import addresses
from ..tokens import public_id
from ..values import Address, EventType, File
from .accept import Accept
from .transport import NotDelivered, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anyio.abc import TaskGroup

    from ..settings import Settings
    from ..store.store import Store
    from ..store.writer import Tx

log = logging.getLogger("inboxkit.outbox")
RETRIES = Retries(attempts=12, first=timedelta(seconds=2), factor=3.0)


@dataclass(frozen=True, slots=True)
class Configured:
    """A provider with its checked options."""

    provider: AnyProvider
    config: Any

    @property
    def repeats_safely(self) -> bool:
        """Whether the same key twice sends once."""
        return (
            Feature.IDEMPOTENCY in self.provider.capabilities or self.provider.transport == "memory"
        )


def configure(settings: Settings) -> tuple[Configured, ...]:
    """Return the providers to send through, in order; raise ConfigurationError."""
    return tuple(
        Configured(found := provider(name), found.configure(settings.provider_options(name)))
        for name in settings.provider
    )


class Outbox:
    """Sends queued messages."""

    def __init__(
        self,
        store: Store,
        accept: Accept,
        providers: Sequence[Configured],
        settings: Settings,
        tasks: TaskGroup,
    ) -> None:
        self._store = store
        self._accept = accept
        self._providers = providers
        self._settings = settings
        self._tasks = tasks
        self._running = 0
        self.transport = Transport()

    def room(self) -> int:
        """Return how many more sends may be under way."""
        return self._settings.send_concurrency - self._running

    async def work(self, taken: list[Job]) -> None:
        """Start a task for each send."""
        for job in taken:
            self._running += 1
            self._tasks.start_soon(self._guarded, job)

    async def _guarded(self, job: Job) -> None:
        try:
            await self._one(job)
        except (StoreError, LeaseLost) as error:
            log.error("send %s: %s; it is taken up again", job.key, error)
            with CancelScope(shield=True):
                await self._give_back(job, str(error))
        finally:
            self._running -= 1
            self._store.bell.ring(["send"])

    async def _give_back(self, job: Job, error: str) -> None:
        due = self._store.clock.now() + RETRIES.delay(job.attempts)
        try:
            await self._store.write(jobs.put_back, job, due_at=due, error=error)
        except (StoreError, LeaseLost) as again:
            log.error("send %s: could not be put back: %s", job.key, again)

    async def _one(self, job: Job) -> None:
        row = await self._store.read(sends.to_send, int(job.key))
        if row is None or sends.RANK.get(row.state, 0) >= sends.RANK["unknown"]:
            await self._store.write(jobs.complete, [job])
            return
        again = row.state == "sending"  # a process died, or the job was put back, in between
        if again and not all(p.repeats_safely for p in self._providers):
            await self._finish(job, row, self._providers[0], Unknown("the process ended meanwhile"))
            return
        left = await self._allowed(job, row)
        if left:
            await self._store.write(sends.restate, row.id, "sending", at=self._store.clock.now())
            chosen, outcome = await self._attempt(row, left)
            await self._finish(job, row, chosen, outcome)

    async def _allowed(self, job: Job, row: Any) -> list[str]:
        """Return the recipients that may be written to; end the send when nobody may."""
        left = await self._store.read(sends.recipients_left, row.id)
        domain = row.sender_email.rpartition("@")[2].lower()
        blocked = await self._store.read(suppressions.among, left, domain)
        allowed = [r for r in left if r.lower() not in blocked]
        refused = {r: f"suppressed ({blocked[r.lower()]})" for r in left if r not in allowed}
        if refused or not allowed:
            await self._store.write(self._reject, row, refused, job if not allowed else None)
        return allowed

    def _reject(self, tx: Tx, row: Any, refused: Mapping[str, str], job: Job | None) -> None:
        now = self._store.clock.now()
        for recipient, reason in refused.items():
            outcome = Outcome(
                type=EventType.REJECTED,
                at=now,
                recipient=recipient,
                reason_class="suppressed" if reason.startswith("suppressed") else "",
                reason=reason,
            )
            deliveries.happened(tx, row.id, outcome, now=now)
        if job is not None:
            jobs.complete(tx, [job])

    async def _attempt(self, row: Any, left: list[str]) -> tuple[Configured, SendOutcome]:
        """Try the providers in order; the next one only if the first certainly did not send."""
        chosen = self._providers[0]
        outcome: SendOutcome = Retry(reason="no provider")
        for chosen in self._providers:
            outcome = await self._through(chosen, row, left)
            if not isinstance(outcome, Retry):
                break
        return chosen, outcome

    async def _through(self, chosen: Configured, row: Any, left: list[str]) -> SendOutcome:
        raw = self._store.blobs.unpack(Packed(row.data, row.location))
        message = outgoing(row, raw, left, chosen.provider)
        try:
            request = chosen.provider.build_send(message, chosen.config, self._store.clock.now())
        except SendError as error:
            return Refused(str(error), "unsupported")
        try:
            if isinstance(request, HttpRequest):
                response: Any = await self.transport.http(request)
            elif isinstance(request, Capture):
                response = await self._capture(request)
            else:
                response = await self.transport.smtp(request)
        except NotDelivered as error:
            return chosen.provider.transport_error(error.request_sent, error.reason)
        return chosen.provider.parse_send(response, message, chosen.config)

    async def _capture(self, request: Capture) -> HttpResponse:
        """Keep the message; what is for one of our own inboxes comes back in."""
        for recipient in request.rcpt_to:
            if await self._accept.is_ours(recipient):
                await self._accept.mail(
                    request.mime, mail_from=request.mail_from, rcpt_to=[recipient]
                )
        return HttpResponse(200)

    async def _finish(self, job: Job, row: Any, chosen: Configured, outcome: SendOutcome) -> None:
        if isinstance(outcome, Retry) and job.attempts >= RETRIES.attempts:
            outcome = Refused(
                f"given up after {job.attempts} attempts: {outcome.reason}", "expired"
            )
        if not isinstance(outcome, Sent):
            log.warning("send %s: %s", public_id("msg", row.id), outcome)
        await self._store.write(self._record, job, row, chosen, outcome)

    def _record(self, tx: Tx, job: Job, row: Any, chosen: Configured, outcome: SendOutcome) -> None:
        now = self._store.clock.now()
        match outcome:
            case Sent():
                self._sent(tx, job, row, chosen, outcome)
            case Retry():
                due = now + max(outcome.after or timedelta(0), RETRIES.delay(job.attempts))
                sends.restate(tx, row.id, "queued", at=now, error=outcome.reason)
                jobs.put_back(tx, job, due_at=due, error=outcome.reason)
            case Refused():
                jobs.complete(tx, [job])
                sends.restate(tx, row.id, row.state, at=now, error=outcome.reason)
                refused = Outcome(
                    type=EventType.FAILED,
                    at=now,
                    reason_class=outcome.reason_class,
                    reason=outcome.reason,
                )
                deliveries.happened(tx, row.id, refused, now=now)
            case Unknown():
                jobs.complete(tx, [job])
                sends.restate(tx, row.id, "unknown", at=now, error=outcome.reason)
                unknown = Outcome(type=EventType.SEND_UNKNOWN, at=now, reason=outcome.reason)
                deliveries.happened(tx, row.id, unknown, now=now)

    def _sent(self, tx: Tx, job: Job, row: Any, chosen: Configured, sent: Sent) -> None:
        now = self._store.clock.now()
        sends.provider_took(
            tx,
            row.id,
            provider=chosen.provider.name,
            provider_id=sent.provider_id,
            aliases=sent.aliases,
        )
        self._reject(tx, row, sent.recipients, None)
        for recipient in row.rcpt_to:
            if recipient not in sent.recipients and recipient not in sent.deferred:
                took = Outcome(type=EventType.ACCEPTED, at=now, recipient=recipient)
                deliveries.happened(tx, row.id, took, now=now)
        if sent.deferred:
            jobs.put_back(tx, job, due_at=now + RETRIES.delay(job.attempts), error="deferred")
        else:
            jobs.complete(tx, [job])


def outgoing(row: Any, raw: bytes, recipients: Sequence[str], chosen: AnyProvider) -> Outgoing:
    """Return a stored send as providers take it; its parts are read only if one needs them."""
    columns = row._mapping
    allowed = {r.lower() for r in recipients}

    def people(name: str) -> tuple[Address, ...]:
        return tuple(a for a in addresses(columns[name]) if a.email.lower() in allowed)

    return Outgoing(
        id=public_id("msg", row.id),
        message_id=row.message_id,
        idempotency_key=f"inboxkit-{public_id('msg', row.id)}",
        sender=Address(row.sender_email, row.sender_name),
        mail_from=row.mail_from,
        rcpt_to=tuple(recipients),
        mime=raw,
        to=people("to"),
        cc=people("cc"),
        bcc=people("bcc"),
        reply_to=addresses(row.reply_to),
        subject=row.subject,
        text=row.text,
        html=row.html,
        headers=_extra_headers(row),
        attachments=() if Feature.RAW_MIME in chosen.capabilities else _files(raw),
        tag=row.tag,
        metadata=columns["metadata"],
    )


def _extra_headers(row: Any) -> dict[str, str]:
    kept = dict(row._mapping["headers"])
    if row.in_reply_to:
        kept["In-Reply-To"] = row.in_reply_to
    if row._mapping["references"]:
        kept["References"] = " ".join(row._mapping["references"])
    return kept


def _files(raw: bytes) -> tuple[File, ...]:
    return tuple(
        File(a.filename, a.data, a.content_type, a.content_id if a.inline else "")
        for a in parse(raw).attachments
    )

"""Feedback: providers' webhooks. Verified and stored before the 200; read and acted on after it.

A webhook that cannot be read is kept and shown, never answered with an error that would lose it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..blocking import in_thread
from ..errors import ConfigurationError, StoreError
from ..providers.base import (
    Feature,
    InboundMail,
    NeedsFetch,
    ParseError,
    ProviderEvent,
    Unverified,
    Verified,
    WebhookRequest,
)
from ..providers.registry import PROVIDERS, key_fetching, provider, try_again
from ..router import Retries
from ..store import deliveries, jobs, sends, suppressions, webhooks
from ..store.deliveries import Outcome
from ..store.jobs import LeaseLost
from ..tokens import row_id
from ..values import EventType, WebhookResponse
from . import downloads
from .authenticity import SPAM
from .certificates import Certificates
from .configured import Configured
from .crew import Crew
from .downloads import NotFetched
from .outgoing import ID_KEY, without_id
from .redaction import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from anyio.abc import TaskGroup
    from sqlalchemy import Connection

    from ..settings import Settings
    from ..store.leased import Job
    from ..store.store import Store
    from ..store.transactions import Tx
    from .accept import Accept

T = TypeVar("T")

log = logging.getLogger("inboxkit.webhooks")
_AT_ONCE = 32
_RETRIES = Retries(attempts=10, first=timedelta(seconds=10), factor=3.0)  # for a day
_MISSING_AGAIN = timedelta(minutes=1)
_LARGE_BYTES = 128 * 1024
_LASTING = (EventType.COMPLAINED, EventType.UNSUBSCRIBED)
_SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie")
_TRY_AGAIN = {"Retry-After": "60"}


class Feedback:
    """Takes webhooks in, and does what they say."""

    def __init__(self, store: Store, accept: Accept, settings: Settings) -> None:
        self._store = store
        self._accept = accept
        self._settings = settings
        self._configured: dict[str, Configured] = {}
        self._certificates = Certificates(store.clock)

    def _provider(self, name: str) -> Configured:
        if name not in self._configured:
            found = provider(name)
            config = found.configure(self._settings.provider_options(name))
            self._configured[name] = Configured(found, config)
        return self._configured[name]

    def _config(self, name: str) -> object:
        return self._configured[name].config if name in self._configured else None

    # at the door

    async def receive(
        self, name: str, method: str, headers: Mapping[str, str], query: str, body: bytes, url: str
    ) -> WebhookResponse:
        """Check a webhook's signature over its raw bytes and store it; durable when it returns."""
        if (refusal := self.refusal(name, method)) is not None:
            return refusal
        lowered = {k.lower(): v for k, v in headers.items()}
        request = WebhookRequest(method=method, headers=lowered, query=query, body=body, url=url)
        try:
            verdict = await self._verify(name, request)
            if isinstance(verdict, Unverified):
                log.warning("webhook of %s refused: %s", name, verdict.reason)
                return _answer(verdict.status, verdict.reason)
            return await self._keep(name, request, verdict)
        except ConfigurationError as error:
            return _unconfigured(name, error)
        except StoreError as error:
            log.error("webhook of %s: %s", name, error)
            return _postponed(name, "storage is not available, try again later")

    def refusal(self, name: str, method: str) -> WebhookResponse | None:
        """Return the answer to what is no webhook whatever its body says, None for the others."""
        if name not in PROVIDERS or not _has_webhooks(name):
            return _answer(404, f"no provider {name} with webhooks")
        if method in ("GET", "HEAD"):  # a vendor probes the address, maybe before it gives a key
            return _answer(200, "ok")
        if method not in ("POST", "PUT"):
            return _answer(405, "POST it", {"Allow": "POST, PUT, GET, HEAD"})
        try:
            self._provider(name)
        except ConfigurationError as error:
            return _unconfigured(name, error)
        return None

    async def _verify(self, name: str, request: WebhookRequest) -> Verified | Unverified:
        chosen, now = self._provider(name), self._store.clock.now()

        def check() -> Verified | Unverified | NeedsFetch:
            return chosen.provider.verify(request, chosen.config, now)

        verdict = await _off_loop(check, len(request.body))
        if not isinstance(verdict, NeedsFetch):
            return verdict
        return await self._verify_with(chosen, request, verdict)

    async def _verify_with(
        self, chosen: Configured, request: WebhookRequest, needed: NeedsFetch
    ) -> Verified | Unverified:
        """Check a signature with its certificate; without it the vendor is to try again."""
        reader, now = key_fetching(chosen.provider), self._store.clock.now()
        if reader is None:
            return Unverified("it is signed with a certificate that nothing reads", 503)
        try:
            certificate = await self._certificates.get(needed.plan)
        except NotFetched as error:
            return Unverified(str(error), 503)

        def check() -> Verified | Unverified:
            return reader.verify_fetched(request, certificate, chosen.config, now)

        return await _off_loop(check, len(request.body))

    async def _keep(
        self, name: str, request: WebhookRequest, verified: Verified
    ) -> WebhookResponse:
        kept = {k: v for k, v in request.headers.items() if k not in _SECRET_HEADERS}
        async with self._store.patience.within():
            stored = await self._store.write(
                webhooks.store,
                provider=name,
                dedupe=verified.dedupe_id,
                method=request.method,
                url=f"{request.url}?{request.query}" if request.query else request.url,
                headers=kept,
                body=request.body,
                now=self._store.clock.now(),
            )
        return _answer(200, "ok" if stored is not None else "known already")

    # after the answer

    def readers(self, tasks: TaskGroup) -> Crew:
        """Return who reads stored webhooks: one that waits for a download holds up no other."""
        return Crew(self._store, "webhook", tasks, self._one, size=_AT_ONCE)

    async def _one(self, job: Job) -> None:
        row = await self._store.read(webhooks.by_id, int(job.key))
        if row is None:
            await self._store.write(jobs.complete, [job])
            return
        try:
            chosen = self._provider(row.provider)
            found = await downloads.followed(chosen, await self._parse(chosen, row))
            await self._act(job, row, chosen, found)
        except (StoreError, LeaseLost):
            raise
        except (NotFetched, ConfigurationError) as error:
            await self._later(job, row, told(str(error), self._config(row.provider)))
        except ParseError as error:
            await self._fail(job, row, told(str(error), self._config(row.provider)))
        except Exception as error:
            log.exception("webhook %s of %s", row.id, row.provider)
            await self._fail(job, row, f"{type(error).__name__} in its reader")

    async def _parse(self, chosen: Configured, row: Any) -> Sequence[Any]:
        url, _, query = row.url.partition("?")
        request = WebhookRequest(
            method=row.method, headers=row.headers, query=query, body=row.body, url=url
        )

        def parse() -> Sequence[Any]:
            happened = chosen.provider.parse_events(request, chosen.config)
            return (*happened, *chosen.provider.parse_inbound(request, chosen.config))

        return await _off_loop(parse, len(row.body))

    async def _later(self, job: Job, row: Any, error: str) -> None:
        if job.attempts >= _RETRIES.attempts:
            await self._fail(job, row, f"given up after {job.attempts} attempts: {error}")
            return
        log.warning("webhook %s of %s: %s; tried again", row.id, row.provider, error)
        due = self._store.clock.now() + _RETRIES.delay(job.attempts)
        await self._store.write(jobs.put_back, job, due_at=due, error=error)

    async def _fail(self, job: Job, row: Any, error: str) -> None:
        def keep(tx: Tx) -> None:
            jobs.complete(tx, [job])
            webhooks.settle(tx, row.id, "failed", error)

        log.error("webhook %s of %s: kept, cannot be read: %s", row.id, row.provider, error)
        await self._store.write(keep)

    async def _act(
        self, job: Job, row: Any, chosen: Configured, found: Sequence[downloads.Told]
    ) -> None:
        """Take the mail in, then log the events; doing it twice changes nothing."""
        for mail in found:
            if isinstance(mail, InboundMail):
                await self._accept.mail(
                    mail.raw,
                    mail_from=mail.mail_from,
                    rcpt_to=mail.rcpt_to,
                    trace={
                        "provider": row.provider,
                        "event": mail.event_id,
                        "verdicts": dict(mail.verdicts),
                        **({SPAM: True} if mail.spam else {}),
                    },
                    keep_unrouted=True,
                    each_unrouted=not mail.by_header,
                    unique=True,
                )
        happened = [event for event in found if isinstance(event, ProviderEvent)]
        await self._store.write(self._record, job, row, chosen, happened)

    def _record(
        self, tx: Tx, job: Job, row: Any, chosen: Configured, happened: Sequence[ProviderEvent]
    ) -> None:
        missing = [
            event
            for number, event in enumerate(happened)
            if not self._log(tx, chosen, event, event.event_id or f"webhook:{row.id}:{number}")
        ]
        now = self._store.clock.now()
        if missing and job.attempts == 1 and Feature.MESSAGE_ID not in chosen.provider.capabilities:
            # The event may be faster than the answer that tells the id it names.
            jobs.put_back(tx, job, due_at=now + _MISSING_AGAIN, error="an event of no known send")
            return
        for event in missing:
            _suppress(tx, event, now)
        jobs.complete(tx, [job])
        error = f"{len(missing)} events of unknown sends" if missing else ""
        webhooks.settle(tx, row.id, "done", error)

    def _log(self, tx: Tx, chosen: Configured, event: ProviderEvent, event_id: str) -> bool:
        """Log an event on the send it is about; False when there is none."""
        found = _find(tx.connection, chosen.provider.name, event)
        if found is None:
            return False
        if event.message_id:
            sends.learn_aliases(tx, found, [event.message_id])
        outcome = _outcome(event, event_id, chosen.config)
        deliveries.happened(tx, found, outcome, now=self._store.clock.now())
        return True


def _unconfigured(name: str, error: ConfigurationError) -> WebhookResponse:
    log.error("webhook of %s: %s", name, error)
    return _postponed(name, f"provider {name} is not configured")


def _postponed(name: str, text: str) -> WebhookResponse:
    """Return the answer that makes a vendor post a webhook again."""
    return _answer(try_again(PROVIDERS[name]), text, _TRY_AGAIN)


def _has_webhooks(name: str) -> bool:
    return bool({Feature.EVENTS, Feature.INBOUND} & PROVIDERS[name].capabilities)


async def _off_loop(work: Callable[[], T], size: int) -> T:
    """Do work on a request in a thread when it is so large that others would have to wait."""
    return await in_thread(work) if size > _LARGE_BYTES else work()


def _suppress(tx: Tx, event: ProviderEvent, now: datetime) -> None:
    """A dead address is dead, also when the mail was not sent by us."""
    hard = event.type == EventType.BOUNCED and event.hard
    if event.recipient and (hard or event.type in _LASTING):
        suppressions.add(tx, event.recipient, reason=str(event.type), now=now)


def _find(connection: Connection, name: str, event: ProviderEvent) -> int | None:
    ours = _metadata(event).get(ID_KEY)
    if isinstance(ours, str):
        try:
            found = sends.outbound(connection, row_id("msg", ours))
        except ValueError:
            found = None
        if found is not None:
            return found
    return sends.find_send(
        connection, provider_id=event.provider_id, rfc_id=event.message_id, provider=name
    )


def _metadata(event: ProviderEvent) -> Mapping[str, Any]:
    metadata = event.data.get("metadata")
    return cast("Mapping[str, Any]", metadata) if isinstance(metadata, Mapping) else {}


def _outcome(event: ProviderEvent, event_id: str, config: object) -> Outcome:
    data = dict(event.data)
    if "metadata" in data:
        data["metadata"] = without_id(_metadata(event))
    return Outcome(
        type=event.type,
        at=event.at,
        recipient=event.recipient,
        hard=event.hard,
        reason_class=event.reason_class,
        reason=told(event.reason, config),
        event_id=event_id,
        data=data,
    )


def _answer(status: int, text: str, headers: Mapping[str, str] | None = None) -> WebhookResponse:
    return WebhookResponse(
        status, {"Content-Type": "text/plain", **(headers or {})}, text.encode("utf-8", "replace")
    )

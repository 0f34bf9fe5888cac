"""Outbox: send what was staged, once, under a stable key, and remember what came of it.

``sending`` is written before the request and the outcome after it. A send that a crash or a
timeout leaves between the two is repeated only where the provider promises that a key sends once;
elsewhere the provider is asked what became of it, and what it cannot tell is marked ``unknown``
and never blindly repeated: later events of the provider settle it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio

from ..errors import StoreError
from ..providers.base import Feature, Refused, Retry, Sent, Unknown
from ..providers.registry import AnyProvider, provider
from ..router import Retries
from ..store import deliveries, jobs, sends, suppressions
from ..store.jobs import Job, LeaseLost
from ..tokens import public_id
from . import outcomes
from .attempts import Attempt, Attempts
from .leases import give_back, insist
from .outcomes import RETRIES
from .transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from anyio.abc import TaskGroup
    from sqlalchemy import Connection

    from ..settings import Settings
    from ..store.store import Store
    from ..store.writer import Tx
    from .accept import Accept

    Record = Callable[[Tx, Job, Any, Sequence[str], Attempt, datetime], None]

log = logging.getLogger("inboxkit.outbox")
_SETUP = Retries(first=timedelta(minutes=5), factor=2.0)  # until somebody puts a setting right
_SETUP_FAULTS = ("credentials", "account", "settings")


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
        self._providers = providers
        self._concurrency = settings.send_concurrency
        self._tasks = tasks
        self._running = 0
        self._paused: dict[str, datetime] = {}
        self.transport = Transport(settings.hostname)
        self._attempts = Attempts(store, accept, self.transport)

    def room(self) -> int:
        """Return how many more sends may be under way."""
        return self._concurrency - self._running

    async def idle(self) -> None:
        """Return when no send is under way."""
        while self._running:
            await self._store.bell.wait("send", self._store.bell.count("send"))

    async def work(self, taken: list[Job]) -> None:
        """Start a task for each send."""
        for job in taken:
            self._running += 1
            self._tasks.start_soon(self._guarded, job)

    async def _guarded(self, job: Job) -> None:
        try:
            await self._one(job)
        except LeaseLost as error:
            log.warning("send %s: %s", job.key, error)
        except StoreError as error:
            log.error("send %s: %s; it is taken up again", job.key, error)
            await self._give_back(job, str(error))
        except Exception as error:
            log.exception("send %s: it is taken up again", job.key)
            await self._give_back(job, type(error).__name__)
        finally:
            self._running -= 1
            self._store.bell.ring(["send"])

    async def _give_back(self, job: Job, error: str) -> None:
        await give_back(self._store, job, error, after=RETRIES.delay(job.attempts))

    async def _one(self, job: Job) -> None:
        row, waiting, blocked = await self._store.read(_look, int(job.key))
        states = set(waiting.values())
        if row is None or not waiting:  # purged, or events have told all there is
            await self._store.write(jobs.complete, [job])
        elif "unknown" in states:
            await self._ask(job, row, list(waiting), outcomes.answered)
        elif "sending" in states:
            await self._take_up(job, row, list(waiting))
        elif left := await self._allowed(job, row, list(waiting), blocked):
            await self._send(job, row, left)

    async def _allowed(
        self, job: Job, row: Any, waiting: list[str], blocked: Mapping[str, str]
    ) -> list[str]:
        """Return the recipients that may be written to; end the send when nobody may."""
        refused = {r: blocked[r.lower()] for r in waiting if r.lower() in blocked}
        allowed = [r for r in waiting if r not in refused]

        def refuse(tx: Tx) -> None:
            outcomes.suppressed(tx, row, refused, self._store.clock.now())
            if not allowed:
                jobs.complete(tx, [job])

        if refused:
            await self._store.write(refuse)
        return allowed

    async def _send(self, job: Job, row: Any, recipients: list[str]) -> None:
        """Try the providers in order; the next one only if this one certainly did not send.

        A stop lets a request that is under way end: its own timeout bounds that.
        """
        tried: list[Attempt] = []
        with anyio.CancelScope(shield=True):
            for chosen in self._ready():
                tried.append(await self._try(job, row, recipients, chosen))
                if not tried[-1].allows_another:
                    break
            if tried:
                decisive = _decisive(tried, job.attempts)
                await self._write(outcomes.record, job, row, recipients, decisive)
        if not tried:
            first = min(self._paused, key=self._paused.__getitem__)
            reason = f"waits until provider {first} takes messages again"
            await self._store.write(outcomes.wait, job, row, self._paused[first], reason)

    async def _take_up(self, job: Job, row: Any, recipients: list[str]) -> None:
        """Go on with a send that a process left in the middle: it may have gone out.

        Under a key that sends once it is repeated, with the provider that may have it.
        """
        chosen = self._configured(row.provider)
        if chosen is None or not chosen.repeats_safely:
            await self._ask(job, row, recipients, outcomes.record)
            return
        with anyio.CancelScope(shield=True):
            attempt = await self._try(job, row, recipients, chosen)
            attempt = replace(attempt, certain=False)
            await self._write(outcomes.record, job, row, recipients, attempt)

    async def _ask(self, job: Job, row: Any, recipients: list[str], record: Record) -> None:
        """Let the provider say what became of a send that may have gone out."""
        chosen = self._configured(row.provider)
        answer = await self._attempts.ask(chosen, row, recipients)
        attempt = Attempt(None if chosen is None else chosen.provider, answer)
        await self._write(record, job, row, recipients, attempt)

    async def _try(self, job: Job, row: Any, recipients: list[str], chosen: Configured) -> Attempt:
        """Try one provider; ask it what it did when its answer does not tell."""
        name, now = chosen.provider.name, self._store.clock.now()
        await self._store.write(deliveries.begin, job, row.id, recipients, provider=name, at=now)
        attempt = await self._attempts.send(chosen, row, recipients)
        if isinstance(attempt.outcome, Unknown):
            answer = await self._attempts.ask(chosen, row, recipients)
            if not isinstance(answer, Unknown):
                attempt = Attempt(chosen.provider, answer)
        if isinstance(attempt.outcome, Refused) and attempt.outcome.reason_class in _SETUP_FAULTS:
            attempt = _blamed(attempt.outcome, chosen, job.attempts)
        if isinstance(attempt.outcome, Retry) and attempt.outcome.after is not None:
            self._paused[name] = self._store.clock.now() + attempt.outcome.after
        return attempt

    async def _write(
        self, record: Record, job: Job, row: Any, recipients: list[str], attempt: Attempt
    ) -> None:
        if not isinstance(attempt.outcome, Sent):
            log.warning("send %s: %s", public_id("msg", row.id), attempt.outcome)
        now = self._store.clock.now()
        await insist(self._store, record, job, row, recipients, attempt, now)

    def _configured(self, name: str) -> Configured | None:
        return next((p for p in self._providers if p.provider.name == name), None)

    def _ready(self) -> list[Configured]:
        """Return the providers that did not ask for a pause, in order."""
        now = self._store.clock.now()
        return [p for p in self._providers if self._paused.get(p.provider.name, now) <= now]


def _look(connection: Connection, row_id: int) -> tuple[Any, dict[str, str], dict[str, str]]:
    """Return a send, the states of the recipients it waits for, and who of them is suppressed."""
    row = sends.to_send(connection, row_id)
    if row is None:
        return None, {}, {}
    waiting = deliveries.pending(connection, row_id)
    domain = row.sender_email.rpartition("@")[2].lower()
    blocked = suppressions.among(connection, list(waiting), domain)
    return row, waiting, blocked


def _blamed(refused: Refused, chosen: Configured, attempts: int) -> Attempt:
    """Wait for somebody to change a setting: no message is to blame for such a refusal."""
    reason = f"provider {chosen.provider.name}: {refused.reason_class}: {refused.reason}"
    log.error("%s; messages wait until its settings are put right", reason)
    return Attempt(chosen.provider, Retry(_SETUP.delay(attempts), reason))


def _decisive(tried: Sequence[Attempt], attempts: int) -> Attempt:
    """Return the attempt that decides: the last one, or of those in vain the soonest to repeat."""
    waits = [(a.outcome, a) for a in tried if isinstance(a.outcome, Retry)]
    if not waits or not tried[-1].allows_another:
        return tried[-1]
    return min(waits, key=lambda pair: outcomes.pause(pair[0], attempts))[1]

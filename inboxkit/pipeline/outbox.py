"""Outbox: send what was staged, once, under a stable key, and remember what came of it.

``sending`` is written before the request and the outcome after it. A send that a crash or a
timeout leaves between the two is repeated only where the provider promises that a key sends once;
elsewhere the provider is asked what became of it, and what it cannot tell is marked ``unknown``
and never blindly repeated: later events of the provider settle it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio

from ..errors import StoreError
from ..providers.base import Feature, Refused, Retry, Sent, Unknown
from ..providers.registry import AnyProvider, lookup, provider
from ..router import Retries
from ..store import deliveries, jobs, sends, suppressions
from ..store.deliveries import Outcome
from ..store.jobs import Job, LeaseLost
from ..tokens import public_id
from ..values import EventType
from .attempts import Attempt, Attempts
from .transport import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from anyio.abc import TaskGroup

    from ..settings import Settings
    from ..store.store import Store
    from ..store.writer import Tx
    from .accept import Accept

log = logging.getLogger("inboxkit.outbox")
RETRIES = Retries(attempts=12, first=timedelta(seconds=2), factor=3.0)
SETUP = Retries(attempts=12, first=timedelta(minutes=5), factor=2.0)  # until a setting is put right
_QUESTIONS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Configured:
    """A provider with its checked options."""

    provider: AnyProvider
    config: Any

    @property
    def name(self) -> str:
        return self.provider.name

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
        """Put a job back, however long the database refuses; a stop gives it back by itself."""
        while True:
            due = self._store.clock.now() + RETRIES.delay(job.attempts)
            try:
                await self._store.write(jobs.put_back, job, due_at=due, error=error)
            except StoreError as again:
                log.error("send %s: could not be put back yet: %s", job.key, again)
                await anyio.sleep(_PAUSE_SECONDS)
            except LeaseLost:
                return
            else:
                return

    async def _one(self, job: Job) -> None:
        row = await self._store.read(sends.to_send, int(job.key))
        waiting = await self._store.read(deliveries.pending, int(job.key))
        if row is None or not waiting:  # purged, or events have told all there is
            await self._store.write(jobs.complete, [job])
            return
        states = set(waiting.values())
        if "unknown" in states:
            await self._ask_again(job, row, list(waiting))
        elif "sending" in states:  # a process died, or the job was put back, in between
            await self._take_up(job, row, list(waiting))
        elif left := await self._allowed(job, row, list(waiting)):
            await self._send(job, row, left, self._ready())

    async def _allowed(self, job: Job, row: Any, waiting: list[str]) -> list[str]:
        """Return the recipients that may be written to; end the send when nobody may."""
        domain = row.sender_email.rpartition("@")[2].lower()
        blocked = await self._store.read(suppressions.among, waiting, domain)
        refused = {r: blocked[r.lower()] for r in waiting if r.lower() in blocked}
        allowed = [r for r in waiting if r not in refused]

        def refuse(tx: Tx) -> None:
            now = self._store.clock.now()
            outcomes.suppressed(tx, row, refused, now)
            if not allowed:
                jobs.complete(tx, [job])

        if refused:
            await self._store.write(refuse)
        return allowed

    def _ready(self) -> list[Configured]:
        """Return the providers that did not ask for a pause, in order."""
        now = self._store.clock.now()
        return [p for p in self._providers if self._paused.get(p.name, now) <= now]

    async def _send(
        self,
        job: Job,
        row: Any,
        recipients: list[str],
        providers: Sequence[Configured],
        *,
        doubtful: bool = False,
    ) -> None:
        """Try the providers in order; the next one only if this one certainly did not send.

        A stop lets a request that is under way end: its own timeout bounds that.
        """
        tried: list[Attempt] = []
        with anyio.CancelScope(shield=True):
            for chosen in providers:
                now = self._store.clock.now()
                await self._store.write(
                    deliveries.begin, job, row.id, recipients, provider=chosen.name, at=now
                )
                tried.append(await self._attempt(job, row, recipients, chosen))
                if not tried[-1].allows_another:
                    break
            decisive = self._decisive(tried)
            if doubtful:
                decisive = replace(decisive, certain=False)
            await self._finish(job, row, recipients, decisive)

    async def _attempt(
        self, job: Job, row: Any, recipients: list[str], chosen: Configured
    ) -> Attempt:
        """Try one provider; ask it what it did when its answer does not tell."""
        attempt = await self._attempts.send(chosen, row, recipients)
        if isinstance(attempt.outcome, Unknown):
            answer = await self._attempts.ask(chosen, row, recipients)
            if not isinstance(answer, Unknown):
                attempt = Attempt(chosen, answer)
        if isinstance(attempt.outcome, Refused) and attempt.outcome.blames_setup:
            attempt = self._wrong_setup(job, chosen, attempt.outcome)
        if isinstance(attempt.outcome, Retry) and attempt.outcome.after is not None:
            self._paused[chosen.name] = self._store.clock.now() + attempt.outcome.after
        return attempt

    def _wrong_setup(self, job: Job, chosen: Configured, refused: Refused) -> Attempt:
        """Wait for somebody to change a setting: no message is to blame."""
        reason = f"provider {chosen.name}: {refused.reason_class}: {refused.reason}"
        log.error("%s; every message waits until its settings are put right", reason)
        return Attempt(chosen, Retry(SETUP.delay(job.attempts), reason))


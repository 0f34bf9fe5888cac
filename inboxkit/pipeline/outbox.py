"""Outbox: send what was staged, once, under a stable key, and remember what came of it.

``sending`` is written before the request and the outcome after it. A send that a crash or a
timeout leaves between the two is repeated only where the provider promises that a key sends once;
elsewhere the provider is asked what became of it, and what it cannot tell is marked ``unknown``
and never blindly repeated: later events of the provider settle it.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from ..errors import StoreError
from ..providers.base import Feature, Refused, Retry, Sent, Unknown
from ..providers.registry import AnyProvider, provider
from ..router import Retries
from ..store import departures, jobs, limits, resolutions
from ..store.departures import Later, Look, Start, Took
from ..store.jobs import Job, LeaseLost
from ..store.limits import FREE, Rate, Rules
from ..tokens import public_id
from . import outcomes
from .attempts import Attempt, Attempts
from .crew import Crew
from .leases import insist
from .transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from anyio.abc import TaskGroup

    from ..settings import Settings
    from ..store.store import Store
    from ..store.writer import Tx
    from .accept import Accept

    Record = Callable[[Tx, Job, Any, Sequence[str], Attempt, datetime], None]

log = logging.getLogger("inboxkit.outbox")
_SETUP = Retries(first=timedelta(minutes=5), factor=2.0)  # until somebody puts a setting right
_HELD = 4  # times as many are leased as are under way, so that none waits for a claim
_FRESH_SECONDS = 1.0  # who waited longer looks again: events may have come
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
    """Sends queued messages; ``send_concurrency`` of them at a time, as far as limits let them."""

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
        self._rules = rules(settings)
        self._looks: dict[int, Look] = {}
        self._turns = anyio.CapacityLimiter(settings.send_concurrency)
        held = settings.send_concurrency * _HELD
        self._refill = settings.send_concurrency * (_HELD // 2)
        self._crew = Crew(store, "send", tasks, self._one, size=held)
        self._policy = settings.unknown_sends
        self._recorded = partial(outcomes.record, policy=self._policy)
        self._answered = partial(outcomes.answered, policy=self._policy)
        self.idle = self._crew.idle
        self.transport = Transport(settings.hostname, connections=settings.send_concurrency)
        self._attempts = Attempts(store, accept, self.transport)

    def room(self) -> int:
        """Return how many more sends may be leased: none, or enough to be worth a claim."""
        room = self._crew.room()
        return room if room >= self._refill else 0

    async def work(self, taken: list[Job]) -> None:
        """Look at all these sends at once, and start a task for each."""
        looks = await self._look([int(job.key) for job in taken])
        self._looks |= {job.id: looks[int(job.key)] for job in taken if int(job.key) in looks}
        await self._crew.work(taken)

    async def _one(self, job: Job) -> None:
        look, seen = self._looks.pop(job.id, None), time.monotonic()
        async with self._turns:
            if look is not None and time.monotonic() - seen > _FRESH_SECONDS:
                look = (await self._look([look.row.id])).get(look.row.id)
            await self._turn(job, look)

    async def _look(self, ids: list[int]) -> dict[int, Look]:
        return await self._store.read(departures.look, ids, self._store.blobs)

    async def _turn(self, job: Job, look: Look | None) -> None:
        if look is None or not look.waiting:  # purged, or events have told all there is
            await self._store.write(jobs.complete, [job])
            return
        row, states = look.row, set(look.waiting.values())
        if "unknown" in states:
            await self._settle(job, row, list(look.waiting))
        elif "sending" in states:
            await self._take_up(job, look, list(look.waiting))
        elif left := await self._allowed(job, look):
            await self._send(job, look, left)

    async def _allowed(self, job: Job, look: Look) -> list[str]:
        """Return the recipients that may be written to; end the send when nobody may."""
        if not look.blocked:
            return list(look.waiting)
        refused = {r: look.blocked[r.lower()] for r in look.waiting if r.lower() in look.blocked}
        allowed = [r for r in look.waiting if r not in refused]

        def refuse(tx: Tx) -> None:
            outcomes.suppressed(tx, look.row, refused, self._store.clock.now())
            if not allowed:
                jobs.complete(tx, [job])

        await self._store.write(refuse)
        return allowed

    async def _send(self, job: Job, look: Look, recipients: list[str]) -> None:
        """Try the providers in order; the next one only if this one certainly did not send.

        A stop lets a request that is under way end: its own timeout bounds that.
        """
        row = look.row
        tried: list[Attempt] = []
        waits: list[Later] = []
        with anyio.CancelScope(shield=True):
            for chosen in self._providers:
                later = await self._begin(job, row, recipients, chosen)
                if later is not None:
                    waits.append(later)
                    if later.shut:
                        continue
                    break
                tried.append(await self._try(job, look, recipients, chosen))
                if not tried[-1].allows_another:
                    break
            if tried:
                await self._record(job, row, recipients, _decisive(tried, job.attempts))
        if not tried:
            await self._put_off(job, row, waits)

    async def _put_off(self, job: Job, row: Any, waits: Sequence[Later]) -> None:
        later = min(waits, key=lambda wait: wait.until)
        now = self._store.clock.now()
        await self._store.write(departures.put_off, job, row.id, later, now)

    async def _take_up(self, job: Job, look: Look, recipients: list[str]) -> None:
        """Go on with a send that a process left in the middle: it may have gone out.

        Under a key that sends once it is repeated, with the provider that may have it.
        """
        row = look.row
        chosen = self._configured(row.provider)
        if chosen is None or not chosen.repeats_safely:
            await self._ask(job, row, recipients, self._recorded)
            return
        with anyio.CancelScope(shield=True):
            later = await self._begin(job, row, recipients, chosen)
            if later is not None:
                await self._put_off(job, row, [later])
                return
            attempt = await self._try(job, look, recipients, chosen)
            await self._record(job, row, recipients, replace(attempt, certain=False))

    async def _settle(self, job: Job, row: Any, recipients: list[str]) -> None:
        """Ask what became of a send that was announced as unknown, or do what the policy says."""
        if not job.data.get("policy"):
            await self._ask(job, row, recipients, self._answered)
            return
        now = self._store.clock.now()
        await insist(
            self._store, resolutions.resolve, row.id, recipients, self._policy, now=now, held=job
        )

    async def _ask(self, job: Job, row: Any, recipients: list[str], record: Record) -> None:
        """Let the provider say what became of a send that may have gone out."""
        chosen = self._configured(row.provider)
        answer = await self._attempts.ask(chosen, row, recipients)
        attempt = Attempt(None if chosen is None else chosen.provider, answer)
        await self._write(record, job, row, recipients, attempt)

    async def _begin(
        self, job: Job, row: Any, recipients: list[str], chosen: Configured
    ) -> Later | None:
        """Write down that a provider is about to get a send, or say until when it may not."""
        name, now = chosen.provider.name, self._store.clock.now()
        start = Start(job, row, recipients, name, now, self._rules.get(name, FREE))
        begun = await self._store.write_grouped(departures.proceed, start)
        if isinstance(begun, LeaseLost):
            raise begun
        return begun

    async def _try(
        self, job: Job, look: Look, recipients: list[str], chosen: Configured
    ) -> Attempt:
        """Try one provider; ask it what it did when its answer does not tell."""
        begun_at = self._store.clock.now()
        attempt = first = await self._attempts.send(chosen, look, recipients)
        if isinstance(attempt.outcome, Unknown):
            answer = await self._attempts.ask(chosen, look.row, recipients)
            if not isinstance(answer, Unknown):
                attempt = Attempt(chosen.provider, answer, failed=first.failed)
        if isinstance(attempt.outcome, Refused) and attempt.outcome.reason_class in _SETUP_FAULTS:
            attempt = _blamed(attempt.outcome, chosen, job.attempts)
        await self._blame(attempt, chosen.provider.name, begun_at)
        return attempt

    async def _blame(self, attempt: Attempt, name: str, begun_at: datetime) -> None:
        """Tell the other sends, in all processes, that a provider is down or asks for a pause."""
        now, outcome = self._store.clock.now(), attempt.outcome
        if isinstance(outcome, Retry) and outcome.after is not None:
            until, reason = now + outcome.after, _waits_for(name)
            await self._store.write(limits.pause, name, until, now=now, reason=reason)
        elif attempt.failed and not isinstance(outcome, Sent):
            await self._store.write(
                limits.failed, name, begun_at=begun_at, now=now, reason=_waits_for(name)
            )

    async def _record(self, job: Job, row: Any, recipients: list[str], attempt: Attempt) -> None:
        """Record an attempt; those that went well share a transaction."""
        sent, provider = attempt.outcome, attempt.provider
        if not isinstance(sent, Sent) or sent.recipients or sent.deferred or provider is None:
            await self._write(self._recorded, job, row, recipients, attempt)
            return
        took = Took(
            job=job,
            row=row,
            recipients=recipients,
            provider=provider.name,
            provider_id=sent.provider_id,
            aliases=[alias for alias in sent.aliases if alias != row.message_id],
            at=self._store.clock.now(),
        )
        try:
            await self._store.write_grouped(departures.proceed, took)
        except StoreError:
            await insist(self._store, _proceed, took)

    async def _write(
        self, record: Record, job: Job, row: Any, recipients: list[str], attempt: Attempt
    ) -> None:
        if not isinstance(attempt.outcome, Sent):
            log.warning("send %s: %s", public_id("msg", row.id), attempt.outcome)
        now = self._store.clock.now()
        await insist(self._store, record, job, row, recipients, attempt, now)

    def _configured(self, name: str) -> Configured | None:
        return next((p for p in self._providers if p.provider.name == name), None)


def _proceed(tx: Tx, step: Took) -> None:
    departures.proceed(tx, [step])


def _waits_for(name: str) -> str:
    return f"waits until provider {name} takes messages again"


def rules(settings: Settings) -> dict[str, Rules]:
    """Return how fast each provider may be given messages."""
    names = {*settings.send_rates, *settings.send_slots}
    return {
        name: Rules(
            tuple(Rate.parse(word) for word in settings.send_rates.get(name, "").split()),
            settings.send_slots.get(name, 0),
        )
        for name in names
    }


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

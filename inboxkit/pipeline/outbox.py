"""Outbox: send what was staged, once, under a stable key, and remember what came of it.

``sending`` is written before the request and the outcome after it. A send that a crash or a
timeout leaves between the two is repeated only where the provider promises that a key sends once;
elsewhere the provider is asked what became of it, and what it cannot tell is marked ``unknown``
and never blindly repeated: later events of the provider settle it.
"""

from __future__ import annotations

import itertools
import logging
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from ..errors import StoreError
from ..providers.base import Refused, Retry, Sent, Unknown
from ..providers.registry import batching
from ..router import Retries
from ..store import departures, jobs, limits, looks, resolutions
from ..store.departures import Later, Overtaken
from ..store.jobs import LeaseLost
from ..store.limits import FREE, Rate, Rules
from ..store.progress import WHOLE, Start, Took
from ..tokens import new_id, public_id
from . import outcomes
from .attempts import Attempt, Attempts
from .crew import Crew
from .leases import insist
from .outgoing import first_part
from .transport import Transport

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from anyio.abc import TaskGroup

    from ..settings import Settings
    from ..store.leased import Job
    from ..store.looks import Look, Part
    from ..store.store import Store
    from ..store.transactions import Tx
    from .accept import Accept
    from .configured import Configured

log = logging.getLogger("inboxkit.outbox")
_SETUP = Retries(first=timedelta(minutes=5), factor=2.0)  # until somebody puts a setting right
_HELD = 4  # times as many are leased as are under way, so that none waits for a claim
_FRESH_SECONDS = 5.0  # who waited longer looks again: events may have come
_SETUP_FAULTS = ("credentials", "account", "settings")


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
        self._parts = itertools.count(new_id() >> 1)  # told apart from other processes'
        held = settings.send_concurrency * _HELD
        joins = any(batching(p.provider) is not None for p in providers)
        self._turns = anyio.Semaphore(
            held if joins else settings.send_concurrency, fast_acquire=True
        )
        self._refill = settings.send_concurrency * (_HELD // 2)
        self.crew = Crew(store, "send", tasks, self._one, size=held, waits=True)
        self._policy = settings.unknown_sends
        self._recorded = partial(outcomes.record, policy=self._policy)
        self._answered = partial(outcomes.answered, policy=self._policy)
        self.idle = self.crew.idle
        self.transport = Transport(settings.hostname, connections=settings.send_concurrency)
        turns = anyio.CapacityLimiter(settings.send_concurrency) if joins else None
        self._attempts = Attempts(store, accept, self.transport, turns)

    def room(self) -> int:
        """Return how many more sends may be leased: none, or enough to be worth a claim."""
        room = self.crew.room()
        return room if room >= self._refill else 0

    async def work(self, taken: list[Job]) -> None:
        """Look at all these sends at once, and start a task for each."""
        looks = await self._look([int(job.key) for job in taken])
        self._looks |= {job.id: looks[int(job.key)] for job in taken if int(job.key) in looks}
        await self.crew.work(taken)

    async def _one(self, job: Job) -> None:
        look, seen = self._looks.pop(job.id, None), time.monotonic()
        async with self._turns:
            if not self.crew.begin(job):
                return
            if look is not None and time.monotonic() - seen > _FRESH_SECONDS:
                look = (await self._look([look.row.id])).get(look.row.id)
            await self._turn(job, look)

    async def _look(self, ids: list[int]) -> dict[int, Look]:
        return await self._store.read(looks.look, ids, self._store.blobs)

    async def _turn(self, job: Job, look: Look | None) -> None:
        """Do what there is to do; a send to more than a request takes leaves in parts."""
        while await self._go(job, look) and look is not None:
            look = (await self._look([look.row.id])).get(look.row.id)
            rest = {name: value for name, value in job.data.items() if name != "reserved"}
            job = replace(job, data=rest)

    async def _go(self, job: Job, look: Look | None) -> bool:
        try:
            return await self._step(job, look)
        except Overtaken as error:  # to be looked at again
            log.info("%s", error)
            return True

    async def _step(self, job: Job, look: Look | None) -> bool:
        """Do one part of a send; return whether others wait for theirs, under the same lease."""
        if look is None or not look.waiting:  # purged, or events have told all there is
            await self._store.write(jobs.complete, [job])
            return False
        states = set(look.waiting.values())
        if "sending" in states:
            return await self._take_up(job, look)
        if states == {"unknown"}:
            await self._settle(job, look)
            return False
        left = await self._allowed(job, look)
        return await self._send(job, look, left) if left else "unknown" in states

    async def _allowed(self, job: Job, look: Look) -> list[str]:
        """Return the recipients that may be written to; end the send when nobody may."""
        queued = [r for r in look.row.rcpt_to if look.waiting.get(r, "unknown") != "unknown"]
        if not look.blocked:
            return queued
        refused = {r: look.blocked[r.lower()] for r in queued if r.lower() in look.blocked}
        allowed = [r for r in queued if r not in refused]

        def refuse(tx: Tx) -> None:
            outcomes.suppressed(tx, look.row, refused, self._store.clock.now())
            if not allowed and len(queued) == len(look.waiting):
                jobs.complete(tx, [job])

        await self._store.write(refuse)
        return allowed

    async def _send(self, job: Job, look: Look, recipients: list[str]) -> bool:
        """Try the providers in order; the next one only if this one certainly did not send.

        A stop lets a request that is under way end: its own timeout bounds that.
        """
        tried: list[_Tried] = []
        waits: list[Later] = []
        part: Sequence[str] = recipients
        more = False
        with anyio.CancelScope(shield=True):
            for chosen in self._candidates(look):
                part = first_part(look.row, part, chosen.provider)
                dropped = set(tried[-1].part) - set(part) if tried else ()
                start = self._start(job, look, part, chosen, dropped=dropped)
                later = await self._begin(start)
                if later is not None:
                    waits.append(later)
                    if later.shut:
                        continue
                    break
                tried.append(_Tried(part, await self._try(job, look, part, chosen)))
                if not tried[-1].attempt.allows_another:
                    break
            if tried:
                part, attempt = _decisive(tried, job.attempts)
                more = await self._record(job, look, part, attempt)
        if not tried:
            await self._put_off(job, look.row, waits)
        return more

    def _candidates(self, look: Look) -> Sequence[Configured]:
        """Return the providers to try; while some of it is unknown, only the one that has that."""
        chosen = self._configured(look.row.provider)
        if chosen is not None and "unknown" in look.waiting.values():
            return [chosen]
        return self._providers

    async def _put_off(self, job: Job, row: Any, waits: Sequence[Later]) -> None:
        later = min(waits, key=lambda wait: wait.until)
        now = self._store.clock.now()
        await self._store.write(departures.put_off, job, row.id, later, now)

    async def _take_up(self, job: Job, look: Look) -> bool:
        """Go on with a request that a process left in the middle: it may have gone out.

        Under a key that sends once it is repeated, with the provider that may have it.
        """
        parts = await self._store.read(looks.parts, look.row, "sending")
        if not parts:  # events have told meanwhile
            return True
        part, chosen = parts[0], self._configured(look.row.provider)
        if chosen is None or not chosen.knows_key(self._store.clock.now() - part.since):
            attempt = await self._asked(look.row, part)
            return await self._record(job, look, part.recipients, attempt)
        more = False
        with anyio.CancelScope(shield=True):
            again = self._start(job, look, part.recipients, chosen, number=part.number)
            later = await self._begin(again)
            if later is None:
                attempt = await self._try(job, look, part.recipients, chosen)
                attempt = replace(attempt, certain=False)
                more = await self._record(job, look, part.recipients, attempt)
            else:
                await self._put_off(job, look.row, [later])
        return more

    async def _settle(self, job: Job, look: Look) -> None:
        """Ask what became of a send that was announced as unknown, or do what the policy says."""
        row, now = look.row, self._store.clock.now()
        if job.data.get("policy"):
            recipients = list(look.waiting)
            how = self._policy
            await insist(
                self._store, resolutions.resolve, row.id, recipients, how, now=now, held=job
            )
            return
        parts = await self._store.read(looks.parts, row, "unknown")
        answers = [(part.recipients, await self._asked(row, part)) for part in parts]
        await insist(self._store, self._answered, job, row, answers, now)

    async def _asked(self, row: Any, part: Part) -> Attempt:
        """Let the provider say what became of a request that may have gone out."""
        chosen = self._configured(row.provider)
        answer = await self._attempts.ask(chosen, row, part.recipients)
        if not isinstance(answer, Sent):
            log.warning("send %s: %s", public_id("msg", row.id), answer)
        return Attempt(None if chosen is None else chosen.provider, answer)

    def _start(
        self,
        job: Job,
        look: Look,
        part: Sequence[str],
        chosen: Configured,
        *,
        number: int | None = None,
        dropped: Collection[str] = (),
    ) -> Start:
        name = chosen.provider.name
        if number is None:
            number = WHOLE if len(part) == len(look.row.rcpt_to) else next(self._parts)
        return Start(
            job=job,
            row=look.row,
            recipients=part,
            provider=name,
            at=self._store.clock.now(),
            part=number,
            rules=self._rules.get(name, FREE),
            dropped=dropped,
        )

    async def _begin(self, start: Start) -> Later | None:
        """Write down that a provider is about to get a send, or say until when it may not."""
        begun = await self._store.write_grouped(departures.proceed, start)
        if isinstance(begun, LeaseLost):
            raise begun
        return begun

    async def _try(
        self, job: Job, look: Look, recipients: Sequence[str], chosen: Configured
    ) -> Attempt:
        """Try one provider; ask it what it did when its answer does not tell."""
        begun_at = self._store.clock.now()
        attempt = first = await self._attempts.send(chosen, look, recipients)
        if isinstance(attempt.outcome, Unknown):
            answer = await self._attempts.ask(chosen, look.row, recipients)
            if not isinstance(answer, Unknown):
                attempt = Attempt(chosen.provider, answer, failed=first.failed)
        said = attempt.outcome
        wrong = isinstance(said, Refused) and said.reason_class in _SETUP_FAULTS
        if isinstance(said, Refused) and wrong:
            attempt = _blamed(said, chosen, job.attempts)
        await self._blame(attempt, chosen.provider.name, begun_at, wrong=wrong)
        return attempt

    async def _blame(self, attempt: Attempt, name: str, begun_at: datetime, *, wrong: bool) -> None:
        """Tell the other sends, in all processes, that a provider is down or asks for a pause."""
        now, outcome = self._store.clock.now(), attempt.outcome
        if isinstance(outcome, Retry) and outcome.after is not None:
            until, why = now + outcome.after, outcome.reason if wrong else _waits_for(name)
            await self._store.write(limits.pause, name, until, now=now, reason=why, wrong=wrong)
        elif attempt.failed and not isinstance(outcome, Sent):
            await self._store.write(
                limits.failed, name, begun_at=begun_at, now=now, reason=_waits_for(name)
            )

    async def _record(
        self, job: Job, look: Look, recipients: Sequence[str], attempt: Attempt
    ) -> bool:
        """Record an attempt. What was sent is known also when the lease was lost meanwhile.

        Return whether the send goes on with other recipients, under the same lease.
        """
        try:
            return await self._end(job, look, recipients, attempt)
        except LeaseLost as error:
            if not isinstance(attempt.outcome, Sent):
                raise
            log.warning("send %s: %s; it was sent", public_id("msg", look.row.id), error)
            now = self._store.clock.now()
            await insist(self._store, outcomes.taken, job, look.row, recipients, attempt, now)
            return False

    async def _end(self, job: Job, look: Look, recipients: Sequence[str], attempt: Attempt) -> bool:
        """Record an attempt, and end its lease; those that went well share a transaction."""
        row, sent, provider = look.row, attempt.outcome, attempt.provider
        more = not look.waiting.keys() <= set(recipients)
        if not isinstance(sent, Sent) or sent.recipients or sent.deferred or provider is None:
            if not isinstance(sent, Sent):
                log.warning("send %s: %s", public_id("msg", row.id), sent)
            now, record = self._store.clock.now(), partial(self._recorded, more=more)
            await insist(self._store, record, job, row, recipients, attempt, now)
            return False
        took = Took(
            job=job,
            row=row,
            recipients=recipients,
            provider=provider.name,
            provider_id=sent.provider_id,
            aliases=[alias for alias in sent.aliases if alias != row.message_id],
            at=self._store.clock.now(),
            last=not more,
            ids=sent.ids,
        )
        try:
            await self._store.write_grouped(departures.proceed, took)
        except StoreError:
            await insist(self._store, _proceed, took)
        return more

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
    why = f"{refused.reason_class}: {refused.reason}"
    reason = limits.wrong_settings(chosen.provider.name, why)
    log.error("%s; messages wait: put its settings right, and start anew", reason)
    return Attempt(chosen.provider, Retry(_SETUP.delay(attempts), reason))


@dataclass(frozen=True, slots=True)
class _Tried:
    """An attempt, and whom it was for."""

    part: Sequence[str]
    attempt: Attempt


def _decisive(tried: Sequence[_Tried], attempts: int) -> tuple[Sequence[str], Attempt]:
    """Return the attempt that decides: the last one, or of those in vain the soonest to repeat.

    What was in vain was so for everybody it was tried for.
    """
    last = tried[-1]
    waits = [(t.attempt.outcome, t) for t in tried if isinstance(t.attempt.outcome, Retry)]
    if not waits or not last.attempt.allows_another:
        return last.part, last.attempt
    soonest = min(waits, key=lambda pair: outcomes.pause(pair[0], attempts))[1]
    return tried[0].part, soonest.attempt

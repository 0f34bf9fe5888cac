"""What an attempt to send does to the send: done, tried again later, lost, or unknown.

Runs in the transaction of its caller. What events have told about a recipient meanwhile is never
undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..parsing.reasons import judge
from ..providers.base import Refused, Retry, Sent, Unknown
from ..providers.registry import lookup
from ..router import Retries
from ..store import deliveries, departures, jobs, progress, sends
from ..store.deliveries import Outcome
from ..store.inboxes import PAUSED
from ..values import EventType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..store.leased import Job
    from ..store.transactions import Tx
    from .attempts import Attempt

RETRIES = Retries(attempts=12, first=timedelta(seconds=2), factor=3.0)
QUESTIONS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
PATIENCE = timedelta(hours=1)
_GIVEN_UP = "expired"


@dataclass(frozen=True, slots=True)
class Case:
    """One attempt of one send, to be recorded in one transaction.

    ``more``: the send has other recipients, who wait for their part of it.
    """

    tx: Tx
    job: Job
    row: Any
    attempt: Attempt
    now: datetime
    policy: str = "keep"
    more: bool = False

    def left(self, recipients: Sequence[str]) -> list[str]:
        """Return those of the recipients whom no provider has taken the send for yet."""
        if not recipients:
            return []
        waiting = deliveries.pending(self.tx.connection, self.row.id)
        return [r for r in recipients if r in waiting]

    def happened(self, recipients: Sequence[str], type: EventType, **details: Any) -> None:
        """Log an outcome of ours for these recipients."""
        outcome = Outcome(type=type, at=self.now, **details)
        deliveries.happened_to(self.tx, self.row.id, recipients, outcome, now=self.now)

    def complete(self) -> None:
        """Have done with the job, or let it go on with the others."""
        if self.more:
            departures.go_on(self.tx, self.job, self.now)
        else:
            jobs.complete(self.tx, [self.job])


def record(
    tx: Tx,
    job: Job,
    row: Any,
    recipients: Sequence[str],
    attempt: Attempt,
    now: datetime,
    *,
    more: bool = False,
    policy: str = "keep",
) -> None:
    """Record what an attempt to send to these recipients came to; the lease ends.

    ``more``: others wait for their part. ``policy`` says what becomes of what stays unknown: keep,
    sent, or retry.
    """
    case = Case(tx, job, row, attempt, now, policy, more)
    if isinstance(attempt.outcome, Sent):
        _sent(case, recipients, attempt.outcome)
    elif left := case.left(recipients):
        _not_sent(case, left, attempt.outcome)
    else:  # events were faster
        case.complete()


def taken(
    tx: Tx, job: Job, row: Any, recipients: Sequence[str], attempt: Attempt, now: datetime
) -> None:
    """Record that a provider took a send although the lease was lost meanwhile.

    It is a fact, whoever holds the lease now: that one finds nobody left to send to, and ends the
    send. Whom the provider did not take it for is left to that one.
    """
    if isinstance(attempt.outcome, Sent):
        _taken(Case(tx, job, row, attempt, now), recipients, attempt.outcome)


def answered(
    tx: Tx,
    job: Job,
    row: Any,
    answers: Sequence[tuple[Sequence[str], Attempt]],
    now: datetime,
    *,
    policy: str = "keep",
) -> None:
    """Record what a provider says later about the parts of a send announced as unknown."""
    cases = [(to, Case(tx, job, row, attempt, now, policy)) for to, attempt in answers]
    for recipients, case in cases:
        outcome, left = case.attempt.outcome, case.left(recipients)
        if isinstance(outcome, Sent):
            _taken(case, recipients, outcome)
        elif isinstance(outcome, Retry) and left:  # whoever was told may have sent it once more
            _fail(case, left, Refused(f"was not sent: {outcome.reason}", _GIVEN_UP))
    open_ = [case for to, case in cases if case.left(to)]
    if open_:
        _ask_later(open_[0])
    else:
        jobs.complete(tx, [job])


def suppressed(tx: Tx, row: Any, blocked: Mapping[str, str], now: datetime) -> None:
    """Leave out recipients who must not be written to, and say why."""
    for recipient, reason in blocked.items():
        is_paused = reason == PAUSED
        rejected = Outcome(
            type=EventType.REJECTED,
            at=now,
            recipient=recipient,
            reason_class=PAUSED if is_paused else "suppressed",
            reason="the inbox is paused" if is_paused else f"suppressed ({reason})",
        )
        deliveries.happened(tx, row.id, rejected, now=now)


def _sent(case: Case, recipients: Sequence[str], sent: Sent) -> None:
    _taken(case, recipients, sent)
    if later := case.left(list(sent.deferred)):
        reasons = sorted({sent.deferred[r] for r in later})
        _not_sent(case, later, Retry(reason="; ".join(reasons)))
    else:
        case.complete()


def _taken(case: Case, recipients: Sequence[str], sent: Sent) -> None:
    name = case.attempt.provider.name if case.attempt.provider else case.row.provider
    sends.provider_took(
        case.tx,
        case.row.id,
        provider=name,
        provider_id=sent.provider_id,
        aliases=[alias for alias in sent.aliases if alias != case.row.message_id],
    )
    if len(recipients) < len(case.row.rcpt_to):
        progress.belongs(case.tx, case.row.id, recipients, name, sent.provider_id)
    for recipient, id in sent.ids.items():
        progress.belongs(case.tx, case.row.id, [recipient], name, id)
    for recipient, reason in sent.recipients.items():
        _refused_recipient(case, [recipient], reason)
    for recipient in recipients:
        if recipient not in sent.recipients and recipient not in sent.deferred:
            took = Outcome(type=EventType.ACCEPTED, at=case.now, recipient=recipient)
            deliveries.happened(case.tx, case.row.id, took, now=case.now)


def _not_sent(case: Case, left: Sequence[str], outcome: Refused | Retry | Unknown) -> None:
    if isinstance(outcome, Refused):
        _lost(case, left, outcome)
    elif isinstance(outcome, Unknown):
        _unknown(case, left, outcome.reason)
    elif case.job.attempts < RETRIES.attempts:
        _again(case, left, outcome)
    elif case.attempt.certain:
        reason = f"given up after {case.job.attempts} attempts: {outcome.reason}"
        _lost(case, left, Refused(reason, _GIVEN_UP))
    else:
        _unknown(case, left, outcome.reason)


def _again(case: Case, left: Sequence[str], retry: Retry) -> None:
    due = case.now + pause(retry, case.job.attempts)
    if case.attempt.certain:
        deliveries.requeue(case.tx, case.row.id, left, at=case.now)
    sends.note(case.tx, case.row.id, retry.reason)
    jobs.put_back(case.tx, case.job, due_at=due, error=retry.reason)


def pause(retry: Retry, attempts: int) -> timedelta:
    """Return how long to wait after this many attempts: as told, but never less than usual."""
    return max(retry.after or timedelta(0), RETRIES.delay(attempts))


def _lost(case: Case, left: Sequence[str], refused: Refused) -> None:
    _fail(case, left, refused)
    case.complete()


def _fail(case: Case, left: Sequence[str], refused: Refused) -> None:
    sends.note(case.tx, case.row.id, refused.reason)
    if refused.reason_class == "recipient" and len(left) == 1:
        _refused_recipient(case, left, refused.reason)
    else:
        case.happened(
            left, EventType.FAILED, reason_class=refused.reason_class, reason=refused.reason
        )


def _refused_recipient(case: Case, recipient: Sequence[str], reason: str) -> None:
    """A server that refuses a dead address spares us the bounce that would come by mail."""
    verdict = judge(reason)
    case.happened(
        recipient,
        EventType.BOUNCED if verdict.hard else EventType.REJECTED,
        hard=verdict.hard,
        reason_class=verdict.reason,
        reason=reason,
    )


def _unknown(case: Case, left: Sequence[str], reason: str) -> None:
    sends.note(case.tx, case.row.id, reason)
    case.happened(left, EventType.SEND_UNKNOWN, reason=reason)
    if case.more:  # what became of this part is asked when the others have left
        case.complete()
    else:
        _ask_later(case)


def _ask_later(case: Case) -> None:
    """Ask the provider a few times more, as what it did takes time to show; then follow the policy.

    Before the policy says that it was sent, or sends it again, events have an hour to tell.
    """
    asked = int(case.job.data.get("asked", 0))
    provider = case.attempt.provider
    if provider is not None and lookup(provider) is not None and asked < len(QUESTIONS):
        due, more = case.now + QUESTIONS[asked], {"asked": str(asked + 1)}
    elif case.policy != "keep":
        due, more = case.now + PATIENCE, {"policy": case.policy}
    else:
        case.complete()
        return
    data = {**case.job.data, **more}
    jobs.put_back(case.tx, case.job, due_at=due, error="unknown", data=data)

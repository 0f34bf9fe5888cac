"""What an attempt to send does to the send: done, tried again later, lost, or unknown.

Every function runs in the transaction of its caller. What events have told about a recipient
meanwhile is never undone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..parsing.reasons import judge
from ..providers.base import Refused, Retry, Sent, Unknown
from ..providers.registry import lookup
from ..router import Retries
from ..store import deliveries, jobs, sends
from ..store.deliveries import Outcome
from ..values import EventType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..store.jobs import Job
    from ..store.writer import Tx
    from .attempts import Attempt

RETRIES = Retries(attempts=12, first=timedelta(seconds=2), factor=3.0)
_QUESTIONS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))


def record(
    tx: Tx, job: Job, row: Any, recipients: Sequence[str], attempt: Attempt, *, now: datetime
) -> None:
    """Record what an attempt to send to these recipients came to."""
    outcome = attempt.outcome
    left = _left(tx, row, recipients)
    last = job.attempts >= RETRIES.attempts
    if isinstance(outcome, Sent):
        _sent(tx, job, row, recipients, attempt, outcome, now)
    elif not left:  # events were faster
        jobs.complete(tx, [job])
    elif isinstance(outcome, Refused):
        _refused(tx, job, row, left, outcome, now)
    elif isinstance(outcome, Unknown):
        _unknown(tx, job, row, left, attempt, outcome.reason, now)
    elif not last:
        _again(tx, job, row, left, attempt, outcome, now)
    elif attempt.certain:
        reason = f"given up after {job.attempts} attempts: {outcome.reason}"
        _refused(tx, job, row, left, Refused(reason, "expired"), now)
    else:
        _unknown(tx, job, row, left, attempt, outcome.reason, now)


def answered(
    tx: Tx, job: Job, row: Any, recipients: Sequence[str], attempt: Attempt, *, now: datetime
) -> None:
    """Record what a provider says later about a send that was announced as unknown."""
    outcome, left = attempt.outcome, _left(tx, row, recipients)
    if isinstance(outcome, Sent):
        _sent(tx, job, row, recipients, attempt, outcome, now)
    elif isinstance(outcome, Retry) and left:  # whoever was told may have sent it again
        _refused(tx, job, row, left, Refused(f"was not sent: {outcome.reason}", "expired"), now)
    elif left:
        _ask_later(tx, job, attempt, now)
    else:
        jobs.complete(tx, [job])


def suppressed(tx: Tx, row: Any, blocked: Mapping[str, str], *, now: datetime) -> None:
    """Leave out recipients who must not be written to, and say why."""
    for recipient, reason in blocked.items():
        rejected = Outcome(
            type=EventType.REJECTED,
            at=now,
            recipient=recipient,
            reason_class="suppressed",
            reason=f"suppressed ({reason})",
        )
        deliveries.happened(tx, row.id, rejected, now=now)


def wait(tx: Tx, job: Job, row: Any, *, until: datetime, reason: str) -> None:
    """Keep a send back until a provider is ready again."""
    sends.note(tx, row.id, reason)
    jobs.put_back(tx, job, due_at=until, error=reason)


def _left(tx: Tx, row: Any, recipients: Sequence[str]) -> list[str]:
    waiting = deliveries.pending(tx.connection, row.id)
    return [r for r in recipients if r in waiting]


def _sent(
    tx: Tx,
    job: Job,
    row: Any,
    recipients: Sequence[str],
    attempt: Attempt,
    sent: Sent,
    now: datetime,
) -> None:
    name = attempt.provider.name if attempt.provider else row.provider
    sends.provider_took(
        tx, row.id, provider=name, provider_id=sent.provider_id, aliases=sent.aliases
    )
    for recipient, reason in sent.recipients.items():
        deliveries.happened(tx, row.id, _refusal(recipient, reason, now), now=now)
    for recipient in recipients:
        if recipient not in sent.recipients and recipient not in sent.deferred:
            took = Outcome(type=EventType.ACCEPTED, at=now, recipient=recipient)
            deliveries.happened(tx, row.id, took, now=now)
    if later := _left(tx, row, list(sent.deferred)):
        retry = Retry(reason="; ".join(sorted({sent.deferred[r] for r in later})))
        record(tx, job, row, later, replace(attempt, outcome=retry), now=now)
    else:
        jobs.complete(tx, [job])

"""A draft that is sent: its send is stored, and it vanishes, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import InboxKitError
from . import acceptance, drafts, idempotency, jobs, messages, sends

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .drafts import DraftRecord
    from .idempotency import Claim
    from .leased import Job
    from .sends import Staged
    from .transactions import Tx


class Changed(InboxKitError):
    """The draft was sent, changed or deleted by somebody else meanwhile."""


@dataclass(frozen=True, slots=True)
class Departure:
    """What is stored beside the send of a draft; ``store`` takes the place of ``sends.store``.

    ``job`` is the timer that sends it, if one does; ``said`` is what the send is answered with.
    """

    draft: DraftRecord
    labels: Sequence[str]
    now: datetime
    claim: Claim | None = None
    job: Job | None = None
    said: dict[str, Any] = field(default_factory=dict[str, Any])

    def _answered(self, tx: Tx) -> list[int] | None:
        """Return the send that was made under the same key, if one was."""
        known = self.claim and idempotency.answered(tx.connection, self.claim, self.now)
        if not known:
            return None
        self.said.update(known)
        return [int(known["row"])]

    def store(self, tx: Tx, staged: Sequence[Staged]) -> list[int]:
        """Store the send; raise Changed when the draft is not what it was when it was read."""
        answered = self._answered(tx)
        if answered is not None:
            return answered
        if self.job is not None:
            jobs.complete(tx, [self.job])
        if not drafts.remove(tx, self.draft):
            answered = self._answered(tx)  # by who has just removed it
            if answered is not None:
                return answered
            raise Changed(f"draft {self.draft.id}: was changed or sent meanwhile")
        (sent,) = sends.store(tx, staged)
        if self.labels:
            messages.set_labels(tx, sent, add=self.labels, remove=(), now=self.now)
        self.said.update(acceptance.answered(tx, sent, self.claim, self.now))
        return [sent]

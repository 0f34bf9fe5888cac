"""What a handler has asked for so far: sends, thread state, labels. Nothing of it has happened yet.

The transaction that marks the Run done carries it out; a handler that fails has done nothing.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import HandlerError
from ..store import drafts, messages, sends, threads
from ..store.sends import Staged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..store.drafts import DraftRecord
    from ..store.transactions import Tx
    from ..values import File


@dataclass(slots=True)
class Staging:
    """The effects of one handler call.

    ``reminder`` is set while a timer's handler runs. ``record`` keeps sends from going out.
    ``key`` begins the keys of sends that have none, so that a replay sends nothing twice;
    ``again`` ends all keys of a replay that is asked to send once more.
    ``over`` is set when the handler has ended: what it left running can stage nothing more.
    """

    key: str
    again: str = ""
    reminder: bool = False
    record: bool = False
    over: bool = False
    sends: list[Staged] = field(default_factory=list[Staged])
    drafts: list[tuple[int, DraftRecord, Sequence[File]]] = field(
        default_factory=list[tuple[int, "DraftRecord", "Sequence[File]"]]
    )
    cancelled: set[int] = field(default_factory=set[int])  # they stay listed: keys count them
    states: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    labels: list[tuple[int, tuple[str, ...], tuple[str, ...]]] = field(
        default_factory=list[tuple[int, tuple[str, ...], tuple[str, ...]]]
    )

    def add(self, staged: Staged) -> None:
        """Stage a send."""
        row = dict(staged.row)
        if row["send_key"] is None:
            row["send_key"] = f"{sends.AUTO_KEY}{self.key}{self.again}:{len(self.sends)}"
        elif self.again:
            row["send_key"] += self.again
        if self.record:
            row["state"] = "recorded"
        self.sends.append(replace(staged, row=row, recorded=self.record))

    def update_thread(self, thread_id: int, state: Mapping[str, Any]) -> None:
        """Merge into the state that the thread will have."""
        self.states.setdefault(thread_id, {}).update(state)

    def hold(self, record: DraftRecord, files: Sequence[File], message_id: int) -> None:
        """Stage a draft in place of a send, for a person to approve."""
        key = f"{sends.AUTO_KEY}{self.key}{self.again}:{len(self.drafts)}"
        self.drafts.append((message_id, replace(record, client_id=key), files))

    def cancel(self, message_id: int) -> None:
        """Take back a send that is only staged."""
        self.cancelled.add(message_id)

    def holds(self, message_id: int) -> bool:
        """Whether a send is only staged: nobody has it yet."""
        staged = {item.id for item in self.sends} | {number for number, *_ in self.drafts}
        return message_id in staged - self.cancelled and not self.over

    def wanted(self) -> list[Staged]:
        """Return the sends that were not taken back."""
        return [item for item in self.sends if item.id not in self.cancelled]

    def change(self, tx: Tx, now: datetime) -> None:
        """Do what was asked for beside sends."""
        for number, record, files in () if self.record else self.drafts:
            if number not in self.cancelled:
                drafts.create(tx, record, files)
        for thread_id, state in self.states.items():
            threads.update_state(tx, thread_id, state, now)
        for message_id, add, remove in self.labels:
            messages.set_labels(tx, message_id, add=add, remove=remove, now=now)


def carry_out(tx: Tx, stagings: Sequence[Staging], now: datetime) -> None:
    """Do all that handlers have asked for, in the transaction of their Runs' ends."""
    sends.store(tx, [send for staging in stagings for send in staging.wanted()])
    for staging in stagings:
        staging.change(tx, now)


current: ContextVar[Staging | None] = ContextVar("inboxkit_staging", default=None)


def active() -> Staging | None:
    """Return what the running handler has asked for so far, None outside of handlers.

    Raise HandlerError in a task that a handler has left behind: its effects would be lost.
    """
    found = current.get()
    if found is not None and found.over:
        raise HandlerError(
            "the handler that started this task has ended, and with it what it may send or change; "
            "await the task in the handler, or start it outside of handlers"
        )
    return found

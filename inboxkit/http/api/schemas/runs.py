"""Runs, and why a message went where it went, on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ....tokens import public_id
from .events import About
from .wire import Listed, PageQuery, Request, Stamp, Text, Wire

if TYPE_CHECKING:
    from ....store.handled import RunRecord


class RunsQuery(PageQuery):
    """Which Runs: in this state, of this handler, about this message."""

    state: Literal[
        "", "pending", "retrying", "done", "failed", "rejected", "skipped", "withheld"
    ] = ""
    handler: Annotated[Text, Field(max_length=500)] = ""
    message_id: Text | None = None


class Run(Wire):
    """One call of one handler. ``error`` says why it failed, or why it was withheld."""

    run_id: str
    message_id: str
    inbox_id: str
    thread_id: str | None = None
    router: str
    handler: str
    kind: str
    item: str | None = None
    state: str
    attempts: int
    error: str | None = None
    created_at: Stamp
    finished_at: Stamp | None = None


class ListRunsResponse(Listed):
    """A page of Runs, newest first."""

    runs: Sequence[Run]


class ReplayRequest(Request):
    """How to run again. ``send_again``: also what was sent before is sent once more."""

    send_again: bool = False


class ReplayRunsRequest(ReplayRequest):
    """Which Runs to run again: those that failed, of one handler if it is named."""

    handler: Annotated[Text, Field(max_length=500)] = ""


class Replayed(Wire):
    """How many Runs are done again; a process that has the handlers does them.

    ``under_way``: how many are left out, as they are being done already.
    """

    replayed: int
    under_way: int


class ThreadChoice(Wire):
    """Which thread a message joined, and why."""

    thread_id: str | None = None
    reason: str | None = None
    participant: bool
    in_reply_to: str | None = None
    references: Sequence[str]


class Explanation(Wire):
    """Why a message is where it is: what it was taken for, its thread, and its handlers.

    ``withheld`` says of a handler that would have been called why it was not.
    """

    message_id: str
    id: str
    state: str
    kind: str
    kind_reason: str | None = None
    thread: ThreadChoice
    auth: Mapping[str, str]
    labels: Sequence[str]
    defects: Sequence[str]
    handlers: Sequence[Run]
    withheld: Mapping[str, str]
    planned: bool
    events: Sequence[Step]


class Step(About):
    """What happened to the message, in order."""

    event_id: str
    event_type: str


def run(record: RunRecord) -> Run:
    """Return a Run for the wire."""
    return Run(
        run_id=public_id("run", record.id),
        message_id=public_id("msg", record.message_id),
        inbox_id=record.inbox,
        thread_id=None if record.thread_id is None else public_id("thd", record.thread_id),
        router=record.router,
        handler=record.handler,
        kind=record.kind,
        item=record.item or None,
        state=record.state,
        attempts=record.attempts,
        error=record.error or None,
        created_at=record.created_at,
        finished_at=record.finished_at,
    )

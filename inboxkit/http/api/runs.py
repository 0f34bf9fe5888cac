"""Runs: which handlers were called with what, and how it ended; run them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...store import handled, runs
from ...tokens import row_id
from .envelope import invalid
from .routing import EVERYWHERE, At, Route
from .schemas.runs import (
    ListRunsResponse,
    Replayed,
    ReplayRequest,
    ReplayRunsRequest,
    Run,
    RunsQuery,
    run,
)
from .schemas.wire import Nothing

if TYPE_CHECKING:
    from ...store.handled import RunRecord
    from .call import Call

_MOST_REPLAYED = 500


async def listed(call: Call[RunsQuery]) -> ListRunsResponse:
    """List Runs, newest first."""
    asked = call.given
    page = call.by_id("runs", asked)
    found = await call.store.read_at_length(
        handled.listed,
        call.reach,
        page,
        state=asked.state,
        handler=asked.handler,
        message_id=None if asked.message_id is None else _message(asked.message_id),
    )
    items, fields = call.cut("runs", page, found, lambda record: [record.id])
    return ListRunsResponse(runs=[run(record) for record in items], **fields)


def _message(name: str) -> int:
    try:
        return row_id("msg", name)
    except ValueError:
        raise invalid("is no id such as msg_...", "message_id") from None


async def wanted(call: Call[Any]) -> RunRecord:
    """Return the Run of the path; raise ApiError 404."""
    try:
        row = row_id("run", call.name("run_id"))
    except ValueError:
        raise call.unknown("Run", "run_id") from None
    found = await call.store.read(handled.find, call.reach, row)
    if found is None:
        raise call.unknown("Run", "run_id")
    return found


async def get(call: Call[Nothing]) -> Run:
    """Return a Run."""
    return run(await wanted(call))


async def replay(call: Call[ReplayRequest]) -> Replayed:
    """Call a handler again; what it sent before is not sent again, unless ``send_again``."""
    found = await wanted(call)
    return await _again(call, [found.id])


async def replay_failed(call: Call[ReplayRunsRequest]) -> Replayed:
    """Call the handlers of the Runs that failed again, 500 at most; the answer says how many."""
    found = await call.store.read_at_length(
        handled.failed, call.reach, call.given.handler, limit=_MOST_REPLAYED
    )
    return await _again(call, list(found))


async def _again(call: Call[Any], rows: list[int]) -> Replayed:
    done = await call.store.write(runs.again, rows, call.now, send_again=call.given.send_again)
    return Replayed(replayed=done, under_way=len(rows) - done)


_ITEM = "/runs/{run_id}"
_PLACES = At.ORG | At.POD
ROUTES: tuple[Route[Any], ...] = (
    Route("GET", "/runs", listed, RunsQuery, ListRunsResponse, "run_read", EVERYWHERE),
    Route(
        "POST", "/runs/replay", replay_failed, ReplayRunsRequest, Replayed, "run_update", _PLACES
    ),
    Route("GET", _ITEM, get, Nothing, Run, "run_read", EVERYWHERE),
    Route("POST", f"{_ITEM}/replay", replay, ReplayRequest, Replayed, "run_update", EVERYWHERE),
)

"""Explain: why a message is in its thread, who handled it, and why others were not called."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from ...store import announcements, events, handled
from ...store.pages import Page
from ...tokens import row_id
from .messages import wanted
from .routing import At, Route
from .schemas.events import about, name_of
from .schemas.runs import Explanation, Step, ThreadChoice, run
from .schemas.wire import Nothing
from .targets import shown_message_id

if TYPE_CHECKING:
    from ...store.records import Shown
    from .call import Call

_MOST_RUNS = 200


async def explain(call: Call[Nothing]) -> Explanation:
    """Say why a message was taken for what it is, which thread it joined, and what handled it."""
    found = await wanted(call)
    message, row = found.message, row_id("msg", found.message.id)
    read = call.store.read
    page: Page[int] = Page(_MOST_RUNS, ascending=True)
    runs = [run(r) for r in await read(handled.listed, call.reach, page, message_id=row)]
    return Explanation(
        message_id=shown_message_id(found.name),
        id=message.id,
        state=message.state,
        kind=message.kind,
        kind_reason=await read(handled.kind_reason, row) or None,
        thread=_thread(found),
        auth={name: value for name, value in asdict(message.auth).items() if value},
        labels=sorted(found.labels),
        defects=message.defects,
        handlers=[one for one in runs if one.state != "withheld"],
        withheld={one.handler: one.error or "" for one in runs if one.state == "withheld"},
        planned=await read(handled.is_planned, row),
        events=await _steps(call, found),
    )


def _thread(found: Shown) -> ThreadChoice:
    message = found.message
    return ThreadChoice(
        thread_id=message.thread_id or None,
        reason=message.thread_reason or None,
        participant=message.participant,
        in_reply_to=message.in_reply_to or None,
        references=message.references,
    )


async def _steps(call: Call[Nothing], found: Shown) -> list[Step]:
    rows = await call.store.read(events.of_message, row_id("msg", found.message.id))
    told = await call.store.read(announcements.of, rows)
    return [
        Step(
            **about(one, found).model_dump(),
            event_id=events.cursor_id(one.seq),
            event_type=name_of(one),
        )
        for one in told
    ]


ROUTES = (
    Route(
        "GET",
        "/messages/{message_id}/explain",
        explain,
        Nothing,
        Explanation,
        "run_read",
        At.INBOX,
    ),
)

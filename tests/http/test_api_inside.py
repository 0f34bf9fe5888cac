"""The API asked in its own process: the same answers, permissions and errors as over HTTP."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from inboxkit.client.actions import RemoteActions
from inboxkit.client.server import Server
from inboxkit.client.transport import Question
from inboxkit.http.api.access import Identity
from inboxkit.http.api.app import Api
from inboxkit.http.api.inside import Inside
from inboxkit.store import records
from inboxkit.store.api_keys import KeyRecord
from tests.mails import DESK, arrive

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxkit import InboxKit
    from inboxkit.store.store import Store


def inside(kit: InboxKit, **permissions: bool) -> Inside:
    """Return the way in for an owner, or for a key that may do these things alone."""
    now, key = kit.clock.now(), None
    if permissions:
        key = KeyRecord(
            id=1,
            prefix="",
            name="",
            live=False,
            permissions=permissions,
            created_at=now,
            updated_at=now,
        )
    return Inside(Api(kit.runtime.parts), Identity(key, live=True))


async def test_messages_and_their_bytes_are_read(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit, files={"a.bin": b"\x00\x01"})
    found = await RemoteActions(Server(inside(kit), None)).message(came.id)
    assert (found, found.subject) == (came, "Question")
    assert await found.raw() == await came.raw()
    assert await found.attachments[0].read() == b"\x00\x01"


async def test_what_fails_is_in_the_envelope(kit: InboxKit) -> None:
    asked = {
        "/v0/inboxes/no@inbox.example": (404, "not_found"),
        "/v0/runs?state=odd": (400, "validation_error"),
        "/download/x": (404, "not_found"),
        "/elsewhere": (404, "not_found"),
    }
    for target, expected in asked.items():
        answer = await inside(kit).ask(Question(method="GET", target=target))
        assert (answer.status, json.loads(answer.body)["code"]) == expected, target


async def test_a_key_may_do_what_it_is_allowed(kit: InboxKit) -> None:
    way = inside(kit, inbox_read=True)
    listed = await way.ask(Question(method="GET", target="/v0/inboxes"))
    made = await way.ask(Question(method="POST", target="/v0/inboxes", body=b"{}"))
    assert (listed.status, made.status) == (200, 403)
    assert json.loads(made.body)["code"] == "missing_permission"


class Interrupting:
    """A store whose reader goes away while the answer of a wait is made."""

    def __init__(self, store: Store, interrupt: Callable[[], object]) -> None:
        self._store = store
        self._interrupt = interrupt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def read(self, function: Any, *args: Any) -> Any:
        if function is records.shown_as:
            self._interrupt()
        return await self._store.read(function, *args)


async def test_a_wait_whose_caller_goes_away_gives_its_message_back(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    came = await arrive(kit)
    parts = kit.runtime.parts
    store = Interrupting(parts.store, lambda: waiting.cancel())
    way = Inside(Api(replace(parts, store=cast("Store", store))), Identity())
    question = Question(method="GET", target=f"/v0/inboxes/{DESK}/wait")
    waiting = asyncio.create_task(way.ask(question))
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert await inbox.wait_for_message(timeout=5) == came

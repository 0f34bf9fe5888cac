"""What happened to a message, and what handlers made of it, as pages show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxkit import EventType, Message, Reject, Retries, Router
from inboxkit.store import deliveries
from inboxkit.store.deliveries import Outcome
from inboxkit.testing.settling import settle
from inboxkit.tokens import row_id

from .api import Api, serving
from .pages import look
from .test_pages_access import ADMIN, cookie, with_cookie

if TYPE_CHECKING:
    from collections.abc import Iterator

WORSE = "the crm\u202e is <script>alert(1)</script> down"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    router = Router(retries=Retries(attempts=1))

    @router.on_message(to="answers@*")
    async def answer(message: Message) -> None:
        await message.reply("We have it.")

    @router.on_message(to="refuses@*")
    async def refuse(message: Message) -> None:
        raise Reject(WORSE)

    @router.on_message(to="breaks@*")
    async def broken(message: Message) -> None:
        raise ValueError(message.id)

    with serving(http_pages=True, any_recipient=True) as api:
        api.runner.call(api.runner.kit.runtime.include, router)
        yield api


def handled(api: Api, to: str) -> Message:
    came = api.arrive(to)
    api.runner.call(settle, api.runner.kit, timeout=30.0)
    return came


def test_a_message_shows_its_handlers_and_a_send_its_events(api: Api) -> None:
    came = handled(api, "answers@inbox.example")
    shown = look(api, f"/mail/messages/{came.id}")
    assert "message.received" in shown.text
    assert ".answer" in shown.text and "done" in shown.text.split()
    thread = api.good("GET", f"/v0/threads/{came.thread_id}")
    [sent] = [m for m in thread["messages"] if "sent" in m["labels"]]
    said = look(api, f"/mail/messages/{sent['inboxkit']['id']}").text
    assert said.index("message.queued") < said.index("message.sent")
    assert "ann@example.com" in said


def bounced(api: Api, sent: str) -> None:
    store, now = api.runner.kit.runtime.store, api.runner.kit.clock.now()
    told = Outcome(
        type=EventType.BOUNCED, at=now, recipient="bob@example.com", hard=True, reason_class="gone"
    )
    api.runner.call(store.write, deliveries.happened, row_id("msg", sent), told, now=now)


def test_a_bounce_is_shown_with_its_recipient_and_reason(api: Api) -> None:
    sent = str(api.send(api.inbox(), to="bob@example.com")["inboxkit"]["id"])
    api.runner.call(settle, api.runner.kit, timeout=30.0)
    bounced(api, sent)
    said = " ".join(look(api, f"/mail/messages/{sent}").text.split())
    assert "message.bounced bob@example.com 5.0.0 Permanent, gone" in said


def test_runs_that_failed_come_first(api: Api) -> None:
    failed = handled(api, "breaks@inbox.example")
    answered = handled(api, "answers@inbox.example")
    links = list(look(api, "/mail/runs").links)
    assert links.index(f"/mail/messages/{failed.id}") < links.index(f"/mail/messages/{answered.id}")
    shown = look(api, f"/mail/messages/{failed.id}")
    assert "failed" in shown.text.split() and "ValueError" in shown.text


def test_cells_say_what_they_are_for_screens_that_have_no_room_for_a_head(api: Api) -> None:
    handled(api, "answers@inbox.example")
    shown = look(api, "/mail/runs").html
    assert '<td data-label="Attempts">1</td>' in shown
    assert '<td data-label="Began"><time' in shown and '<td data-label="Ended"><time' in shown
    assert (
        '<td data-label="Name"></td><td data-label="Since"><time'
        in look(api, "/mail/inboxes?q=answers").html
    )


def test_runs_of_a_state_and_of_a_handler(api: Api) -> None:
    refused = handled(api, "refuses@inbox.example")
    handled(api, "answers@inbox.example")
    shown = look(api, "/mail/runs?state=rejected")
    assert f"/mail/messages/{refused.id}" in shown.links
    assert "<script>alert(1)" in shown.text and ".answer" not in shown.text
    [handler] = [href for href, said in shown.links.items() if said.endswith(".refuse")]
    assert ".refuse" in look(api, handler).text
    assert "state: Input should be" in look(api, "/mail/runs?state=odd", 400).text


def test_runs_come_in_pages(api: Api) -> None:
    first, second = (handled(api, "answers@inbox.example") for _ in range(2))
    every = api.good("GET", "/v0/runs?limit=1&state=done")
    shown = look(api, f"/mail/runs?state=done&page_token={every['next_page_token']}")
    assert f"/mail/messages/{first.id}" in shown.links
    assert f"/mail/messages/{second.id}" not in shown.links


def test_a_message_that_nobody_takes_says_so(api: Api) -> None:
    came = handled(api, "nobody@inbox.example")
    assert "No handler takes it." in look(api, f"/mail/messages/{came.id}").text


def test_runs_are_for_keys_that_may_read_them() -> None:
    with serving(api_key=ADMIN, http_pages=True) as server:
        admin = server.of(ADMIN)
        ours, theirs = admin.inbox(), admin.inbox()
        came = admin.arrive(ours)
        reads = {"permissions": {"message_read": True, "run_read": False}}
        blind = cookie(server, admin.good("POST", "/v0/api-keys", reads)["api_key"])
        with_cookie(server, "/mail/runs", blind, 403)
        assert "run_read" in with_cookie(server, f"/mail/messages/{came.id}", blind).text
        key = admin.good("POST", f"/v0/inboxes/{theirs}/api-keys", {})["api_key"]
        assert ours not in with_cookie(server, "/mail/runs", cookie(server, key)).text

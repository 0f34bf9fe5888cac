"""Live events over HTTP: the log with a cursor, waits on the server, and how both end."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
import pytest

from inboxkit import InboxKit
from inboxkit.http.api.access import Identity
from inboxkit.http.api.call import Call
from inboxkit.http.api.envelope import ApiError
from inboxkit.http.api.listeners import Listeners
from inboxkit.http.api.schemas.wait import WaitQuery
from inboxkit.http.api.wait import wait
from inboxkit.store import inboxes
from inboxkit.store.reach import Reach
from tests.mails import DESK, arrive

from .api import Api, path, serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from inboxkit.store.store import Store

KEY = "k" * 20
OTP = "Your verification code is 482913"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key=KEY) as api:
        yield api.of(KEY)


def told(api: Api, query: str) -> Any:
    return api.good("GET", f"/v0/events?{query}")


def test_events_follow_a_cursor(api: Api) -> None:
    inbox = api.inbox()
    begin = told(api, "")["cursor"]
    came = api.arrive(inbox)

    page = told(api, f"after={begin}&wait=5&inbox_ids={inbox}")
    rest = told(api, f"after={page['cursor']}&inbox_ids={inbox}")

    assert [e["event_type"] for e in page["events"]] == ["message.received"]
    assert page["events"][0]["inboxkit"]["id"] == came.id
    assert (rest["events"], rest["count"]) == ([], 0)


def test_a_page_ends_where_the_next_begins(api: Api) -> None:
    inbox = api.inbox()
    begin = told(api, "")["cursor"]
    came = [api.arrive(inbox, f"number {n}").id for n in range(5)]
    seen: list[str] = []
    while len(seen) < 5:
        page = told(api, f"after={begin}&limit=2&wait=5&event_types=message.received")
        begin = page["cursor"]
        seen += [event["inboxkit"]["id"] for event in page["events"]]
    assert seen == came


def test_a_wait_for_events_ends_when_one_comes(api: Api) -> None:
    inbox = api.inbox()
    begin = told(api, "")["cursor"]  # the mail may be quicker than the request

    async def ask(session: aiohttp.ClientSession) -> Any:
        url = f"{api.url}/v0/events?wait=30&after={begin}&inbox_ids={inbox}"
        waiting = asyncio.ensure_future(_json(session, url))
        await asyncio.sleep(0.05)
        await api.runner.kit.receive(b"Subject: a\r\n\r\nb", mail_from="a@b.cc", rcpt_to=[inbox])
        return await asyncio.wait_for(waiting, 30)

    assert within(api, ask)["count"] == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("after=nonsense", 400),
        ("after=msg_0000000000001", 400),
        ("event_types=message.exploded", 400),
        ("wait=61", 400),
        ("inbox_ids=nobody@inbox.example", 404),
    ],
    ids=str,
)
def test_bad_questions_are_refused(api: Api, query: str, status: int) -> None:
    assert api.ask("GET", f"/v0/events?{query}").status == status


async def _json(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as answer:
        return await answer.json()


def within(api: Api, work: Callable[[aiohttp.ClientSession], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            return await work(session)

    return api.runner.call(run)


@asynccontextmanager
async def subscribed(
    session: aiohttp.ClientSession, api: Api, **frame: Any
) -> AsyncGenerator[tuple[aiohttp.ClientWebSocketResponse, Any]]:
    async with session.ws_connect(f"{api.url}/v0") as socket:
        await socket.send_json({"type": "subscribe", **frame})
        yield socket, await socket.receive_json(timeout=30)


def test_a_wait_returns_the_code_that_comes(api: Api) -> None:
    inbox = api.inbox()

    async def wait(session: aiohttp.ClientSession) -> Any:
        url = f"{api.url}/v0/inboxes/{inbox}/wait?kind=otp&timeout=30&sender=*@example.com"
        waiting = asyncio.ensure_future(_json(session, url))
        await asyncio.sleep(0.05)
        raw = f"From: a@example.com\r\nSubject: Code\r\n\r\n{OTP}".encode()
        await api.runner.kit.receive(raw, mail_from="a@example.com", rcpt_to=[inbox])
        return await asyncio.wait_for(waiting, 30)

    found = within(api, wait)
    assert (found["found"], found["otp"]) == (True, "482913")
    assert OTP in found["message"]["text"]


def test_a_wait_that_ends_says_what_came(api: Api) -> None:
    inbox = api.inbox()
    api.arrive(inbox, "no code here")
    found = api.good("GET", f"/v0/inboxes/{inbox}/wait?kind=otp&timeout=0.01")
    assert (found["found"], len(found["arrived"])) == (False, 1)
    taken = api.good("GET", f"/v0/inboxes/{inbox}/wait?timeout=0&whole=true")
    assert taken["whole"]["id"] == taken["message"]["inboxkit"]["id"]
    assert api.good("GET", f"/v0/inboxes/{inbox}/wait?timeout=0")["found"] is False


def test_a_wait_that_comes_again_under_its_key_has_the_same(api: Api) -> None:
    inbox = api.inbox()
    came, asked = api.arrive(inbox), f"/v0/inboxes/{inbox}/wait?whole=true&timeout="
    other = api.of(api.good("POST", "/v0/api-keys", {})["api_key"])
    key = {"Idempotency-Key": "k1"}
    assert api.good("GET", f"{asked}5", **key)["whole"]["id"] == came.id
    assert api.good("GET", f"{asked}0", **key)["whole"]["id"] == came.id
    assert other.good("GET", f"{asked}0", **key)["found"] is False
    assert api.ask("GET", f"{asked}0&kind=otp", None, key).code == "conflict"
    assert api.ask("GET", f"{asked}0", None, {"Idempotency-Key": " "}).code == "validation_error"
    keys = quote(json.dumps(["k1", "none"]))
    assert other.good("GET", f"{asked}0&give_back={keys}")["found"] is False
    assert api.good("GET", f"{asked}0&give_back={keys}")["whole"]["id"] == came.id


@pytest.mark.parametrize("kind", ["message", "otp", "link"])
@pytest.mark.parametrize("sender", ["shop.example", "shop", ""])
def test_a_wait_for_a_sender_that_no_address_can_be_is_refused(
    api: Api, kind: str, sender: str
) -> None:
    url = f"/v0/inboxes/{api.inbox()}/wait?kind={kind}&timeout=0&sender="
    answer = api.ask("GET", url + sender)
    assert (answer.status, answer.code) == (400, "validation_error")
    assert answer.json["errors"][0]["path"] == ["sender"]
    assert api.good("GET", f"{url}*@shop.example")["found"] is False


@pytest.mark.parametrize("host", ["https://shop.example", "shop.example/a", "localhost:8000", ""])
def test_a_wait_for_a_host_that_no_link_has_is_refused(api: Api, host: str) -> None:
    url = f"/v0/inboxes/{api.inbox()}/wait?kind=link&timeout=0&host="
    answer = api.ask("GET", url + quote(host))
    assert (answer.status, answer.json["errors"][0]["path"]) == (400, ["host"])
    assert "is no host: write host=" in answer.json["message"]
    assert api.good("GET", f"{url}*.shop.example")["found"] is False


def test_a_wait_leaves_what_its_key_may_not_see(api: Api) -> None:
    inbox = api.inbox()
    came = api.arrive(inbox)
    api.good("PATCH", path(inbox, came), {"add_labels": ["trash"]})
    own = {"permissions": {"message_read": True}}
    blind = api.of(api.good("POST", "/v0/api-keys", own)["api_key"])
    asked = f"/v0/inboxes/{inbox}/wait?timeout=0"
    assert blind.good("GET", asked)["found"] is False
    assert api.good("GET", asked)["found"] is True


@pytest.mark.parametrize("asked", ["inboxes/{inbox}/wait?timeout=30", "events?wait=30"])
def test_a_key_that_is_revoked_while_it_waits_gets_nothing(api: Api, asked: str) -> None:
    inbox = api.inbox()
    made = api.good("POST", f"/v0/inboxes/{inbox}/api-keys", {})
    key, url = made["api_key_id"], f"{api.url}/v0/{asked.format(inbox=inbox)}"

    async def wait(session: aiohttp.ClientSession) -> int:
        headers = {"Authorization": f"Bearer {made['api_key']}"}
        waiting = asyncio.ensure_future(session.get(url, headers=headers))
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(used, api, key):
                pass  # until it has been let in
            await asyncio.to_thread(api.good, "DELETE", f"/v0/api-keys/{key}")
            await asyncio.to_thread(api.arrive, inbox)
            return (await waiting).status

    assert within(api, wait) == 401
    assert api.good("GET", f"/v0/inboxes/{inbox}/wait?timeout=5")["found"] is True


def used(api: Api, key: str) -> bool:
    """Whether a key has been used."""
    keys = api.good("GET", "/v0/api-keys")["api_keys"]
    return any(one["api_key_id"] == key and one.get("used_at") for one in keys)


def test_who_hangs_up_takes_nothing(api: Api) -> None:
    inbox = api.inbox()
    url = f"{api.url}/v0/inboxes/{inbox}/wait?timeout=30"

    async def hang_up(session: aiohttp.ClientSession) -> None:
        with pytest.raises(TimeoutError):
            await session.get(url, timeout=aiohttp.ClientTimeout(total=0.1))

    within(api, hang_up)
    api.arrive(inbox)
    assert api.good("GET", f"/v0/inboxes/{inbox}/wait?timeout=1")["found"] is True


class Line(asyncio.Transport):
    """A connection to a client that can hang up."""

    is_gone = False

    def is_closing(self) -> bool:
        return self.is_gone


class Impatient(Call[WaitQuery]):
    """A request of a client that hangs up when its answer begins to be made."""

    @property
    def store(self) -> Store:
        assert isinstance(self.line, Line)
        self.line.is_gone = True
        return super().store


async def test_who_hangs_up_while_the_answer_is_made_takes_nothing(database: str) -> None:
    async with InboxKit(database=database) as kit:
        inbox, parts = await kit.inbox(DESK), kit.runtime.parts
        record = await parts.store.read(inboxes.find, DESK)
        came = await arrive(kit)
        call = Impatient(
            parts=parts,
            who=Identity(),
            reach=Reach(),
            given=WaitQuery(timeout=0),
            ids={},
            headers={},
            base="",
            named=record,
            line=Line(),
        )
        assert (await wait(call)).found
        assert (await inbox.wait_for_message(timeout=0)).id == came.id


class Gone(asyncio.Transport):
    """A connection whose other end has hung up."""

    def is_closing(self) -> bool:
        return True


async def test_a_wait_for_nobody_ends() -> None:
    with pytest.raises(ApiError, match="ask again"), Listeners().entered(Gone()):
        await asyncio.sleep(30)


def test_many_waits_share_one_process(api: Api) -> None:
    inboxes = [api.inbox() for _ in range(30)]

    async def wait(session: aiohttp.ClientSession) -> list[Any]:
        urls = [f"{api.url}/v0/inboxes/{inbox}/wait?timeout=20" for inbox in inboxes]
        waiting = [asyncio.ensure_future(_json(session, url)) for url in urls]
        await asyncio.sleep(0.1)
        await api.runner.kit.receive(b"\r\nb", mail_from="a@b.cc", rcpt_to=inboxes)
        return await asyncio.gather(*waiting)

    found = within(api, wait)
    assert [one["message"]["inbox_id"] for one in found] == inboxes


def test_a_stopping_server_ends_waits_and_sockets() -> None:
    with serving(api_key=KEY) as server:
        api, begun = server.of(KEY), time.monotonic()
        inbox = api.inbox()

        async def leave() -> Any:
            headers = {"Authorization": f"Bearer {KEY}"}
            session = aiohttp.ClientSession(headers=headers)
            waiting = asyncio.ensure_future(
                _json(session, f"{api.url}/v0/inboxes/{inbox}/wait?timeout=60")
            )
            async with subscribed(session, api) as (socket, _):
                await asyncio.sleep(0.05)
                closing = asyncio.ensure_future(api.runner.kit.runtime.edges.close())
                said = await socket.receive(timeout=30)
                answer = await asyncio.wait_for(waiting, 30)
            await session.close()
            await closing
            return said.type, answer["code"]

        ended = api.runner.call(leave)
        assert ended == (aiohttp.WSMsgType.CLOSE, "service_unavailable")
        assert time.monotonic() - begun < 30  # half of what the wait would take


def test_labels_that_change_are_listed(api: Api) -> None:
    inbox = api.inbox()
    came = api.arrive(inbox)
    api.good("PATCH", path(inbox, came), {"add_labels": ["vip"]})
    api.good("PATCH", path(inbox, came), {"add_labels": ["vip"], "remove_labels": ["unread"]})
    api.good("PATCH", path(inbox, came), {"remove_labels": ["vip", "never"]})
    found = api.good("GET", f"/v0/inboxes/{inbox}/events")["events"]
    assert [(e["event_type"], e["label"]) for e in found] == [
        ("label.removed", "vip"),
        ("label.removed", "unread"),
        ("label.added", "vip"),
    ]
    assert found[0]["message_id"] == came.message_id and json.dumps(found[0]["event_id"])

"""``/mcp`` on the HTTP port: a key's permissions and scope hold for tools as for the API."""

from __future__ import annotations

import asyncio
import json
import os
import smtplib
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import aiohttp
import anyio
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from inboxkit import InboxKit
from inboxkit.cli.mounting import PATH, mounted
from inboxkit.cli.serving import make_kit
from inboxkit.errors import ConfigurationError
from inboxkit.settings import Settings
from inboxkit.testing.runner import Runner
from tests.cli.processes import Serving
from tests.http.api import Api, serving
from tests.mails import mail
from tests.parsing.files import pdf

from .agents import HELLO, Agent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

KEY = "k" * 20
OWN, OTHER = "own@inbox.example", "other@inbox.example"
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


def served(**given: Any) -> Iterator[Api]:
    """Run a server with the tools of agents."""
    runner = Runner(**given)
    runner.kit.mount(PATH, mounted(runner.kit.settings))
    runner.start()
    api = Api(runner)
    yield api
    api.close()
    runner.stop()


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    for api in served(api_key=KEY, mcp_send="auto", mcp_allow_to="*@shop.example"):
        owner = api.of(KEY)
        for name in ("own", "other"):
            owner.inbox(username=name)
        yield owner


@pytest.fixture(scope="module")
def keyless() -> Iterator[Api]:
    yield from served()


@asynccontextmanager
async def agent(api: Api, key: str, mode: str = "auto") -> AsyncGenerator[Agent]:
    """Connect an agent with a key."""
    headers = {"Authorization": f"Bearer {key}"}
    with anyio.fail_after(30):
        async with (
            create_mcp_http_client(headers) as http,
            Client(streamable_http_client(f"{api.url}/mcp", http_client=http), mode=mode) as client,
        ):
            yield Agent(client)


def key_of(api: Api, inbox: str, *permissions: str) -> str:
    """Make a key that is bound to an inbox."""
    asked = {"permissions": dict.fromkeys(permissions, True)} if permissions else {}
    return str(api.good("POST", f"/v0/inboxes/{inbox}/api-keys", asked)["api_key"])


def hand_in(api: Api, text: str, to: str) -> None:
    """Let a mail come in by SMTP."""
    host, port = api.runner.kit.smtp_address
    with smtplib.SMTP(host, port, timeout=30) as smtp:
        raw = mail(text, to=to, sender="login@shop.example")
        smtp.sendmail("login@shop.example", [to], raw)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_reads_a_code_and_answers_once(api: Api, mode: str) -> None:
    async with agent(api, KEY, mode) as asked:
        inbox = (await asked.get("create_inbox"))["inbox"]
        coming = asyncio.create_task(asyncio.to_thread(hand_in, api, "Your code is 482913.", inbox))
        code = await asked.get("wait_for_otp", inbox=inbox, sender="*@shop.example")
        await coming
        answer = {"message_id": code["message"]["message_id"], "text": "Thanks", "key": "k1"}
        first = await asked.get("reply_to_message", **answer)
        assert await asked.get("reply_to_message", **answer) == first
        found = await asked.get("list_messages", inbox=inbox, query="is:sent")
    assert code["code"] == "482913"
    assert [one["message_id"] for one in found["messages"]] == [first["message_id"]]


async def test_a_key_of_one_inbox_sees_no_other(api: Api) -> None:
    theirs = await asyncio.to_thread(api.arrive, OTHER)
    ours = await asyncio.to_thread(api.arrive, OWN)
    async with agent(api, key_of(api, OWN)) as asked:
        (listed,) = (await asked.get("list_messages"))["messages"]
        (inbox,) = (await asked.get("list_inboxes"))["inboxes"]
        assert "not found" in await asked.refused("get_message", message_id=theirs.id)
        assert "not found" in await asked.refused("wait_for_message", inbox=OTHER)
        assert "makes no others" in await asked.refused("create_inbox")
        events = await asked.get("get_events", after="start")
    assert (listed["message_id"], inbox["inbox"]) == (ours.id, OWN)
    assert {event["message_id"] for event in events["events"]} == {ours.id}


async def test_a_key_does_what_it_is_permitted(api: Api) -> None:
    came = await asyncio.to_thread(api.arrive, OWN, sender="login@shop.example")
    key = key_of(api, OWN, "inbox_read", "message_read", "draft_create")
    async with agent(api, key) as asked:
        assert await asked.get("get_message", message_id=came.id)
        given = {"inbox": OWN, "text": "Yes", "key": "k1", "in_reply_to": came.id}
        assert await asked.get("create_draft", **given)
        answer = {"message_id": came.id, "text": "Yes", "key": "k2"}
        assert "lacks the permission message_send" in await asked.refused(
            "reply_to_message", **answer
        )
        assert "run_read" in await asked.refused("explain_thread", thread_id=came.thread_id)


async def test_agents_with_different_keys_are_told_apart_at_once(api: Api) -> None:
    async with agent(api, key_of(api, OWN)) as own, agent(api, key_of(api, OTHER)) as other:
        calls = [(own, OWN), (other, OTHER)] * 5
        found = await asyncio.gather(*(asked.get("list_inboxes") for asked, _ in calls))
    assert [one["inboxes"][0]["inbox"] for one in found] == [address for _, address in calls]


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are counted there")
async def test_the_files_of_all_agents_are_read_a_few_at_a_time(api: Api) -> None:
    api.inbox(username="files")
    files = {"lid.pdf": pdf("The lid")}
    came = await asyncio.to_thread(api.arrive, "files@inbox.example", files=files)
    named = {"message_id": came.id, "attachment_id": came.attachments[0].id}
    at_once: list[int] = []
    async with agent(api, KEY) as asked:
        counting = asyncio.create_task(_count_readers(at_once))
        found = await asyncio.gather(*(asked.get("get_attachment", **named) for _ in range(8)))
        counting.cancel()
    assert all("The lid" in one["untrusted"]["text"] for one in found)
    assert 1 <= max(at_once) <= 2


async def _count_readers(at_once: list[int]) -> None:
    """Note for as long as it is let how many processes of ours read files."""
    while True:
        at_once.append(await asyncio.to_thread(_readers))


def _readers() -> int:
    own = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    children = [pid for line in own for pid in line.read_text().split()]
    return sum("inboxkit.parsing.extraction" in _command(pid) for pid in children)


def _command(pid: str) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def test_who_has_no_key_is_let_in_nowhere(api: Api) -> None:
    nobody, stranger = api.of(""), api.of("x" * 20)
    assert nobody.ask("POST", "/mcp", HELLO, ACCEPT).code == "missing_authorization"
    answer = stranger.ask("POST", "/mcp", HELLO, ACCEPT)
    assert (answer.status, answer.code) == (401, "unknown_api_key")
    assert api.ask("GET", "/mcp").status == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"X-Forwarded-For": "192.0.2.1"},
    ],
    ids=str,
)
def test_a_foreign_page_reaches_no_server_without_keys(
    keyless: Api, headers: dict[str, str]
) -> None:
    assert keyless.ask("POST", "/mcp", HELLO, ACCEPT).status == 200
    answer = keyless.ask("POST", "/mcp", HELLO, {**ACCEPT, **headers})
    assert (answer.status, answer.code) == (403, "forbidden")


def test_what_is_no_request_is_refused(api: Api) -> None:
    assert api.ask("POST", "/mcp", b"{", ACCEPT).status == 400
    large = api.ask("POST", "/mcp", b" " * (4 * 1024 * 1024 + 1), ACCEPT)
    assert large.code == "payload_too_large"
    packed = api.ask("POST", "/mcp", b"{}", {**ACCEPT, "Content-Encoding": "gzip"})
    assert packed.code == "unsupported_media_type"
    assert api.ask("POST", "/mcp", LIST, ACCEPT).json["result"]["tools"]


def test_who_hangs_up_takes_nothing(api: Api) -> None:
    inbox = api.inbox()
    call = {"name": "wait_for_message", "arguments": {"inbox": inbox}}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    headers = {**ACCEPT, "Authorization": f"Bearer {KEY}"}

    async def hang_up() -> None:
        limit = aiohttp.ClientTimeout(total=0.2)
        async with aiohttp.ClientSession(api.url, headers=headers, timeout=limit) as session:
            with pytest.raises(TimeoutError):
                await session.post("/mcp", json=asked)

    asyncio.run(hang_up())
    api.arrive(inbox)
    assert api.good("GET", f"/v0/inboxes/{inbox}/wait?timeout=2")["found"] is True


@pytest.mark.parametrize("command", ["run", pytest.param("dev", marks=pytest.mark.long)])
def test_it_is_served_where_the_setting_says_so(tmp_path: Path, command: str) -> None:
    with Serving(tmp_path, "--set", "mcp=true", command) as server:
        with urlopen(_hello(server.url), timeout=30) as answer:
            assert json.load(answer)["result"]["serverInfo"]["name"] == "inboxkit"


def _hello(url: str) -> Request:
    headers = {**ACCEPT, "Content-Type": "application/json"}
    return Request(f"{url}/mcp", json.dumps(HELLO).encode(), headers)


def test_without_the_setting_there_is_nothing() -> None:
    with serving() as api:
        assert api.ask("POST", "/mcp", HELLO, ACCEPT).status == 404


def test_without_the_extra_the_start_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'inboxkit\[mcp\]'"):
        make_kit(Settings(mcp=True), {})


async def test_a_kit_that_is_started_again_serves_it_again(database: str) -> None:
    kit = InboxKit(database=database, http="127.0.0.1:0")
    for _ in range(2):
        kit.mount(PATH, mounted(kit.settings))
        async with kit, Client(f"{kit.url}/mcp") as client:
            assert (await client.list_tools()).tools

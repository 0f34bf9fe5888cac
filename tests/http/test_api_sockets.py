"""Sockets: what each is told of, where it goes on, and that it ends with its key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from .api import Api, serving
from .test_api_live import KEY, subscribed, told, within

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key=KEY) as api:
        yield api.of(KEY)


def test_a_socket_is_told_of_its_inboxes_only(api: Api) -> None:
    mine, other = api.inbox(), api.inbox()

    async def listen(session: aiohttp.ClientSession) -> Any:
        async with subscribed(session, api, inbox_ids=[mine], event_types=None) as (socket, said):
            for to in (other, mine):
                await api.runner.kit.receive(b"\r\nb", mail_from="a@b.cc", rcpt_to=[to])
            return said, await socket.receive_json(timeout=30)

    said, event = within(api, listen)
    assert (said["type"], said["inbox_ids"], "event_types" in said) == ("subscribed", [mine], False)
    assert (event["event_type"], event["message"]["inbox_id"]) == ("message.received", mine)


def test_a_socket_goes_on_where_it_stopped(api: Api) -> None:
    inbox = api.inbox()
    came = [api.arrive(inbox, f"number {n}").id for n in range(4)]
    first = told(api, f"after=start&limit=1&wait=5&inbox_ids={inbox}")["events"][0]
    begin = first["event_id"]

    async def resume(session: aiohttp.ClientSession) -> list[Any]:
        async with subscribed(session, api, inbox_ids=[inbox], after=begin) as (socket, _):
            return [await socket.receive_json(timeout=30) for _ in came[1:]]

    assert [event["inboxkit"]["id"] for event in within(api, resume)] == came[1:]


def test_types_of_ours_are_told_only_to_who_names_them(api: Api) -> None:
    inbox = api.inbox()
    api.send(inbox)
    begin = told(api, "")["cursor"]

    async def listen(session: aiohttp.ClientSession) -> list[str]:
        frame: dict[str, Any] = {"inbox_ids": [inbox], "after": "start"}
        async with subscribed(session, api, **frame) as (usual, _):
            first = await usual.receive_json(timeout=30)
        async with subscribed(session, api, **frame, event_types=["message.queued"]) as (named, _):
            second = await named.receive_json(timeout=30)
        return [first["event_type"], second["event_type"]]

    assert within(api, listen) == ["message.sent", "message.queued"]
    assert begin


def test_bad_frames_are_answered_and_the_socket_stays_open(api: Api) -> None:
    frames = ["nonsense", "[]", '{"type": "shout"}', "[" * 10_000]
    wrong = ('"inbox_ids": ["no@x.y"]', '"event_types": ["x"]', '"after": "x"')
    frames += [f'{{"type": "subscribe", {rest}}}' for rest in wrong]

    async def speak(session: aiohttp.ClientSession) -> list[Any]:
        async with session.ws_connect(f"{api.url}/v0") as socket:
            for frame in frames:
                await socket.send_str(frame)
            answers = [await socket.receive_json(timeout=30) for _ in frames]
            await socket.send_json({"type": "subscribe"})
            return [*answers, await socket.receive_json(timeout=30)]

    *refused, taken = within(api, speak)
    assert {answer["type"] for answer in refused} == {"error"}
    assert {answer["name"] for answer in refused} == {"ValidationError", "NotFoundError"}
    assert taken["type"] == "subscribed"


def test_a_socket_needs_a_key_and_the_permission(api: Api) -> None:
    weak = api.good("POST", "/v0/api-keys", {"permissions": {"inbox_read": True}})["api_key"]
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    assert api.of("").ask("GET", "/v0", headers=headers).status == 401
    assert api.of(weak).ask("GET", "/v0", headers=headers).code == "missing_permission"
    assert api.ask("GET", "/v0").status == 404


def test_a_key_of_a_pod_is_told_of_its_pod_only(api: Api) -> None:
    pod = api.good("POST", "/v0/pods", {})["pod_id"]
    key = api.good("POST", f"/v0/pods/{pod}/api-keys", {})["api_key"]
    begin = told(api, "")["cursor"]
    mine = api.good("POST", f"/v0/pods/{pod}/inboxes", {})["inbox_id"]
    api.arrive(api.inbox())
    api.arrive(mine)
    found = api.of(key).good("GET", f"/v0/events?after={begin}&wait=5")["events"]
    assert [event["message"]["inbox_id"] for event in found] == [mine]


def test_a_key_of_a_pod_names_no_other_pod(api: Api) -> None:
    ours, theirs = (api.good("POST", "/v0/pods", {})["pod_id"] for _ in range(2))
    key = api.good("POST", f"/v0/pods/{ours}/api-keys", {})["api_key"]

    async def listen(_: aiohttp.ClientSession) -> list[Any]:
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            subscribed(session, api, pod_ids=[ours]) as (_one, good),
            subscribed(session, api, pod_ids=[theirs]) as (_other, bad),
        ):
            return [good["type"], bad["type"], bad.get("name")]

    assert within(api, listen) == ["subscribed", "error", "NotFoundError"]


@pytest.mark.parametrize(
    ("method", "asked", "code"),
    [
        ("DELETE", None, "UnauthorizedError"),
        ("PATCH", {"permissions": {"inbox_read": True}}, "ForbiddenError"),
    ],
    ids=["revoked", "may read nothing"],
)
def test_a_socket_ends_with_its_key(api: Api, method: str, asked: Any, code: str) -> None:
    inbox, key = api.inbox(), api.good("POST", "/v0/api-keys", {})

    async def listen(_: aiohttp.ClientSession) -> Any:
        headers, kit = {"Authorization": f"Bearer {key['api_key']}"}, api.runner.kit
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            subscribed(session, api) as (socket, _said),
        ):
            target = f"/v0/api-keys/{key['api_key_id']}"
            await asyncio.to_thread(api.ask, method, target, asked)
            frames = [{"type": "event"}]
            while frames[-1]["type"] == "event":  # within the first second it may be told of some
                await kit.receive(b"\r\nb", mail_from="a@b.cc", rcpt_to=[inbox])
                frames.append(await socket.receive_json(timeout=30))
            last = await socket.receive(timeout=30)
            return frames[-1]["name"], last.type, last.data

    ended = (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.POLICY_VIOLATION)
    assert within(api, listen) == (code, *ended)

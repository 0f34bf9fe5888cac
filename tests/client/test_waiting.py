"""Waits and the event log over HTTP."""

from __future__ import annotations

import asyncio
import re
import threading
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from inboxkit import ConfigurationError, EventType, NotFound, WaitTimeout
from inboxkit.client import AsyncClient, Client, waiting
from tests.mails import mail

from .conftest import KEY

if TYPE_CHECKING:
    from inboxkit import Event, Message
    from tests.http.api import Api

LINK = "https://shop.example/reset?token=a1b2c3d4e5f6"


def test_each_kind_of_wait_returns_its_value(api: Api, client: Client) -> None:
    inbox = client.inbox("kinds@inbox.example")
    api.arrive(inbox.address, "Are you there?")
    api.arrive(inbox.address, "Your code is 482913.")
    api.arrive(inbox.address, f"Reset your password: {LINK}")
    code = inbox.wait_for_otp(timeout=30)
    assert code == "482913" and code.message.inbox == inbox.address
    assert inbox.wait_for_link(timeout=30, host="shop.example") == LINK
    assert inbox.wait_for_message(timeout=30).text.strip() == "Are you there?"


def test_what_a_wait_returned_no_other_gets_and_the_timeout_says_what_came(
    api: Api, client: Client
) -> None:
    inbox = client.inbox("taken@inbox.example")
    api.arrive(inbox.address, "Your code is 482913.")
    assert inbox.wait_for_otp(timeout=30) == "482913"
    with pytest.raises(WaitTimeout, match=r"no otp for taken@inbox\.example") as late:
        inbox.wait_for_otp(timeout=0.05)
    assert [m.otp for m in late.value.arrived] == ["482913"]


@pytest.mark.parametrize("wanted", [{"sender": "*@bank.example"}, {"subject": "Invoice*"}])
def test_what_does_not_match_is_not_taken(api: Api, client: Client, wanted: dict[str, str]) -> None:
    inbox = client.inbox("filter@inbox.example", since=timedelta(minutes=1))
    api.arrive(inbox.address)
    with pytest.raises(WaitTimeout):
        inbox.wait_for_message(timeout=0, **wanted)
    assert inbox.wait_for_message(timeout=30).subject == "Question"


def test_a_timeout_of_several_polls_names_the_whole_time(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_POLL_SECONDS", 0.15)
    with pytest.raises(
        WaitTimeout, match=r"^no otp for long@inbox\.example within 0\.2 s; nothing"
    ):
        client.inbox("long@inbox.example").wait_for_otp(timeout=0.2)


def test_a_known_inbox_waits_for_what_comes_from_now_on(api: Api, client: Client) -> None:
    api.arrive("known@inbox.example", "old")
    with pytest.raises(WaitTimeout):
        client.inbox("known@inbox.example").wait_for_message(timeout=0)
    back = client.inbox("known@inbox.example", since=timedelta(minutes=5))
    assert back.wait_for_message(timeout=30).text.strip() == "old"


def test_a_blocking_wait_is_woken(api: Api, client: Client) -> None:
    inbox = client.inbox("woken@inbox.example")
    came: list[str] = []
    waiting = threading.Thread(target=lambda: came.append(inbox.wait_for_otp(timeout=30)))
    waiting.start()
    api.arrive(inbox.address, "Your code is 482913.")
    waiting.join(40)
    assert came == ["482913"]


async def test_a_reply_is_waited_for(api: Api) -> None:
    async with AsyncClient(api.url, KEY) as client:
        inbox = await client.inbox("asks@inbox.example")
        sent = await inbox.send("ann@example.com", "Size?", "Which?")
        with pytest.raises(WaitTimeout, match=sent.id):
            await sent.wait_for_reply(timeout=0.05)
        headers = {"In-Reply-To": sent.message_id}
        await asyncio.to_thread(api.arrive, inbox.address, "L", headers=headers)
        reply = await sent.wait_for_reply(timeout=30)
        assert reply.reply_text.strip() == "L" and reply.answers == sent


async def test_what_a_server_cannot_do_is_refused(api: Api) -> None:
    async with AsyncClient(api.url, KEY) as client:
        inbox = await client.inbox("cannot@inbox.example")
        with pytest.raises(ConfigurationError, match="sender"):
            await inbox.wait_for_message(timeout=1, sender=re.compile("x"))
        with pytest.raises(ConfigurationError, match="when"):
            await inbox.wait_for_message(timeout=1, when=lambda _: True)
        await inbox.delete()
        with pytest.raises(NotFound):
            await inbox.wait_for_message(timeout=1)


async def follow(client: AsyncClient, after: str, sent: Message) -> list[Event]:
    """Return the events of a send after a cursor, up to the one that says that it was sent."""
    found: list[Event] = []
    log = client.events(after=after)
    async with asyncio.timeout(30):
        async for event in log:
            if event.message == sent:
                found.append(event)
            if found and found[-1].type == EventType.ACCEPTED:
                break
    return found


async def test_the_event_log_is_followed_and_resumed(api: Api) -> None:
    async with AsyncClient(api.url, KEY) as client:
        inbox = await client.inbox("log@inbox.example")
        sent = await inbox.send("ann@example.com", "x")
        seen = await follow(client, "start", sent)
        assert next(event.type for event in seen) == EventType.QUEUED
        assert seen[0].message.subject == "x"
        assert await follow(client, seen[0].id, sent) == seen[1:]


async def test_without_a_cursor_the_log_begins_now(api: Api) -> None:
    async with AsyncClient(api.url, KEY) as client:
        inbox = await client.inbox("now@inbox.example")
        await asyncio.to_thread(api.arrive, inbox.address, subject="before")
        first = asyncio.ensure_future(anext(client.events()))
        async with asyncio.timeout(30):
            while not first.done():  # the log begins some time after the request was made
                await asyncio.to_thread(api.arrive, inbox.address, subject="after")
            assert (await first).message.subject == "after"


@pytest.mark.parametrize("count", [120, pytest.param(500, marks=pytest.mark.long)])
async def test_many_waits_need_no_threads(api: Api, count: int) -> None:
    """120 are more than an HTTP client has connections at once unless told otherwise."""
    addresses = [f"agent{n}-of-{count}@inbox.example" for n in range(count)]
    async with AsyncClient(api.url, KEY) as client:
        inboxes = await asyncio.gather(*(client.inbox(address) for address in addresses))
        before = threading.active_count()
        waits = [asyncio.create_task(inbox.wait_for_otp(timeout=60)) for inbox in inboxes]
        async with asyncio.timeout(30):
            await asyncio.create_task(
                client.inbox("late@inbox.example")
            )  # no wait holds up what is asked meanwhile
        raw, receive = mail("Your code is 482913."), api.runner.kit.runtime.accept.mail
        for some in (addresses[:60], addresses[60:]):
            deliver = partial(receive, raw, mail_from="ann@example.com", rcpt_to=some)
            await asyncio.to_thread(api.runner.call, deliver)
        codes = await asyncio.gather(*waits)
        assert threading.active_count() - before < min(count / 4, 60)
    assert [code.message.inbox for code in codes] == addresses

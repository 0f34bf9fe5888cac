"""Waits of an agent: what comes, and what is said when it does not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inboxkit import InboxKit
from inboxkit.client.asynchronous import AsyncTransport
from inboxkit.client.transport import place
from inboxkit.mcp.desk import desk
from inboxkit.mcp.policy import Policy
from tests.mails import ANN, DESK, arrive

from .agents import agent, at

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_code_is_waited_for_with_who_wrote_it(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    async with agent(kit) as asked:
        coming = asyncio.create_task(arrive(kit, "Your code is 482913."))
        said = await asked.get("wait_for_otp", inbox=DESK, sender="*@example.com")
        await coming
    assert (said["found"], said["code"]) == (True, "482913")
    assert said["message"]["author"]["address"] == ANN
    assert said["message"]["untrusted"]["code"] == "482913"


async def test_a_link_and_a_message_are_waited_for(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await arrive(kit, "Confirm your address: https://shop.example/confirm?token=a1b2c3d4e5f6")
    async with agent(kit) as asked:
        link = await asked.get("wait_for_link", inbox=DESK, host="shop.example")
        await arrive(kit, "Hello", subject="Second")
        message = await asked.get("wait_for_message", inbox=DESK, subject="Sec*")
    assert link["link"] == "https://shop.example/confirm?token=a1b2c3d4e5f6"
    assert message["message"]["untrusted"]["subject"] == "Second"


async def test_the_reply_to_a_send_is_waited_for(kit: InboxKit) -> None:
    inbox = await kit.inbox(DESK)
    sent = await inbox.send(ANN, "Size?", "Which size?")
    await arrive(kit, "Something else")
    answer = await arrive(kit, "Large", headers={"In-Reply-To": sent.message_id})
    async with agent(kit) as asked:
        said = await asked.get("wait_for_message", inbox=DESK, reply_to=sent.id)
    assert said["message"]["message_id"] == answer.id


async def test_a_timeout_is_an_answer_that_lists_what_came(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit, "No code here")
    async with agent(kit) as asked:
        said = await asked.get("wait_for_otp", inbox=DESK, timeout=0.05)
    assert (said["found"], said["code"], said["message"]) == (False, None, None)
    assert "no otp for desk@inbox.example within 0.05 s; 1 other message came" in said["reason"]
    assert [one["message_id"] for one in said["arrived"]] == [came.id]


async def test_what_was_returned_is_not_returned_again_and_can_be_read(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await arrive(kit, "Your code is 482913.")
    async with agent(kit) as asked:
        assert (await asked.get("wait_for_otp", inbox=DESK))["found"]
        late = await asked.get("wait_for_otp", inbox=DESK, timeout=0)
        (one,) = late["arrived"]
        read = await asked.get("get_message", message_id=one["message_id"])
        told = (await asked.tools())["wait_for_otp"].description
    assert not late["found"] and "taken by an earlier wait" in late["reason"] and one["has_code"]
    assert read["untrusted"]["code"] == "482913" and "get_message reads it" in told


async def test_an_answer_that_was_lost_is_had_again_under_its_key(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await arrive(kit, "Your code is 482913.")
    given = {"inbox": DESK, "timeout": 0}
    async with agent(kit) as asked:
        first = await asked.get("wait_for_otp", **given, key="sign-up")
        again = await asked.get("wait_for_otp", **given, key="sign-up")
        assert not (await asked.get("wait_for_otp", **given, key="another"))["found"]
        said = await asked.refused("wait_for_message", **given, key="sign-up")
    assert first["code"] == again["code"] == "482913"
    assert first["message"]["message_id"] == again["message"]["message_id"]
    assert "'sign-up': was used before for another request; use a new key" in said


async def test_a_wait_that_the_agent_gives_up_takes_nothing(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    async with agent(kit) as asked:
        waiting = asyncio.create_task(asked.get("wait_for_message", inbox=DESK))
        assert await asked.get("list_inboxes")  # meanwhile others are answered
        waiting.cancel()
        await asyncio.wait({waiting})
        came = await arrive(kit)
        found = await asked.get("wait_for_message", inbox=DESK, timeout=5)
    assert waiting.cancelled() and found["message"]["message_id"] == came.id


async def test_a_wait_outlasts_a_server_that_starts_anew(tmp_path: Path) -> None:
    file = f"sqlite:///{tmp_path / 'mail.db'}"
    async with InboxKit(database=file, http="127.0.0.1:0") as old:
        await old.inbox(DESK)
        address = old.url.removeprefix("http://")
        transport = AsyncTransport(place(old.url))
        transport.open()
        found = desk(transport, Policy(), is_remote=True)
        await found.check()
    async with at(found) as asked:
        waiting = asyncio.create_task(asked.get("wait_for_otp", inbox=DESK, timeout=30))
        await asyncio.wait({waiting}, timeout=0)
        async with InboxKit(database=file, http=address) as new:
            await arrive(new, "Your code is 482913.")
            assert (await waiting)["code"] == "482913"
    await transport.close()

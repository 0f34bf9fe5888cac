"""What an agent writes: drafts, answers and mails, each once, to whom it may write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.client.server import Server
from inboxkit.http.api.access import Identity
from inboxkit.http.api.app import Api
from inboxkit.http.api.inside import Inside
from inboxkit.mcp.policy import Policy
from tests.mails import ANN, DESK, arrive

from .agents import agent

if TYPE_CHECKING:
    from inboxkit import InboxKit

BOB = "bob@example.org"


async def sent(kit: InboxKit) -> list[tuple[str, ...]]:
    """Return to whom was written, oldest first."""
    found = [m async for m in kit.search("is:sent")]
    return [tuple(a.email for a in m.to) for m in reversed(found)]


async def test_an_answer_leaves_once_however_often_it_is_called(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit)
    given = {"message_id": came.id, "text": "Large, please.", "key": "answer-1"}
    async with agent(kit, Policy(send="auto")) as asked:
        first = await asked.get("reply_to_message", **given)
        assert await asked.get("reply_to_message", **given) == first
        other = await asked.refused("reply_to_message", **given | {"text": "Small, please."})
    assert "answer-1" in other
    assert (first["thread_id"], first["to"]) == (came.thread_id, [ANN])
    assert first["state"] not in ("queued", "sending") and await sent(kit) == [(ANN,)]


async def test_a_mail_goes_to_whom_the_list_allows(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    policy = Policy(send="auto", allow_to=("*@example.com",))
    given = {"inbox": DESK, "subject": "Hi", "text": "Hello"}
    async with agent(kit, policy) as asked:
        first = await asked.get("send_message", **given, to=[f"Ann <{ANN}>"], key="k1")
        assert await asked.get("send_message", **given, to=f"Ann <{ANN}>", key="k1") == first
        for more in ({"to": [BOB]}, {"to": [ANN], "cc": [BOB]}):
            said = await asked.refused("send_message", **given, **more, key="k2")
            assert "bob@example.org: may not be written to" in said
        assert "'ann'" in await asked.refused("send_message", **given, to=["ann"], key="k3")
    assert await sent(kit) == [(ANN,)]


@pytest.mark.parametrize("headers", [{"Reply-To": BOB}, {"Cc": BOB}], ids=["reply-to", "cc"])
async def test_an_answer_is_held_against_the_list_too(
    kit: InboxKit, headers: dict[str, str]
) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit, headers=headers)
    given = {"message_id": came.id, "text": "Yes", "key": "k"}
    async with agent(kit, Policy(send="auto", allow_to=("*@example.com",))) as asked:
        assert BOB in await asked.refused("reply_to_message", **given, reply_all=True)
        assert BOB in await asked.refused(
            "create_draft", inbox=DESK, to=[BOB], text="Yes", key="k", in_reply_to=came.id
        )
    assert await sent(kit) == []


async def test_a_draft_waits_for_a_person(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit, subject="Lamp")
    async with agent(kit) as asked:
        given = {"inbox": DESK, "text": "We look.", "key": "k1"}
        draft = await asked.get("create_draft", **given, in_reply_to=came.id)
        assert await asked.get("create_draft", **given, in_reply_to=came.id) == draft
        assert "name somebody" in await asked.refused("create_draft", **given)
    assert draft["to"] == [ANN] and "until a person sends it" in draft["note"]
    assert await sent(kit) == []


OTHERS: list[dict[str, Any]] = [
    {"text": "We look!"},
    {"html": "<p>We look.</p>"},
    {"subject": "Lamps"},
    {"to": [BOB]},
    {"cc": [BOB]},
    {"in_reply_to": None},
]


@pytest.mark.parametrize("more", OTHERS, ids=["text", "html", "subject", "to", "cc", "parent"])
async def test_a_key_that_has_another_draft_is_refused(kit: InboxKit, more: dict[str, Any]) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit, subject="Lamp")
    given = {"inbox": DESK, "to": [f"Ann <{ANN}>"], "subject": "Re: Lamp", "text": "We look."}
    given |= {"key": "k1", "in_reply_to": came.id}
    async with agent(kit) as asked:
        draft = await asked.get("create_draft", **given)
        assert await asked.get("create_draft", **given) == draft
        said = await asked.refused("create_draft", **given | more)
    assert said.startswith(f"key 'k1': its draft {draft['draft_id']} says something else")


async def test_what_a_person_has_sent_is_not_drafted_again(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    given = {"inbox": DESK, "to": [ANN], "subject": "Lamp", "text": "We look.", "key": "k1"}
    async with agent(kit) as asked:
        draft = await asked.get("create_draft", **given)
        person = Server(Inside(Api(kit.runtime.parts), Identity(live=True)), None)
        path = f"/v0/inboxes/{DESK}/drafts/{draft['draft_id']}/send"
        message = (await person.post(path, {}))["inboxkit"]["id"]
        said = await asked.refused("create_draft", **given)
    assert said.startswith(f"key 'k1': message {message} was sent under it")
    assert await sent(kit) == [(ANN,)]


async def test_an_agent_of_one_inbox_sees_no_other(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await kit.inbox("other@inbox.example")
    theirs = await arrive(kit, "Your code is 482913.", to="other@inbox.example")
    ours = await arrive(kit)
    async with agent(kit, Policy(inboxes=(DESK,), send="auto", allow_to=("*",))) as asked:
        assert (await asked.get("list_inboxes"))["inboxes"][0]["inbox"] == DESK
        (listed,) = (await asked.get("list_messages"))["messages"]
        seen = await asked.get("get_events", after="start", wait_seconds=5)
        calls: dict[str, dict[str, Any]] = {
            "get_message": {"message_id": theirs.id},
            "get_thread": {"thread_id": theirs.thread_id},
            "explain_thread": {"thread_id": theirs.thread_id},
            "reply_to_message": {"message_id": theirs.id, "text": "x", "key": "k"},
            "list_messages": {"inbox": theirs.inbox},
            "wait_for_otp": {"inbox": theirs.inbox},
            "get_events": {"inbox": theirs.inbox},
            "get_attachment": {"message_id": theirs.id, "attachment_id": "att_1"},
            "create_draft": {"inbox": theirs.inbox, "text": "x", "key": "k", "to": [ANN]},
        }
        for tool, given in calls.items():
            assert "no " in await asked.refused(tool, **given), tool
        mail = {"to": [ANN], "subject": "", "text": "x", "key": "k"}
        assert "no inbox" in await asked.refused("send_message", inbox=theirs.inbox, **mail)
    assert listed["message_id"] == ours.id
    assert [event["message_id"] for event in seen["events"]] == [ours.id]


async def test_an_agent_of_two_inboxes_says_which(kit: InboxKit) -> None:
    for address in (DESK, "other@inbox.example"):
        await kit.inbox(address)
    async with agent(kit, Policy(inboxes=(DESK, "other@inbox.example"))) as asked:
        assert "name one of" in await asked.refused("list_messages")
        assert await asked.get("list_messages", inbox=DESK.upper())
        assert len((await asked.get("list_inboxes"))["inboxes"]) == 2

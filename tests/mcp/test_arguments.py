"""Arguments as programs and models get them wrong: refused with what is wrong, and at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.mcp.policy import Policy
from tests.mails import DESK, arrive

from .agents import agent

if TYPE_CHECKING:
    from inboxkit import InboxKit

WRITES = Policy(send="auto", allow_to=("*",))
LABEL = {"message_id": "msg_0"}
MAIL = {"inbox": DESK, "to": ["ann@example.com"], "subject": "Hi", "text": "Hello", "key": "k"}
MANY = 100_000
TOO_MANY: list[tuple[str, dict[str, Any], str]] = [
    ("label_message", LABEL | {"add": [0] * MANY}, f"add: {MANY} are given; at most 20"),
    ("label_message", LABEL | {"add": json.dumps([0] * MANY)}, f"add: {MANY} are given; at most"),
    ("send_message", MAIL | {"to": [""] * MANY}, f"to: {MANY} are given; at most 50 are taken"),
    ("send_message", MAIL | {"cc": [0] * 51}, "cc: 51 are given; at most 50 are taken"),
    ("create_draft", MAIL | {"attachments": [{}] * MANY}, f"attachments: {MANY} are given; at"),
    (
        "create_draft",
        MAIL | {"attachments": dict.fromkeys(map(str, range(MANY)), "")},
        f"attachments.0: {MANY} are given; at most 20 are taken",
    ),
]


@pytest.mark.parametrize(("tool", "arguments", "said"), TOO_MANY, ids=lambda one: str(one)[:40])
async def test_too_many_items_are_refused_without_a_look_at_each(
    kit: InboxKit, tool: str, arguments: dict[str, Any], said: str
) -> None:
    async with agent(kit, WRITES) as asked:
        told = await asked.refused(tool, **arguments)
    assert told.startswith(f"{tool}: {said}") and told.endswith("are taken")


async def test_an_empty_text_is_as_if_left_out_where_that_may_be(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit)
    async with agent(kit, WRITES) as asked:
        made = await asked.get("create_inbox", username="", domain="", display_name="", key="")
        drafted = await asked.get("create_draft", **MAIL, in_reply_to="")
        (draft,) = (await asked.get("list_drafts", inbox="", draft_id=""))["drafts"]
        (listed,) = (await asked.get("list_messages", inbox="", page_token=""))["messages"]
        waited = await asked.get("wait_for_message", inbox=DESK, reply_to="", key="")
        assert (await asked.get("get_events", after="", inbox=""))["events"] == []
        assert "at least 1 character" in await asked.refused("delete_inbox", inbox="")
    assert made["inbox"].endswith("@inbox.example") and draft["draft_id"] == drafted["draft_id"]
    assert listed["message_id"] == waited["message"]["message_id"] == came.id


LONG = "x" * 1_000_000
TOO_LONG: list[tuple[str, dict[str, Any]]] = [
    ("list_messages", {"inbox": LONG}),
    ("list_messages", {"query": "\U0001f600" * 1_000}),
    ("list_drafts", {"inbox": LONG}),
    ("list_drafts", {"draft_id": LONG}),
    ("get_events", {"after": LONG}),
    ("get_events", {"inbox": LONG}),
    ("wait_for_message", {"inbox": DESK, "reply_to": LONG}),
    ("create_draft", MAIL | {"in_reply_to": LONG}),
    ("create_draft", MAIL | {"attachments": {"message_id": LONG, "attachment_id": "att_0"}}),
]


async def test_a_text_longer_than_a_request_may_be_is_refused_as_that(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    async with agent(kit, WRITES) as asked:
        for tool, arguments in TOO_LONG:
            assert "the request is too long: " in await asked.refused(tool, **arguments), tool

"""Arguments as programs and models get them wrong: refused with what is wrong, and at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.mcp.policy import Policy
from tests.mails import DESK

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

"""Files that an agent sends: of messages that it may see, and small ones of its own."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from inboxkit.mcp import files
from inboxkit.mcp.policy import Policy
from tests.mails import ANN, DESK, arrive

from .agents import agent

if TYPE_CHECKING:
    import pytest

    from inboxkit import InboxKit, Message

ANSWERS = Policy(send="auto", allow_to=("*",))
BYTES = b"\x00\x01\x02"
OWN: list[dict[str, str]] = [
    {"filename": "a.csv", "text": "size,42\n"},
    {"filename": "b.bin", "base64": base64.b64encode(BYTES).decode()},
]


async def with_file(kit: InboxKit, **given: Any) -> tuple[Message, dict[str, str]]:
    """Let a mail with a file come in; return it, and how its file is named."""
    came = await arrive(kit, files={"lid.bin": b"\x07" * 70_000}, **given)
    return came, {"message_id": came.id, "attachment_id": came.attachments[0].id}


async def test_an_answer_takes_files_of_messages_and_of_the_agents_own(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    came, theirs = await with_file(kit)
    given = {"message_id": came.id, "text": "Here.", "key": "k1"}
    async with agent(kit, ANSWERS) as asked:
        sent = await asked.get("reply_to_message", **given, attachments=[theirs, *OWN])
        assert await asked.get("reply_to_message", **given, attachments=[theirs, *OWN]) == sent
        other = await asked.refused("reply_to_message", **given, attachments=OWN)
    found = await kit.message(sent["message_id"])
    assert "'k1': was used before with other content" in other
    assert [(one.filename, await one.read()) for one in found.attachments] == [
        ("lid.bin", b"\x07" * 70_000),
        ("a.csv", b"size,42\n"),
        ("b.bin", BYTES),
    ]


async def test_a_draft_has_files_and_its_key_holds_for_them(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    _, theirs = await with_file(kit)
    given = {"inbox": DESK, "to": [ANN], "text": "Here.", "key": "k1"}
    async with agent(kit) as asked:
        draft = await asked.get("create_draft", **given, attachments=[theirs, OWN[0]])
        assert await asked.get("create_draft", **given, attachments=[theirs, OWN[0]]) == draft
        assert "something else" in await asked.refused("create_draft", **given, attachments=OWN[0])
        (told,) = (await asked.get("list_drafts"))["drafts"]
    assert told["untrusted"]["attachments"] == [
        {"filename": "lid.bin", "size": 70_000},
        {"filename": "a.csv", "size": 8},
    ]


async def test_a_file_out_of_reach_is_not_sent(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await kit.inbox("other@inbox.example")
    came, theirs = await with_file(kit, to="other@inbox.example")
    mail = {"inbox": DESK, "to": [ANN], "text": "Here.", "key": "k1"}
    async with agent(kit, Policy(inboxes=(DESK,))) as asked:
        said = await asked.refused("create_draft", **mail, attachments=[theirs])
    assert said == f"no message {came.id}"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "attachments.0: give filename with one of text and base64"),
    ({"filename": "a"}, "attachments.0: give filename with one of text and base64"),
    ({"filename": "a", "text": "x", "base64": "eA=="}, "give filename with one of"),
    ({"filename": "a", "base64": "x"}, "attachments.0: base64 is not base64"),
    ({"filename": "a", "base64": "é"}, "attachments.0: base64 is not base64"),
    ({"filename": "a", "text": "x" * 65_537}, "attachments.0: is more than 65536 bytes"),
    ({"message_id": "MESSAGE"}, "attachments.0: give message_id and attachment_id"),
    ({"message_id": "MESSAGE", "attachment_id": "att_1"}, "has no attachment att_1; get_m"),
    ({"path": "/etc/passwd"}, "attachments.0.path: Extra inputs are not permitted"),
]


async def test_what_is_no_file_is_refused(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit)
    given = {"inbox": DESK, "to": [ANN], "text": "Here.", "key": "k1"}
    async with agent(kit) as asked:
        for file, said in WRONG:
            named = {name: came.id if one == "MESSAGE" else one for name, one in file.items()}
            told = await asked.refused("create_draft", **given, attachments=[named])
            assert said in told, (file, told)


async def test_files_of_messages_have_a_bound_together(
    kit: InboxKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_MOST_BYTES", 100_000)
    await kit.inbox(DESK)
    _, theirs = await with_file(kit)
    given = {"inbox": DESK, "to": [ANN], "text": "Here.", "key": "k1"}
    async with agent(kit) as asked:
        said = await asked.refused("create_draft", **given, attachments=[theirs, theirs])
    assert said.startswith("attachments.1: is more than 100000 bytes with those before it")

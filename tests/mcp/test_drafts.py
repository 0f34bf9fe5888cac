"""What became of drafts, and labels: what an agent leaves for others to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxkit.client.server import Server
from inboxkit.http.api.access import Identity
from inboxkit.http.api.app import Api
from inboxkit.http.api.inside import Inside
from inboxkit.mcp.policy import Policy
from tests.mails import ANN, DESK, arrive

from .agents import agent

if TYPE_CHECKING:
    from inboxkit import InboxKit


async def test_drafts_are_listed_and_read_until_they_are_sent(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    person = Server(Inside(Api(kit.runtime.parts), Identity(live=True)), None)
    given = {"inbox": DESK, "to": [f"Ann <{ANN}>"], "subject": "Lamp"}
    async with agent(kit) as asked:
        ids = [
            (await asked.get("create_draft", **given, text=f"word {n} " * 50, key=f"k{n}"))[
                "draft_id"
            ]
            for n in range(2)
        ]
        page = await asked.get("list_drafts", limit=1)
        rest = await asked.get("list_drafts", inbox=DESK, page_token=page["next_page_token"])
        (read,) = (await asked.get("list_drafts", draft_id=ids[0]))["drafts"]
        await person.post(f"/v0/inboxes/{DESK}/drafts/{ids[0]}/send", {})
        gone = await asked.refused("list_drafts", draft_id=ids[0])
        assert "not of a draft" in await asked.refused("list_drafts", draft_id="msg_0")
    (newer,), (older,) = page["drafts"], rest["drafts"]
    assert [newer["draft_id"], older["draft_id"]] == ids[::-1]
    assert (older["to"], older["state"], older["untrusted"]["subject"]) == ([ANN], "waits", "Lamp")
    assert older["untrusted"]["text"].startswith("word 0 word 0") and len(str(older)) < 1_000
    assert read["untrusted"]["text"].splitlines()[1] == "word 0 " * 50
    assert gone.startswith(f"no draft {ids[0]}: it was sent or deleted")


async def test_drafts_of_other_inboxes_are_out_of_reach(kit: InboxKit) -> None:
    for address in (DESK, "other@inbox.example"):
        await kit.inbox(address)
    given = {"to": [ANN], "text": "Hello", "key": "k"}
    async with agent(kit) as asked:
        theirs = await asked.get("create_draft", inbox="other@inbox.example", **given)
    async with agent(kit, Policy(inboxes=(DESK,))) as asked:
        assert (await asked.get("list_drafts"))["drafts"] == []
        assert "no inbox" in await asked.refused("list_drafts", inbox="other@inbox.example")
        said = await asked.refused("list_drafts", draft_id=theirs["draft_id"])
        assert said.startswith(f"no draft {theirs['draft_id']}")


async def test_a_message_is_labelled_and_found_by_it(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit)
    async with agent(kit) as asked:
        said = await asked.get(
            "label_message", message_id=came.id, add=["urgent"], remove=["unread"]
        )
        (found,) = (await asked.get("list_messages", query="label:urgent"))["messages"]
        for label in ("blocked", "sent"):
            assert repr(label) in await asked.refused(
                "label_message", message_id=came.id, add=[label]
            )
        assert "name a label" in await asked.refused("label_message", message_id=came.id)
    assert said["labels"] == found["labels"] and "urgent" in said["labels"]
    assert found["message_id"] == came.id and "unread" not in said["labels"]


async def test_a_message_of_another_inbox_is_not_labelled(kit: InboxKit) -> None:
    for address in (DESK, "other@inbox.example"):
        await kit.inbox(address)
    theirs = await arrive(kit, to="other@inbox.example")
    async with agent(kit, Policy(inboxes=(DESK,))) as asked:
        said = await asked.refused("label_message", message_id=theirs.id, add=["urgent"])
    assert (
        said == f"no message {theirs.id}" and "urgent" not in (await kit.message(theirs.id)).labels
    )

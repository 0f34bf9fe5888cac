"""``inboxkit draft``: what programs have drafted, looked at and sent by a person."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inboxkit import InboxKit
from inboxkit.client.server import Server
from inboxkit.http.api.access import Identity
from inboxkit.http.api.app import Api as Endpoints
from inboxkit.http.api.inside import Inside
from tests.client.scripted import CUT, Scripted, answer, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.http.api import Api

    from .conftest import Command

DESK = "desk@inbox.example"


def drafted(api: Api, inbox: str = DESK, **given: object) -> str:
    api.good("POST", "/v0/inboxes/open", {"address": inbox})
    mail = {"to": "ann@example.com", "subject": "Offer", "text": "Ten boxes"} | given
    return str(api.good("POST", f"/v0/inboxes/{inbox}/drafts", mail)["draft_id"])


def test_a_draft_is_looked_at_and_sent_once(there: Command, api: Api) -> None:
    id = drafted(api, html="<p>Ten boxes</p>")
    (row,) = there.rows("draft", "list", "--inbox", DESK)
    assert (row["id"], row["to"], row["preview"]) == (id, ["ann@example.com"], "Ten boxes")
    shown = there("draft", "show", id)
    assert "subject: Offer" in shown.out and shown.out.endswith("\nTen boxes\n")
    assert "HTML" in shown.err
    (sent,) = there.rows("draft", "send", id)
    assert sent["state"] in ("accepted", "sent") and sent["inbox"] == DESK
    assert there("show", sent["id"], "--text").out.strip() == "Ten boxes"
    assert there("draft", "send", id).code == there("draft", "show", id).code == 3
    assert there.rows("draft", "list", "--inbox", DESK) == []


def test_words_that_the_html_of_a_draft_hides_are_shown_to_who_approves(
    there: Command, api: Api
) -> None:
    html = '<p>Ten boxes</p><p style="display:none">and a million</p>'
    id = drafted(api, html=html)
    shown = there("draft", "show", id).out
    assert shown.endswith("who reads the mail does not see them:\n\nand a million\n")
    assert "something else" not in shown
    assert there.rows("draft", "show", id)[0]["hidden_words"] == "and a million"


def test_html_that_says_something_else_than_the_text_is_shown_beside_it(
    there: Command, api: Api
) -> None:
    shown = there("draft", "show", drafted(api, html="<p>A million <b>boxes</b></p>")).out
    assert "\nTen boxes\n\nIts HTML says something else" in shown
    assert shown.endswith("\n\nA million boxes\n") and "hides" not in shown


def test_a_draft_is_sent_as_it_was_looked_at_or_not_at_all(there: Command, api: Api) -> None:
    id = drafted(api)
    (seen,) = there.rows("draft", "show", id)
    api.good("PATCH", f"/v0/inboxes/{DESK}/drafts/{id}", {"text": "A million boxes"})
    refused = there("draft", "send", id, "--version", seen["version"])
    assert refused.code == 1 and f"is not version {seen['version']} any more" in refused.err
    assert there("draft", "send", id, "--version", "").code == 2
    (seen,) = there.rows("draft", "show", id)
    assert f"version: {seen['version']}\n" in there("draft", "show", id).out
    assert there("draft", "send", id, "--version", seen["version"]).code == 0


def test_a_draft_whose_answer_is_lost_is_asked_for_under_the_same_key(bare: Command) -> None:
    found = answer(200, {"inbox_id": DESK})
    server = Scripted(found, CUT, refusal(403, "inbox_paused", "The inbox is paused"))
    assert "is paused" in bare("--url", server.url, "draft", "send", "drf_1").err
    server.close()
    keys = [line for ask in server.asked for line in ask.split(b"\r\n") if b"Idempotency" in line]
    assert len(keys) == 2 and keys[0] == keys[1]


def test_what_is_deleted_is_not_sent(there: Command, api: Api) -> None:
    first, second = drafted(api, "d@inbox.example"), drafted(api, "d@inbox.example")
    assert there("draft", "delete", first, second).code == 0
    assert there("draft", "list", "--inbox", "d@inbox.example").out == ""
    assert there("draft", "delete", first).code == 3


def test_all_pages_are_listed(there: Command, api: Api) -> None:
    made = [drafted(api, "p@inbox.example") for _ in range(101)]
    rows = there.rows("draft", "list", "--inbox", "p@inbox.example")
    assert [row["id"] for row in rows] == made[::-1]


async def drafted_here(folder: Path) -> None:
    async with InboxKit(database=f"sqlite:///{folder / 'inboxkit.db'}") as kit:
        await kit.inbox(DESK)
        server = Server(Inside(Endpoints(kit.runtime.parts), Identity(live=True)), None)
        mail = {"to": "ann@example.com", "subject": "Offer", "text": "Ten boxes"}
        await server.post(f"/v0/inboxes/{DESK}/drafts", mail)


def test_on_a_database_its_owner_sends(inboxkit: Command) -> None:
    asyncio.run(drafted_here(inboxkit.folder))
    id, inbox, to, *_ = inboxkit("draft", "list").out.split("\t")
    assert (inbox, to) == (DESK, "ann@example.com")
    assert inboxkit("draft", "send", id).out.split()[1] in ("accepted", "sent")
    (sent,) = inboxkit.rows("messages")
    assert (sent["subject"], inboxkit("draft", "list").out) == ("Offer", "")


def test_a_draft_that_is_not_there_is_said(inboxkit: Command) -> None:
    for command in (("show",), ("send",), ("delete",)):
        gone = inboxkit("draft", *command, "drf_0000000000001")
        assert (gone.code, gone.out) == (3, "") and "drf_0000000000001" in gone.err


def test_without_a_database_none_is_made(bare: Command) -> None:
    assert bare("draft", "list").code == 3
    assert not (bare.folder / "inboxkit.db").exists()

"""Drafts: kept, changed, sent once, at their time, or when a person approves."""

from __future__ import annotations

import urllib.request
from base64 import b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.clock import Clock

from .api import Api, path, serving
from .test_api_access import live_key

if TYPE_CHECKING:
    from collections.abc import Iterator

MAIL: dict[str, Any] = {"to": "ann@example.com", "subject": "Hi", "text": "Hello"}
FILE = {"filename": "a.txt", "content": b64encode(b"abc").decode(), "content_type": "text/plain"}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as running:
        yield running


@pytest.fixture
def inbox(api: Api) -> str:
    return api.inbox()


def drafted(api: Api, inbox: str, **asked: Any) -> Any:
    return api.good("POST", f"/v0/inboxes/{inbox}/drafts", MAIL | asked)


def target(made: Any, suffix: str = "") -> str:
    return f"/v0/inboxes/{made['inbox_id']}/drafts/{made['draft_id']}{suffix}"


def sent_messages(api: Api, inbox: str) -> list[Any]:
    return list(api.good("GET", f"/v0/inboxes/{inbox}/messages?labels=sent")["messages"])


def test_a_draft_vanishes_once_it_is_sent(api: Api, inbox: str) -> None:
    made = drafted(api, inbox, labels=["offer"], attachments=[FILE])
    sent = api.good("POST", target(made, "/send"), {"add_labels": "x", "remove_labels": "offer"})

    got = api.good("GET", path(inbox, sent["message_id"]))
    assert (got["to"], got["subject"], got["text"]) == (["ann@example.com"], "Hi", "Hello")
    assert (got["labels"], got["attachments"][0]["filename"]) == (["sent", "x"], "a.txt")
    assert api.ask("GET", target(made)).status == 404
    assert api.ask("POST", target(made, "/send"), {}).status == 404
    assert len(sent_messages(api, inbox)) == 1


def test_a_draft_has_the_key_of_its_send(api: Api, inbox: str) -> None:
    keyed = {"client_id": "c1", "inboxkit": {"key": "k1"}}
    made = drafted(api, inbox, **keyed)
    assert drafted(api, inbox, **keyed)["draft_id"] == made["draft_id"]
    sent = api.good("POST", target(made, "/send"), {})
    again = api.ask("POST", f"/v0/inboxes/{inbox}/drafts", MAIL | keyed)
    assert (again.status, again.code) == (409, "conflict")
    assert f"message {sent['inboxkit']['id']} was sent under it" in again.json["message"]
    other = MAIL | {"inboxkit": {"key": "k1"}, "text": "Other"}
    assert api.ask("POST", f"/v0/inboxes/{inbox}/messages/send", other).status == 409


def test_a_key_makes_a_repeated_send_return_the_first(api: Api, inbox: str) -> None:
    made = drafted(api, inbox)
    key = {"Idempotency-Key": f"draft-{made['draft_id']}"}
    first = api.ask("POST", target(made, "/send"), {}, key)
    assert api.ask("POST", target(made, "/send"), {}, key).json == first.json
    other = api.ask("POST", target(drafted(api, inbox), "/send"), {}, key)
    assert (other.status, other.code) == (409, "conflict")


def test_a_client_id_returns_the_same_draft_within_an_inbox(api: Api, inbox: str) -> None:
    first = drafted(api, inbox, client_id="c-1")
    assert drafted(api, inbox, client_id="c-1", text="Other") == first
    assert drafted(api, api.inbox(), client_id="c-1")["draft_id"] != first["draft_id"]


def test_what_is_not_given_stays_and_null_clears(api: Api, inbox: str) -> None:
    made = drafted(api, inbox, cc="ben@example.com", html="<p>Hello</p>")
    changed = api.good("PATCH", target(made), {"html": None, "to": [], "subject": "New"})
    assert (changed["subject"], changed["text"], changed["cc"]) == ("New", "Hello", made["cc"])
    assert "html" not in changed and "to" not in changed
    assert api.good("GET", target(made)) == changed


def test_files_come_and_go_and_can_be_downloaded(api: Api, inbox: str) -> None:
    made = drafted(api, inbox, attachments=[FILE])
    other = FILE | {"filename": "b.txt", "content": b64encode(b"xyz").decode()}
    removed = made["attachments"][0]["attachment_id"]
    asked = {"add_attachments": [other], "remove_attachments": [removed]}
    (kept,) = api.good("PATCH", target(made), asked)["attachments"]

    got = api.good("GET", target(made, f"/attachments/{kept['attachment_id']}"))
    assert (kept["filename"], kept["size"]) == ("b.txt", 3)
    with urllib.request.urlopen(got["download_url"]) as answer:
        assert answer.read() == b"xyz"
    assert api.ask("GET", target(made, f"/attachments/{removed}")).status == 404
    assert api.ask("PATCH", target(made), {"remove_attachments": [removed]}).status == 400


def test_files_are_limited_together(api: Api, inbox: str) -> None:
    large = FILE | {"content": b64encode(bytes(13 * 1024 * 1024)).decode()}
    made = drafted(api, inbox, attachments=[large])
    answer = api.ask("PATCH", target(made), {"add_attachments": [large]})
    assert (answer.status, answer.code) == (413, "payload_too_large")
    name = made["attachments"][0]["attachment_id"]
    api.good("PATCH", target(made), {"add_attachments": [large], "remove_attachments": [name]})


def test_an_answer_takes_its_place_from_what_it_answers(api: Api, inbox: str) -> None:
    came = api.arrive(inbox, "Large?", headers={"Cc": "ben@example.com"})
    asked = {"in_reply_to": came.message_id, "reply_all": True, "text": "Yes"}
    made = api.good("POST", f"/v0/inboxes/{inbox}/drafts", asked)
    assert (made["to"], made["cc"]) == ([str(came.sender)], ["ben@example.com"])
    assert (made["in_reply_to"], made["references"]) == (came.message_id, [came.message_id])

    sent = api.good("POST", target(made, "/send"), {})
    got = api.good("GET", path(inbox, sent["message_id"]))
    assert (sent["thread_id"], got["in_reply_to"]) == (came.thread_id, came.message_id)
    assert got["text"].startswith("Yes\n") and "> Large?" in got["text"]


def test_a_mail_is_sent_on_with_its_original(api: Api, inbox: str) -> None:
    came = api.arrive(inbox, "Look", subject="Plan")
    made = drafted(api, inbox, forward_of=came.message_id, subject=None)
    assert (made["subject"], made["forward_of"]) == ("Fwd: Plan", came.message_id)
    sent = api.good("POST", target(made, "/send"), {})
    raw = api.good("GET", path(inbox, sent["message_id"], "/raw"))
    with urllib.request.urlopen(raw["download_url"]) as answer:
        assert b"message/rfc822" in answer.read()


@pytest.mark.parametrize(
    "asked",
    [
        {"to": "nobody"},
        {"in_reply_to": "<none@example.com>"},
        {"forward_of": "<none@example.com>"},
        {"in_reply_to": "<a@b>", "forward_of": "<a@b>"},
        {"reply_all": True},
        {"send_at": "2001-01-01T00:00:00Z"},
        {"send_at": "2999-01-01T00:00:00Z", "to": []},
        {"labels": "scheduled"},
        {"attachments": [{"filename": "a", "content": "?"}]},
        {"subject": "a\nb"},
    ],
    ids=str,
)
def test_what_cannot_be_drafted_is_refused(api: Api, inbox: str, asked: Any) -> None:
    answer = api.ask("POST", f"/v0/inboxes/{inbox}/drafts", MAIL | asked)
    assert (answer.status, answer.code) == (400, "validation_error"), answer
    assert api.good("GET", f"/v0/inboxes/{inbox}/drafts")["count"] == 0


def test_drafts_are_listed_in_an_inbox_in_a_pod_and_for_all(api: Api, inbox: str) -> None:
    made = [drafted(api, inbox, labels=[f"l{n}", 'q"_%']) for n in range(3)]
    ids = [one["draft_id"] for one in reversed(made)]
    first = api.good("GET", f"/v0/inboxes/{inbox}/drafts?limit=2")
    rest = api.good("GET", f"/v0/inboxes/{inbox}/drafts?page_token={first['next_page_token']}")
    assert [d["draft_id"] for d in first["drafts"] + rest["drafts"]] == ids
    for place in ("/v0", "/v0/pods/pod_default", f"/v0/inboxes/{inbox}"):
        (found,) = api.good("GET", f"{place}/drafts?labels=l1&labels=q%22_%25")["drafts"]
        assert found["draft_id"] == made[1]["draft_id"] or place != f"/v0/inboxes/{inbox}"
        assert api.good("GET", f"{place}/drafts/{ids[0]}")["text"] == "Hello"
        api.good("DELETE", target(made[1])) if place == f"/v0/inboxes/{inbox}" else None


def test_a_draft_is_sent_at_its_time_and_not_when_it_was_put_off() -> None:
    clock = Clock()
    with serving(clock=clock) as api:
        inbox = api.inbox()
        soon = (clock.now() + timedelta(hours=1)).isoformat()
        due, off, gone = (drafted(api, inbox, send_at=soon, subject=s) for s in ("a", "b", "c"))
        assert (due["send_status"], due["labels"]) == ("scheduled", ["scheduled"])
        later = (clock.now() + timedelta(hours=3)).isoformat()
        moved = api.good("PATCH", target(off), {"send_at": None})
        assert "send_at" not in moved and moved["labels"] == []
        api.good("PATCH", target(off), {"send_at": later})
        api.good("DELETE", target(gone))

        clock.advance(timedelta(hours=2))
        assert [m["subject"] for m in until_sent(api, inbox, 1)] == ["a"]
        left = api.good("GET", f"/v0/inboxes/{inbox}/drafts?labels=scheduled")["drafts"]
        assert [d["draft_id"] for d in left] == [off["draft_id"]]
        clock.advance(timedelta(hours=2))
        assert {m["subject"] for m in until_sent(api, inbox, 2)} == {"a", "b"}


def until_sent(api: Api, inbox: str, count: int) -> list[Any]:
    """Ring for the jobs and wait for the log until so many mails have left an inbox."""
    bells = api.runner.kit.runtime.store.bell, api.runner.kit.runtime.notify.bell

    async def wait(seen: int) -> None:
        bells[0].ring(["draft"])
        await bells[1].wait("any", seen, timeout=30)

    for _ in range(20):
        seen = bells[1].count("any")
        found = sent_messages(api, inbox)
        if len(found) >= count:
            return found
        api.runner.call(wait, seen)
    raise AssertionError(f"{count} mails were not sent")


def test_a_draft_that_cannot_be_sent_at_its_time_says_why() -> None:
    clock = Clock()
    with serving(clock=clock) as api:
        inbox = api.inbox()
        soon = (clock.now() + timedelta(hours=1)).isoformat()
        made = drafted(api, inbox, send_at=soon)
        api.good("POST", f"/v0/inboxes/{inbox}/lists/send/block", {"entry": "example.com"})
        clock.advance(timedelta(hours=2))
        other = drafted(api, api.inbox(), send_at=(clock.now() + timedelta(hours=1)).isoformat())
        clock.advance(timedelta(hours=2))
        until_sent(api, other["inbox_id"], 1)  # it is taken after the first
        got = api.good("GET", target(made))
        assert (got["send_status"], got["labels"]) == ("failed", ["failed"])
        assert "block list of the inbox" in got["inboxkit"]["error"]
        assert sent_messages(api, inbox) == []


def test_under_policy_draft_only_a_person_sends(api: Api, inbox: str) -> None:
    found = api.good("PATCH", f"/v0/inboxes/{inbox}", {"draft_policy": "draft"})
    assert found["inboxkit"] == {"draft_policy": "draft"}
    refused = api.ask("POST", f"/v0/inboxes/{inbox}/messages/send", MAIL)
    assert (refused.status, refused.code) == (403, "message_rejected")
    api.good("POST", target(drafted(api, inbox), "/send"), {})
    api.good("PATCH", f"/v0/inboxes/{inbox}", {"draft_policy": "deny"})
    made = drafted(api, inbox)
    assert api.ask("POST", target(made, "/send"), {}).code == "message_rejected"
    assert api.good("GET", target(made)) == made


def test_a_key_that_may_not_send_drafts_cannot_schedule_one() -> None:
    with serving(api_key="k" * 20) as server:
        admin = server.of("k" * 20)
        inbox = admin.inbox()
        own = {"permissions": {"draft_create": True, "draft_update": True}}
        agent = server.of(admin.good("POST", "/v0/api-keys", own)["api_key"])
        made = drafted(agent, inbox)
        when = {"send_at": "2999-01-01T00:00:00Z"}
        for answer in (
            agent.ask("POST", target(made, "/send"), {}),
            agent.ask("PATCH", target(made), when),
            agent.ask("POST", f"/v0/inboxes/{inbox}/drafts", MAIL | when),
            agent.ask("POST", f"/v0/inboxes/{inbox}/drafts", MAIL | {"in_reply_to": "<a@b>"}),
        ):
            assert (answer.status, answer.code) == (403, "missing_permission")


def test_a_key_that_may_not_send_drafts_cannot_change_one_that_will_be_sent() -> None:
    with serving(api_key="k" * 20) as server:
        admin = server.of("k" * 20)
        own = {"permissions": {"draft_update": True}}
        agent = server.of(admin.good("POST", "/v0/api-keys", own)["api_key"])
        made = drafted(admin, admin.inbox(), send_at="2999-01-01T00:00:00Z")
        refused = agent.ask("PATCH", target(made), {"to": "eve@evil.example", "text": "Else"})
        assert (refused.status, refused.code) == (403, "missing_permission")
        assert admin.good("GET", target(made)) == made

        admin.good("PATCH", target(made), {"text": "Mine"})
        taken_back = agent.good("PATCH", target(made), {"text": "Else", "send_at": None})
        assert (taken_back["text"], taken_back.get("send_at")) == ("Else", None)


def test_a_test_key_cannot_change_what_will_reach_people() -> None:
    options = {"smtp": {"host": "127.0.0.1", "port": "9"}}
    with serving(provider=("smtp",), domain="shop.example", options=options) as server:
        live = server.of(live_key(server))
        tester = server.of(live.good("POST", "/v0/api-keys", {"live": False})["api_key"])
        made = drafted(live, live.inbox(), send_at="2999-01-01T00:00:00Z")
        assert tester.ask("PATCH", target(made), {"text": "Else"}).code == "message_rejected"
        assert live.good("GET", target(made)) == made


def test_drafts_go_with_their_inbox(api: Api, inbox: str) -> None:
    made = drafted(api, inbox, attachments=[FILE], send_at="2999-01-01T00:00:00Z")
    url = api.good("GET", target(made, f"/attachments/{made['attachments'][0]['attachment_id']}"))
    api.good("DELETE", f"/v0/inboxes/{inbox}")
    assert api.ask("GET", f"/v0/drafts/{made['draft_id']}").status == 404
    where = url["download_url"].removeprefix(api.url)
    assert api.ask("GET", where).status == 404

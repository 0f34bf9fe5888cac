"""Our own routes beside AgentMail's: whole messages, inboxes to open, what threads remember."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.mails import mail

from .api import Api, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "k" * 20


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key=KEY, any_recipient=True) as api:
        yield api.of(KEY)


@pytest.fixture(scope="module")
def tenant(api: Api) -> Api:
    """The server asked with the key of a pod that has one inbox, ours@inbox.example."""
    pod = api.good("POST", "/v0/pods", {"name": "ours"})["pod_id"]
    api.good("POST", f"/v0/pods/{pod}/inboxes", {"username": "ours"})
    return api.of(api.good("POST", f"/v0/pods/{pod}/api-keys", {})["api_key"])


def ids(answer: dict[str, Any]) -> list[str]:
    return [message["id"] for message in answer["messages"]]


def test_a_key_sees_the_messages_of_its_scope_alone(api: Api, tenant: Api) -> None:
    theirs, ours = api.arrive("theirs@inbox.example"), api.arrive("ours@inbox.example")
    assert ids(tenant.good("GET", "/v0/messages")) == [ours.id]
    both = f"/v0/messages?ids={theirs.id}&ids={ours.id}&ids=nonsense"
    assert ids(tenant.good("GET", both)) == [ours.id]
    assert ids(api.good("GET", both)) == [theirs.id, ours.id]
    hidden = ("inbox=theirs@inbox.example", f"thread={theirs.thread_id}", "thread=nonsense")
    for query in hidden:
        assert tenant.ask("GET", f"/v0/messages?{query}").code == "not_found"
    assert tenant.ask("GET", f"/v0/messages/{theirs.id}").code == "not_found"


def test_brief_messages_stay_small(api: Api) -> None:
    inbox = api.inbox(username="long")
    came = api.arrive(inbox, "Over the hills and far away.\n" * 1_000)
    asked = (f"inbox={inbox}", f"ids={came.id}", f"thread={came.thread_id}")
    for query in asked:
        (whole,) = api.good("GET", f"/v0/messages?{query}")["messages"]
        (brief,) = api.good("GET", f"/v0/messages?{query}&brief=true")["messages"]
        assert len(whole["text"]) > 20_000 == len(brief["text"]) == len(brief["visible_text"])
        assert {**brief, "text": "", "reply_text": "", "visible_text": ""} == {
            **whole,
            "text": "",
            "reply_text": "",
            "visible_text": "",
        }


def test_forbidden_labels_hide_whole_messages(api: Api) -> None:
    inbox = api.inbox(username="spammed")
    spam = api.arrive(inbox)
    api.good("PATCH", f"/v0/inboxes/{inbox}/messages/{spam.id}", {"add_labels": ["spam"]})
    allowed = {"permissions": {"message_read": True}}
    reader = api.of(api.good("POST", f"/v0/inboxes/{inbox}/api-keys", allowed)["api_key"])
    assert reader.ask("GET", f"/v0/messages/{spam.id}").code == "not_found"
    assert ids(reader.good("GET", f"/v0/messages?ids={spam.id}")) == []
    for query in ("", "?query=label:spam"):
        assert ids(reader.good("GET", f"/v0/messages{query}")) == []


def test_forbidden_labels_hide_messages_from_waits(api: Api) -> None:
    inbox = api.inbox(username="waited")
    sent = api.send(inbox)
    spam = api.arrive(inbox, headers={"In-Reply-To": sent["message_id"]})
    api.good("PATCH", f"/v0/inboxes/{inbox}/messages/{spam.id}", {"add_labels": ["spam"]})
    allowed = {"permissions": {"message_read": True}}
    reader = api.of(api.good("POST", f"/v0/inboxes/{inbox}/api-keys", allowed)["api_key"])
    asked = f"/v0/inboxes/{inbox}/wait?timeout=0&whole=true"
    for more in ("", "&subject=other", f"&reply_to={sent['inboxkit']['id']}"):
        late = reader.good("GET", f"{asked}{more}")
        assert (late["found"], late["arrived"], late["arrived_whole"]) == (False, [], [])
        assert late["reason"].endswith("; nothing came")
    late = api.good("GET", f"{asked}&subject=other")
    assert [one["id"] for one in late["arrived_whole"]] == [spam.id]
    found = api.good("GET", f"{asked}&reply_to={sent['inboxkit']['id']}")
    assert found["whole"]["id"] == spam.id


def test_forbidden_labels_hide_what_a_message_answers(api: Api) -> None:
    inbox = api.inbox(username="answered")
    sent = api.send(inbox)
    answer = api.arrive(inbox, headers={"In-Reply-To": sent["message_id"]})
    own = sent["inboxkit"]["id"]
    api.good("PATCH", f"/v0/inboxes/{inbox}/messages/{own}", {"add_labels": ["trash"]})
    allowed = {"permissions": {"message_read": True}}
    reader = api.of(api.good("POST", f"/v0/inboxes/{inbox}/api-keys", allowed)["api_key"])
    assert reader.ask("GET", f"/v0/messages/{own}").code == "not_found"
    for asked in (f"/v0/messages/{answer.id}", f"/v0/messages?ids={answer.id}"):
        for who, shows in ((reader, False), (api, True)):
            said = who.good("GET", asked)
            (one,) = said.get("messages") or [said]
            assert ("answers" in one) is shows
    waited = reader.good("GET", f"/v0/inboxes/{inbox}/wait?timeout=0&whole=true")["whole"]
    assert waited["id"] == answer.id and "answers" not in waited


def test_a_bound_key_does_not_see_in_which_other_inboxes_a_mail_came(api: Api) -> None:
    own, other = api.inbox(username="bound"), api.inbox(username="copied")
    reader = api.of(api.good("POST", f"/v0/inboxes/{own}/api-keys", {})["api_key"])
    tagged = own.replace("@", "+news@")
    raw, receive = mail(to=own), api.runner.kit.receive
    everybody = [own, tagged, other]
    came = api.runner.call(receive, raw, mail_from="ann@example.com", rcpt_to=everybody)
    for asked in (f"/v0/messages/{came.id}", f"/v0/messages?ids={came.id}"):
        for who, seen in ((reader, [own, tagged]), (api, everybody)):
            said = who.good("GET", asked)
            (one,) = said.get("messages") or [said]
            assert one["envelope"]["rcpt_to"] == seen
    waited = reader.good("GET", f"/v0/inboxes/{own}/wait?timeout=0&whole=true")["whole"]
    assert waited["envelope"]["rcpt_to"] == [own, tagged]
    api.send(own, to=other)  # whom it writes to itself it knows
    newest, *_ = reader.good("GET", f"/v0/messages?inbox={own}")["messages"]
    assert newest["envelope"]["rcpt_to"] == [other]


def test_what_is_hidden_is_found_by_its_label_alone(api: Api) -> None:
    inbox = api.inbox(username="junk")
    spam = api.arrive(inbox)
    api.good("PATCH", f"/v0/inboxes/{inbox}/messages/{spam.id}", {"add_labels": ["spam"]})
    assert ids(api.good("GET", f"/v0/messages?inbox={inbox}")) == []
    assert ids(api.good("GET", f"/v0/messages?inbox={inbox}&query=label:spam")) == [spam.id]
    for kind in ("messages", "threads"):
        searches = f"/v0/inboxes/{inbox}/{kind}/search?q="
        assert api.good("GET", f"{searches}is:unread")["count"] == 0
        assert api.good("GET", f"{searches}label:spam")["count"] == 1
    assert ids(api.good("GET", f"/v0/messages?thread={spam.thread_id}")) == [spam.id]
    assert ids(api.good("GET", f"/v0/messages?ids={spam.id}")) == [spam.id]


def test_what_belongs_to_others_is_not_opened(tenant: Api, api: Api) -> None:
    api.inbox(username="taken")
    refused = tenant.ask("POST", "/v0/inboxes/open", {"address": "taken@inbox.example"})
    assert refused.code == "resource_taken"
    opened = tenant.good("POST", "/v0/inboxes/open", {"address": "ours@inbox.example"})
    assert "since" in opened


@pytest.mark.parametrize("bound", [True, False], ids=["bound to an inbox", "may only read"])
def test_who_may_make_no_inbox_opens_those_that_are_there(api: Api, bound: bool) -> None:
    inbox = api.inbox()
    asked: dict[str, Any] = {} if bound else {"permissions": {"inbox_read": True}}
    place = f"/v0/inboxes/{inbox}/api-keys" if bound else "/v0/api-keys"
    limited = api.of(api.good("POST", place, asked)["api_key"])
    assert limited.good("POST", "/v0/inboxes/open", {"address": inbox})["address"] == inbox
    refused = limited.ask("POST", "/v0/inboxes/open", {"address": "new@inbox.example"})
    assert refused.status == 403
    assert api.ask("GET", "/v0/inboxes/new@inbox.example").status == 404


def test_a_thread_remembers_what_is_merged_into_it(api: Api) -> None:
    thread = api.arrive("state@inbox.example").thread_id
    path = f"/v0/threads/{thread}/state"
    api.good("PATCH", path, {"state": {"step": 1, "name": "x"}})
    assert api.good("PATCH", path, {"state": {"step": 2}})["state"] == {"step": 2, "name": "x"}
    too_long = {"state": {"a": "x" * 70_000}}
    assert api.ask("PATCH", path, too_long).code == "validation_error"
    assert api.good("GET", path)["state"] == {"step": 2, "name": "x"}


def test_a_send_into_a_thread_obeys_its_idempotency_key(api: Api) -> None:
    came = api.arrive("once@inbox.example")
    target = f"/v0/inboxes/once@inbox.example/threads/{came.thread_id}/send"
    headers = {"Idempotency-Key": "k1"}
    first = api.ask("POST", target, {"text": "More"}, headers).json
    assert api.ask("POST", target, {"text": "More"}, headers).json == first
    listed = api.good("GET", f"/v0/messages?thread={came.thread_id}&ascending=true")
    assert ids(listed) == [came.id, first["inboxkit"]["id"]]


@pytest.mark.parametrize(
    "asked",
    [{"since": 5}, {"since": "20260101T25"}, {"since_seconds": -1}, {"address": "x@"}],
    ids=["a number", "no hour", "the future", "no domain"],
)
def test_what_is_malformed_names_its_field(api: Api, asked: dict[str, Any]) -> None:
    answer = api.ask("POST", "/v0/inboxes/open", asked)
    assert answer.code == "validation_error"
    assert answer.json["errors"][0]["path"] == [next(iter(asked))]

"""Allow and block lists: the narrowest scope decides, and nothing that came in is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.errors import WaitTimeout
from inboxkit.models import Want
from tests.mails import mail

from .api import Answer, Api, path, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit import Message

ANN = "ann@example.com"


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def shared() -> Iterator[Api]:
    with serving() as running:
        yield running


def add(api: Api, where: str, which: str, entry: str) -> Any:
    return api.good("POST", f"/v0{where}/lists/{which}", {"entry": entry})


def place(scope: str, inbox: str) -> str:
    return {"org": "", "pod": "/pods/pod_default", "inbox": f"/inboxes/{inbox}"}[scope]


def labels(came: Message) -> set[str]:
    return set(came.labels)


@pytest.mark.parametrize("scope", ["org", "pod", "inbox"])
def test_an_entry_is_added_once_listed_and_deleted(shared: Api, scope: str) -> None:
    api, inbox = shared, shared.inbox()
    where = place(scope, inbox)
    made = add(api, where, "send/block", "Evil.Example")
    assert add(api, where, "send/block", "evil.example") == made
    assert (made["entry"], made["entry_type"]) == ("evil.example", "domain")
    assert made.get("inbox_id") == (inbox if scope == "inbox" else None)
    assert made.get("pod_id") == (None if scope == "org" else "pod_default")
    assert api.good("GET", f"/v0{where}/lists/send/block")["entries"] == [made]
    assert api.good("GET", f"/v0{where}/lists/send/block/EVIL.example") == made
    api.good("DELETE", f"/v0{where}/lists/send/block/evil.example")
    assert api.ask("DELETE", f"/v0{where}/lists/send/block/evil.example").status == 404


def test_entries_are_paged_in_their_order(shared: Api) -> None:
    where = place("inbox", shared.inbox())
    for name in ("c.example", "b@a.example", "a.example"):
        add(shared, where, "reply/allow", name)
    for which in ("reply/block", "send/allow"):  # other lists
        add(shared, where, which, "d.example")
    first = shared.good("GET", f"/v0{where}/lists/reply/allow?limit=2")
    token = first["next_page_token"]
    rest = shared.good("GET", f"/v0{where}/lists/reply/allow?page_token={token}")
    found = [e["entry"] for e in first["entries"] + rest["entries"]]
    assert found == ["a.example", "b@a.example", "c.example"]
    assert shared.ask("GET", f"/v0{where}/lists/reply/block?page_token={token}").status == 400


@pytest.mark.parametrize("name", ["B%C3%BCcher.example", "xn--bcher-kva.example"])
def test_an_entry_is_found_in_each_way_it_is_written(shared: Api, name: str) -> None:
    where = place("inbox", shared.inbox())
    made = add(shared, where, "reply/block", "B\xfccher.example")
    assert shared.good("GET", f"/v0{where}/lists/reply/block/{name}") == made
    shared.good("DELETE", f"/v0{where}/lists/reply/block/{name}")
    assert shared.good("GET", f"/v0{where}/lists/reply/block")["count"] == 0


@pytest.mark.parametrize("entry", ["", "no domain", "a@", "@example.com", "a@b@c", "a\nb"])
def test_what_is_no_address_is_no_entry(shared: Api, entry: str) -> None:
    answer = shared.ask("POST", "/v0/lists/send/block", {"entry": entry})
    assert (answer.status, answer.code) == (400, "validation_error")


def test_unknown_lists_are_not_there(shared: Api) -> None:
    for which in ("sideways/block", "send/maybe"):
        answer = shared.ask("GET", f"/v0/lists/{which}")
        assert answer.code == "not_found" and "receive" in answer.json["fix"]


def sending(api: Api, inbox: str, **asked: Any) -> Answer:
    body = {"to": ANN, "text": "Hi"} | asked
    return api.ask("POST", f"/v0/inboxes/{inbox}/messages/send", body)


@pytest.mark.parametrize(
    ("lists", "status"),
    [
        ({"org": ["block example.com"]}, 403),
        ({"org": ["block ple.com", "block mail.example.com"]}, 200),
        ({"org": ["block example.com"], "pod": [f"allow {ANN}"]}, 200),
        ({"org": [f"block {ANN}"], "inbox": ["allow example.com"]}, 200),
        ({"pod": ["allow example.com"], "inbox": [f"block {ANN}"]}, 403),
        ({"inbox": ["block example.com", f"allow {ANN}"]}, 200),
        ({"inbox": [f"block {ANN}", f"allow {ANN}"]}, 403),
        ({"org": ["allow other.example"]}, 403),
        ({"org": [f"allow {ANN}"], "inbox": ["allow other.example"]}, 403),
        ({"org": ["allow other.example"], "inbox": ["block other.example"]}, 403),
    ],
    ids=str,
)
def test_the_narrowest_scope_that_says_anything_decides(
    api: Api, lists: dict[str, list[str]], status: int
) -> None:
    inbox = api.inbox()
    for scope, entries in lists.items():
        for entry in entries:
            kind, _, name = entry.partition(" ")
            add(api, place(scope, inbox), f"send/{kind}", name)
    assert sending(api, inbox).status == status


def test_one_recipient_who_is_blocked_refuses_the_whole_send(api: Api) -> None:
    inbox = api.inbox()
    add(api, "", "send/block", "evil.example")
    answer = sending(api, inbox, bcc=["Eve <Eve@Evil.Example>"])
    assert (answer.status, answer.code) == (403, "message_rejected")
    assert "eve@evil.example" in answer.json["message"]
    assert api.good("GET", f"/v0/inboxes/{inbox}/messages")["count"] == 0
    add(api, "", "receive/block", "example.com")
    assert sending(api, inbox).status == 200  # another direction


def test_what_comes_from_somebody_blocked_is_kept_labelled_and_out_of_sight(api: Api) -> None:
    inbox = api.inbox()
    add(api, "", "receive/block", "example.com")
    came = api.arrive(inbox, "Your code is 123456")
    assert labels(came) == {"received", "unread", "blocked"}
    assert api.good("GET", f"/v0/inboxes/{inbox}/messages")["count"] == 0
    assert api.good("GET", f"/v0/inboxes/{inbox}/messages?include_blocked=true")["count"] == 1
    assert api.good("GET", path(inbox, came))["text"].startswith("Your code")
    for kind in ("message", "otp"):
        with pytest.raises(WaitTimeout):
            api.runner.call(api.runner.kit.runtime.actions.wait, inbox, Want(kind=kind), timeout=0)


def test_a_report_is_held_against_no_list(shared: Api) -> None:
    inbox = shared.inbox()
    add(shared, place("inbox", inbox), "receive/block", "mx.example")
    headers = {"Auto-Submitted": "auto-replied"}
    report = mail("Undelivered", to=inbox, sender="mailer-daemon@mx.example", headers=headers)
    report = report.replace(b"text/plain", b"multipart/report; report-type=delivery-status", 1)
    came = shared.runner.call(shared.runner.kit.receive, report, mail_from="", rcpt_to=[inbox])
    assert (came.kind, "blocked" in labels(came)) == ("bounce", False)


def test_an_answer_is_held_against_reply_lists_alone(api: Api) -> None:
    inbox = api.inbox()
    sent = api.send(inbox)
    add(api, "", "receive/block", "example.com")
    answer = {"In-Reply-To": sent["message_id"]}
    assert "blocked" not in labels(api.arrive(inbox, "One", headers=answer))
    assert "blocked" in labels(api.arrive(inbox, "Two"))
    add(api, place("inbox", inbox), "reply/allow", "other.example")
    assert "blocked" in labels(api.arrive(inbox, "Three", headers=answer))


def test_what_answers_no_send_is_held_against_receive_lists_alone(shared: Api) -> None:
    inbox = shared.inbox()
    where, first = place("inbox", inbox), shared.arrive(inbox, "One")
    add(shared, where, "reply/block", "example.com")
    assert "blocked" not in labels(shared.arrive(inbox, "Two"))
    shared.good("DELETE", f"/v0{where}/lists/reply/block/example.com")
    add(shared, where, "receive/block", "example.com")
    cited = {"In-Reply-To": first.message_id}
    assert "blocked" in labels(shared.arrive(inbox, "Three", headers=cited))
    raw = f"To: {inbox}\r\nSubject: No From\r\n\r\nHi\r\n".encode()
    came = shared.runner.call(shared.runner.kit.receive, raw, mail_from=ANN, rcpt_to=[inbox])
    assert "blocked" in labels(came)


def test_an_allow_list_lets_in_nobody_else(api: Api) -> None:
    inbox, other = api.inbox(), api.inbox()
    add(api, place("inbox", inbox), "receive/allow", "other.example")
    assert "blocked" in labels(api.arrive(inbox))
    assert "blocked" not in labels(api.arrive(other))
    add(api, place("inbox", inbox), "receive/allow", ANN)
    assert "blocked" not in labels(api.arrive(inbox, "Again"))


def test_no_handler_is_called_for_what_is_blocked(api: Api) -> None:
    inbox = api.inbox()
    add(api, "", "receive/block", "example.com")
    came = api.arrive(inbox)
    events = api.runner.kit.runtime.store

    def planned(connection: Any) -> int:
        query = "SELECT count(*) FROM inboxkit_job WHERE kind = 'plan'"
        return int(connection.exec_driver_sql(query).scalar())

    def said(connection: Any) -> tuple[str, str]:
        query = "SELECT reason_class, reason FROM inboxkit_event WHERE type = 'received'"
        return tuple(connection.exec_driver_sql(query).one())

    assert came.state == "parsed" and api.runner.call(events.read, planned) == 0
    reason = api.runner.call(events.read, said)
    assert reason == ("blocked", "example.com is on the block list of the organization")


def test_a_tenants_lists_are_its_own() -> None:
    with serving(api_key="k" * 20) as server:
        admin = server.of("k" * 20)
        pods = [admin.good("POST", "/v0/pods", {})["pod_id"] for _ in range(2)]
        inboxes = [admin.good("POST", f"/v0/pods/{p}/inboxes")["inbox_id"] for p in pods]
        key = admin.good("POST", f"/v0/pods/{pods[0]}/api-keys", {})["api_key"]
        tenant = server.of(key)
        made = add(tenant, "", "receive/block", "example.com")
        assert made["pod_id"] == pods[0]
        assert "blocked" in labels(admin.arrive(inboxes[0]))
        assert "blocked" not in labels(admin.arrive(inboxes[1]))
        assert admin.good("GET", "/v0/lists/receive/block")["count"] == 0
        add(admin, "", "receive/allow", "example.com")
        assert tenant.good("GET", "/v0/lists/receive/allow")["count"] == 0
        assert "blocked" in labels(admin.arrive(inboxes[0], "Again"))

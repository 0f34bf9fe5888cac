"""Sends by HTTP: once under a key, with labels, by the way of every other send."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from inboxkit.store import suppressions
from inboxkit.store.api_tables import idempotency
from inboxkit.testing.settling import advance

from .api import Answer, Api, path, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit.store.transactions import Tx


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as running:
        yield running


@pytest.fixture
def inbox(api: Api) -> str:
    return api.inbox()


def count(api: Api, inbox: str) -> int:
    return int(api.good("GET", f"/v0/inboxes/{inbox}/messages")["count"])


def send(api: Api, inbox: str, key: str, text: str = "Once") -> Answer:
    target = f"/v0/inboxes/{inbox}/messages/send"
    body = {"to": "ann@example.com", "text": text}
    return api.ask("POST", target, body, {"Idempotency-Key": key})


def test_requests_that_meet_under_one_key_send_once(api: Api, inbox: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(send, api.of(""), inbox, "race") for _ in range(8)]
        answers = [call.result() for call in calls]
    assert {a.status for a in answers} == {200}
    assert len({a.json["message_id"] for a in answers}) == 1
    assert count(api, inbox) == 1


@pytest.mark.parametrize("label", ["received", "sent", "scheduled", "bounced"])
def test_a_send_cannot_call_itself_what_it_is_not(api: Api, inbox: str, label: str) -> None:
    asked = {"to": "ann@example.com", "text": "Hi", "labels": ["offer", label]}
    answer = api.ask("POST", f"/v0/inboxes/{inbox}/messages/send", asked)

    assert (answer.status, answer.code, count(api, inbox)) == (400, "validation_error", 0)


@pytest.mark.parametrize("other", ["text", "inbox", "endpoint"])
def test_a_key_is_for_one_request(api: Api, inbox: str, other: str) -> None:
    key = f"key-{other}"
    first = send(api, inbox, key)
    if other == "endpoint":
        target = path(inbox, first.json["message_id"], "/reply")
        again = api.ask("POST", target, {"text": "Once"}, {"Idempotency-Key": key})
    else:
        again = send(api, inbox if other == "text" else api.inbox(), key, f"Once {other}")
    assert (again.status, again.code) == (409, "conflict")


def test_a_request_is_known_by_what_it_says_alone(api: Api, inbox: str) -> None:
    """So it stays the same request for a later version, whose requests have more fields."""
    send(api, inbox, "pinned")
    known = select(idempotency.c.fingerprint).where(idempotency.c.key == "pinned")
    store = api.runner.kit.runtime.store

    async def kept() -> str:
        return await store.read(lambda c: c.execute(known).scalar_one())

    found = api.runner.call(kept)
    said = f'{inbox} send {{"text":"Once","to":["ann@example.com"]}}'
    assert found == hashlib.sha256(said.encode()).hexdigest()


def test_a_key_is_forgotten_after_a_day(api: Api, inbox: str) -> None:
    first = send(api, inbox, "daily")
    api.runner.clock.advance(timedelta(hours=23))
    assert send(api, inbox, "daily").json == first.json
    api.runner.clock.advance(timedelta(hours=2))
    assert send(api, inbox, "daily").json["message_id"] != first.json["message_id"]


def test_a_key_outlives_the_message(api: Api, inbox: str) -> None:
    first = send(api, inbox, "gone")
    api.good("DELETE", path(inbox, first.json["message_id"]))
    assert send(api, inbox, "gone").json == first.json
    assert count(api, inbox) == 0


@pytest.mark.parametrize("key", ["", " ", "k" * 257], ids=["empty", "blank", "long"])
def test_a_key_must_say_something(api: Api, inbox: str, key: str) -> None:
    assert send(api, inbox, key).code == "validation_error"


def test_a_key_of_a_refused_send_is_free(api: Api, inbox: str) -> None:
    target = f"/v0/inboxes/{inbox}/messages/send"
    headers = {"Idempotency-Key": "fixed"}
    assert api.ask("POST", target, {"to": "nobody", "text": "a"}, headers).status == 400
    assert api.ask("POST", target, {"to": "ann@example.com", "text": "a"}, headers).status == 200


def test_tenants_do_not_meet_under_one_key() -> None:
    with serving(api_key="k" * 20) as server:
        admin = server.of("k" * 20)
        pod = admin.good("POST", "/v0/pods", {})["pod_id"]
        theirs = admin.good("POST", f"/v0/pods/{pod}/inboxes")["inbox_id"]
        tenant = server.of(admin.good("POST", f"/v0/pods/{pod}/api-keys", {})["api_key"])
        assert send(admin, admin.inbox(), "order-1").status == 200
        assert send(tenant, theirs, "order-1", "Another").status == 200


def test_keys_of_inboxes_do_not_meet_under_one_key() -> None:
    with serving(api_key="k" * 20) as server:
        admin = server.of("k" * 20)
        inboxes = [admin.inbox(username=name) for name in ("one", "two")]
        keys = [admin.good("POST", f"/v0/inboxes/{i}/api-keys", {})["api_key"] for i in inboxes]
        tenants = [server.of(key) for key in keys]
        sent = [send(t, i, "order-1", i) for t, i in zip(tenants, inboxes, strict=True)]
        assert [answer.status for answer in sent] == [200, 200]
        assert send(tenants[0], inboxes[0], "order-1", inboxes[0]).json == sent[0].json
        assert send(tenants[0], inboxes[0], "order-1", "Another").code == "conflict"


def test_a_send_is_what_was_asked_for(api: Api, inbox: str) -> None:
    asked = {
        "to": ["Ann <ann@example.com>", "ben@example.com"],
        "cc": "eve@example.com",
        "bcc": ["sue@example.com"],
        "reply_to": "desk@inbox.example",
        "subject": "Größe",
        "html": "<p>Which?</p>",
        "labels": ["order", "order"],
        "headers": {"X-Priority": "1"},
        "attachments": [{"filename": "a.bin", "content": b64encode(b"\0\xff").decode()}],
    }
    sent = api.send(inbox, **asked)
    got = api.good("GET", path(inbox, sent["message_id"]))
    assert (got["to"], got["cc"], got["bcc"]) == (asked["to"], [asked["cc"]], asked["bcc"])
    assert (got["subject"], got["html"], got["labels"]) == (
        "Größe",
        "<p>Which?</p>",
        ["order", "sent"],
    )
    assert (got["reply_to"], got["headers"]) == (["desk@inbox.example"], {"X-Priority": "1"})
    assert [(a["filename"], a["size"]) for a in got["attachments"]] == [("a.bin", 2)]


LATER = "2099-01-02T03:04:05+00:00"


@pytest.mark.parametrize("suffix", ["/send", "/reply", "/reply-all", "/forward"])
@pytest.mark.parametrize("key", ["att", "At", "labels"])
def test_a_key_of_ours_that_is_misspelt_is_named(
    api: Api, inbox: str, suffix: str, key: str
) -> None:
    way = path(inbox, api.arrive(inbox), suffix)
    target = f"/v0/inboxes/{inbox}/messages/send" if suffix == "/send" else way
    to = {} if suffix == "/reply-all" else {"to": "ann@example.com"}
    before = count(api, inbox)
    answer = api.ask("POST", target, {**to, "text": "Hi", "inboxkit": {key: LATER}})
    assert (answer.status, answer.code) == (400, "validation_error")
    assert f"inboxkit.{key}: " in answer.json["message"]
    assert count(api, inbox) == before


@pytest.mark.parametrize(
    "given",
    [
        {"send_at": LATER},
        {"send_at": LATER, "inboxkit": {"at": LATER}},
        {"send_at": None, "inboxkit": {"at": LATER}},
    ],
)
def test_a_send_leaves_at_its_time_and_is_taken_back_by_deleting_it(
    api: Api, inbox: str, given: dict[str, Any]
) -> None:
    sent = api.send(inbox, to="ann@example.com", text="Later", **given)
    item = path(inbox, sent["message_id"])
    assert api.good("GET", item)["inboxkit"]["state"] == "scheduled"
    api.good("DELETE", item)
    assert api.ask("GET", item).status == 404


def test_a_send_and_its_thread_are_scheduled_until_they_are_sent() -> None:
    def labels() -> list[Any]:
        listed = api.good("GET", f"/v0/inboxes/{inbox}/threads")["threads"]
        return [api.good("GET", item)["labels"], *(one["labels"] for one in listed)]

    def counts() -> list[int]:
        lists = [f"/v0/inboxes/{inbox}/{what}?labels=" for what in ("messages", "threads")]
        asked = [one + label for one in lists for label in ("scheduled", "sent")]
        return [api.good("GET", target)["count"] for target in asked]

    with serving() as api:
        inbox, runner = api.inbox(), api.runner
        at = runner.clock.now() + timedelta(hours=1)
        sent = api.send(inbox, to="ann@example.com", send_at=at.isoformat())
        item = path(inbox, sent["message_id"])
        assert (labels(), counts()) == ([["scheduled"]] * 2, [1, 0, 1, 0])
        runner.call(advance, runner.kit, timedelta(hours=2), timeout=30)
        assert (labels(), counts()) == ([["sent"]] * 2, [0, 1, 0, 1])


def test_only_a_send_that_is_still_scheduled_is_cancelled(api: Api, inbox: str) -> None:
    sent = api.send(inbox, to="ann@example.com", text="Later", send_at=LATER)
    item = path(inbox, sent["message_id"])
    api.good("POST", f"{item}/cancel")
    assert api.ask("POST", f"{item}/cancel").status == api.ask("GET", item).status == 404
    left = path(inbox, api.send(inbox, to="ann@example.com", text="Now")["message_id"])
    answer = api.ask("POST", f"{left}/cancel")
    assert (answer.status, answer.code, api.ask("GET", left).status) == (409, "not_scheduled", 200)


def test_two_times_of_one_send_are_refused(api: Api, inbox: str) -> None:
    times = {"send_at": LATER, "inboxkit": {"at": "2098-01-02T03:04:05Z"}}
    body = {"to": "ann@example.com", "text": "Later", **times}
    answer = api.ask("POST", f"/v0/inboxes/{inbox}/messages/send", body)
    assert (answer.status, "send_at" in answer.json["message"]) == (400, True)


def test_an_answer_goes_to_whom_it_should(api: Api, inbox: str) -> None:
    headers = {"Cc": f"ben@example.com, {inbox}", "Reply-To": "Team <team@example.com>"}
    came = api.arrive(inbox, "Hello\nyou", headers=headers)

    def answered(suffix: str, **asked: Any) -> Any:
        sent = api.good("POST", path(inbox, came, suffix), {"text": "Yes", **asked})
        got = api.good("GET", path(inbox, sent["message_id"]))
        assert got["in_reply_to"] == came.message_id and got["thread_id"] == came.thread_id
        return got["to"], got.get("cc")

    assert answered("/reply") == (["Team <team@example.com>"], None)
    assert answered("/reply-all") == (["Team <team@example.com>"], ["ben@example.com"])
    assert answered("/reply", reply_all=True)[1] == ["ben@example.com"]
    assert answered("/reply", to="eve@example.com") == (["eve@example.com"], None)
    refused = api.ask("POST", path(inbox, came, "/reply"), {"reply_all": True, "cc": "a@b.example"})
    assert refused.code == "validation_error"


def test_an_answer_quotes_and_its_new_words_are_known(api: Api, inbox: str) -> None:
    came = api.arrive(inbox, "Is <b>this</b>\nright?")
    asked = {"text": "It is.", "html": "<p>It is.</p>"}
    sent = api.good("POST", path(inbox, came, "/reply"), asked)
    got = api.good("GET", path(inbox, sent["message_id"]))
    assert got["text"].endswith("> Is <b>this</b>\n> right?")
    assert "Is &lt;b&gt;this&lt;/b&gt;<br>" in got["html"]
    assert got["extracted_text"] == "It is."
    assert "right?" not in got["extracted_html"]


def unkeyed(api: Api, inbox: str, text: str = "Once") -> str:
    return str(api.send(inbox, text=text)["message_id"])


def test_the_very_same_send_without_a_key_is_sent_again(api: Api, inbox: str) -> None:
    assert unkeyed(api, inbox) != unkeyed(api, inbox)


def test_where_the_settings_say_so_the_very_same_send_is_answered_as_the_first() -> None:
    with serving(api_key="k" * 20, same_send_seconds=60) as server:
        one = server.of("k" * 20)
        inbox, other = one.inbox(), server.of(one.good("POST", "/v0/api-keys", {})["api_key"])
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(unkeyed, server.of("k" * 20), inbox) for _ in range(4)]
        (first,) = {call.result() for call in calls}
        others = [unkeyed(other, inbox), unkeyed(one, inbox, "Twice"), unkeyed(one, one.inbox())]
        assert len({first, *others}) == 4
        server.runner.clock.advance(timedelta(seconds=61))
        assert unkeyed(one, inbox) not in (first, *others)


def test_the_very_same_send_is_sent_again_once_the_first_was_taken_back() -> None:
    with serving(api_key="k" * 20, same_send_seconds=60) as server:
        api = server.of("k" * 20)
        inbox = api.inbox()
        first, same = (api.send(inbox, text="Once", send_at=LATER)["message_id"] for _ in "12")
        assert first == same
        api.good("POST", path(inbox, first, "/cancel"))
        again, same = (api.send(inbox, text="Once", send_at=LATER)["message_id"] for _ in "12")
        assert again == same
        assert same != first


def test_what_cannot_be_answered_is_not_stored_either() -> None:
    """A caller that hears of a failure sends again: nothing of the first time may go out."""
    with serving() as api:
        inbox, store = api.inbox(), api.runner.kit.runtime.store

        def rename(tx: Tx, old: str, new: str) -> None:
            tx.connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")

        api.runner.call(store.write, rename, "inboxkit_label", "gone")  # what every reading needs
        assert send(api, inbox, "first").status == 503
        api.runner.call(store.write, rename, "gone", "inboxkit_label")
        assert api.good("GET", f"/v0/inboxes/{inbox}/messages")["count"] == 0
        sent = send(api, inbox, "first")
        assert sent.status == 200
        assert api.good("GET", f"/v0/inboxes/{inbox}/messages")["count"] == 1


def test_an_inbox_that_was_paused_sends_again_under_the_same_key(api: Api, inbox: str) -> None:
    api.good("PATCH", f"/v0/inboxes/{inbox}", {"status": "paused"})
    assert send(api, inbox, "paused").code == "inbox_paused"
    api.good("PATCH", f"/v0/inboxes/{inbox}", {"status": "active"})
    assert send(api, inbox, "paused").status == 200


def test_who_is_suppressed_is_not_written_to(api: Api, inbox: str) -> None:
    store = api.runner.kit.runtime.store
    now = store.clock.now()
    api.runner.call(store.write, suppressions.add, "gone@example.com", reason="bounced", now=now)
    api.good("POST", "/v0/suppressions", {"address": "gone@b\xfccher.example"})
    for to in ("gone@example.com", "gone@b\xfccher.example", "gone@xn--bcher-kva.example"):
        answer = api.ask("POST", f"/v0/inboxes/{inbox}/messages/send", {"to": to})
        assert (answer.status, answer.code) == (403, "suppressed")


def test_no_body_and_no_key_reaches_the_log(api: Api, inbox: str, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    send(api.of("canary-key"), inbox, "canary-idempotency", "canary-text")
    api.ask("POST", f"/v0/inboxes/{inbox}/messages/send", {"to": "canary@", "text": "canary-text"})
    logged = json.dumps([r.getMessage() for r in caplog.records if r.name.startswith("inboxkit")])
    assert "canary" not in logged


def test_who_may_not_read_a_message_has_nobody_else_read_it() -> None:
    with serving(api_key="k" * 20) as server:
        admin = server.of("k" * 20)
        inbox = admin.inbox()
        came = admin.arrive(inbox, "Only for us")
        own = {"permissions": {"message_send": True}}
        sender = server.of(admin.good("POST", "/v0/api-keys", own)["api_key"])
        eve = {"to": "eve@evil.example", "text": "Look"}
        resend = f"/v3/domains/inbox.example/messages/{came.id}"
        for answer in (
            sender.ask("POST", path(inbox, came, "/forward"), eve),
            sender.ask("POST", path(inbox, came, "/reply"), eve),
            sender.ask("POST", path(inbox, came, "/reply"), {"bcc": eve["to"], "text": "Look"}),
            sender.ask("POST", resend, {"to": eve["to"]}),
        ):
            assert (answer.status, "message_read" in str(answer.json)) == (403, True)
        assert sender.ask("POST", path(inbox, came, "/reply"), {"text": "Thanks"}).status == 200

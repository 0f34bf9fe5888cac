"""What clients get wrong: one envelope, the right status, nothing stored, nothing in the log."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from .api import Api, path, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

DESK = "desk@inbox.example"
INBOX = f"/v0/inboxes/{DESK}"
SEND = f"{INBOX}/messages/send"
DEEP = b'{"metadata":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as running:
        running.inbox(username="desk")
        yield running


def to(**more: Any) -> dict[str, Any]:
    return {"to": "ann@example.com", "text": "Hi", **more}


CASES: dict[str, tuple[str, str, Any, int, str]] = {
    "no such route": ("GET", "/v0/calendar", None, 404, "not_found"),
    "no such deeper route": ("GET", f"{INBOX}/files", None, 404, "not_found"),
    "wrong method": ("PUT", INBOX, {}, 405, "method_not_allowed"),
    "no such inbox": ("GET", "/v0/inboxes/x@inbox.example", None, 404, "not_found"),
    "no inbox at all": ("GET", "/v0/inboxes/%00", None, 404, "not_found"),
    "a line break in a path": ("GET", "/v0/pods/%0A/inboxes", None, 404, "not_found"),
    "bad escapes": ("GET", "/v0/inboxes/%zz%ff%", None, 404, "not_found"),
    "no such message": ("GET", path(DESK, "<x@y>"), None, 404, "not_found"),
    "another kind of id": ("GET", "/v0/threads/msg_0000000000001", None, 404, "not_found"),
    "half an id": ("GET", "/v0/threads/thd_", None, 404, "not_found"),
    "a huge id": ("GET", f"/v0/threads/thd_{'z' * 30}", None, 404, "not_found"),
    "no JSON": ("POST", "/v0/inboxes", b"{", 400, "validation_error"),
    "not UTF-8": ("POST", "/v0/inboxes", b'{"username":"\xff"}', 400, "validation_error"),
    "half a surrogate": ("POST", "/v0/inboxes", b'{"username":"\\ud800"}', 400, "validation_error"),
    "a list": ("POST", "/v0/inboxes", [], 400, "validation_error"),
    "deep JSON": ("POST", "/v0/inboxes", DEEP, 400, "validation_error"),
    "not a number": ("POST", "/v0/inboxes", b'{"metadata":{"a":NaN}}', 400, "validation_error"),
    "NUL": ("POST", "/v0/inboxes", {"display_name": "a\0b"}, 400, "validation_error"),
    "a line break": ("POST", "/v0/inboxes", {"display_name": "a\nb"}, 400, "validation_error"),
    "a wrong type": ("POST", "/v0/inboxes", {"username": 5}, 400, "validation_error"),
    "no address": ("POST", "/v0/inboxes", {"username": "a b"}, 400, "validation_error"),
    "a bad client id": ("POST", "/v0/inboxes", {"client_id": "a@b"}, 400, "validation_error"),
    "taken": ("POST", "/v0/inboxes", {"username": "desk"}, 403, "resource_taken"),
    "nothing to change": ("PATCH", INBOX, {}, 400, "validation_error"),
    "empty metadata": ("PATCH", INBOX, {"metadata": {}}, 400, "validation_error"),
    "a limit of none": ("GET", "/v0/inboxes?limit=0", None, 400, "validation_error"),
    "a limit too high": ("GET", "/v0/inboxes?limit=501", None, 400, "validation_error"),
    "a token of nobody": ("GET", "/v0/inboxes?page_token=abc", None, 400, "validation_error"),
    "an odd token": ("GET", "/v0/inboxes?page_token=%C3%A9", None, 400, "validation_error"),
    "a bad moment": ("GET", f"{INBOX}/messages?before=soon", None, 400, "validation_error"),
    "a year too far": (
        "GET",
        f"{INBOX}/messages?before=9999-12-31T23:59:59-05:00",
        None,
        400,
        "validation_error",
    ),
    "a bad query": ("GET", f"{INBOX}/messages/search?q=form:ann", None, 400, "validation_error"),
    "no word": ("GET", f"{INBOX}/messages/search?q=!!!", None, 400, "validation_error"),
    "no query": ("GET", f"{INBOX}/messages/search", None, 400, "validation_error"),
    "no recipient": ("POST", SEND, {"text": "Hi"}, 400, "validation_error"),
    "a bad recipient": ("POST", SEND, to(to="nobody"), 400, "validation_error"),
    "a bad header": ("POST", SEND, to(headers={"X: y": "z"}), 400, "validation_error"),
    "a second header": (
        "POST",
        SEND,
        to(headers={"X-A": "a\r\nBcc: b"}),
        400,
        "validation_error",
    ),
    "no base64": ("POST", SEND, to(attachments=[{"content": "*"}]), 400, "validation_error"),
    "two sources": (
        "POST",
        SEND,
        to(attachments=[{"content": "aa==", "url": "https://example.com/a"}]),
        400,
        "validation_error",
    ),
    "a file elsewhere": (
        "POST",
        SEND,
        to(attachments=[{"url": "http://169.254.169.254/"}]),
        422,
        "unprocessable",
    ),
    "no ids": ("POST", f"{INBOX}/messages/batch-get", {"message_ids": []}, 400, "validation_error"),
    "51 ids": (
        "POST",
        f"{INBOX}/messages/batch-update",
        {"message_ids": ["x"] * 51, "add_labels": "a"},
        400,
        "validation_error",
    ),
    "the last pod": ("DELETE", "/v0/pods/pod_default", None, 409, "cannot_delete"),
    "too much": ("POST", "/v0/inboxes", b" " * (1024 * 1024 + 1), 413, "payload_too_large"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_mistakes_are_told_in_one_form(
    api: Api, caplog: pytest.LogCaptureFixture, case: tuple[str, str, Any, int, str]
) -> None:
    caplog.set_level(logging.INFO)
    method, target, body, status, code = case
    answer = api.ask(method, target, body)
    assert (answer.status, answer.code) == (status, code), answer
    assert {"name", "message", "fix", "docs"} <= set(answer.json)
    assert bool(answer.json.get("errors")) is (code == "validation_error")
    warned = [r for r in caplog.records if r.levelno >= logging.WARNING]
    # A machine that is busy elsewhere makes the loop stand still.
    assert [r.message for r in warned if r.name != "inboxkit.watchdog"] == []


@pytest.mark.parametrize(
    ("target", "body", "where"),
    [
        (SEND, to(cc="nobody"), ["cc"]),
        (SEND, to(reply_to=["a@b.cc", "no one"]), ["reply_to"]),
        (SEND, to(attachments=[{"content": "*"}]), ["attachments", 0]),
        (SEND, to(to=["a@b.cc", 7]), ["to", 1]),
        (f"{INBOX}/drafts", to(bcc="nobody"), ["bcc"]),
        (SEND, to(labels=["offer", "bounced"]), ["labels"]),
        ("/v0/domains", {"domain": "no domain"}, ["domain"]),
        ("/v0/inboxes", {"metadata": {"a": {"b": 1}}}, ["metadata", "a"]),
        ("/v0/inboxes", {"metadata": {"a": "\0"}}, ["metadata", "a"]),
        (SEND, to(headers={"Subject": "x"}), []),
    ],
    ids=str,
)
def test_the_field_that_is_wrong_is_named(api: Api, target: str, body: Any, where: Any) -> None:
    (error,) = api.ask("POST", target, body).json["errors"]
    assert error["path"] == where
    assert "postmaster" not in error["message"]


def test_what_was_refused_has_left_nothing(api: Api) -> None:
    assert api.good("GET", f"{INBOX}/messages")["count"] == 0
    assert api.good("GET", "/v0/inboxes")["count"] == 1


def test_a_very_long_question_is_answered_in_the_envelope(api: Api) -> None:
    ids = "&".join(f"ids=msg_{number:013}" for number in range(500))
    assert len(ids) > 8_190  # the longest line that aiohttp takes, unless it is told another
    assert api.ask("GET", f"/v0/messages?{ids}").json["errors"][0]["path"] == ["ids"]


KEY = "k" * 20
MAILGUN = "/v3/inbox.example/messages"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_MAIL = b"from=desk%40inbox.example&to=ann%40example.com&text=x"
_SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
HEADERS: dict[str, tuple[str, str, Any, dict[str, str]]] = {
    "the key of a send": ("POST", SEND, to(), {"Idempotency-Key": "\xff"}),
    "that of Mailgun's": (
        "POST",
        "/v3/inbox.example/messages",
        _MAIL,
        _FORM | {"Idempotency-Key": "\xff"},
    ),
    "a socket's key": ("GET", "/v0", None, _SOCKET | {"Sec-WebSocket-Key": "\xff"}),
    "its version": ("GET", "/v0", None, _SOCKET | {"Sec-WebSocket-Version": "\xff"}),
}


@pytest.fixture(scope="module")
def keyed() -> Iterator[Api]:
    with serving(api_key=KEY) as running:
        running.of(KEY).inbox(username="desk")
        yield running.of(KEY)


@pytest.mark.parametrize(("method", "target", "body", "headers"), HEADERS.values(), ids=HEADERS)
def test_a_header_that_is_no_text_is_refused(
    keyed: Api, method: str, target: str, body: Any, headers: dict[str, str]
) -> None:
    answer = keyed.ask(method, target, body, headers)
    assert answer.status == 400
    assert b"is not UTF-8" in answer.body or b"is not ASCII" in answer.body


def test_a_wrong_method_is_told_the_right_ones(api: Api) -> None:
    assert api.ask("PUT", INBOX).headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"


def test_a_word_of_a_route_is_nobodys_id(api: Api) -> None:
    answer = api.ask("DELETE", "/v0/inboxes/search")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_a_form_is_no_json(api: Api) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = api.ask("POST", "/v0/inboxes", b"username=a", headers)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("body", [None, b"", b"null", b" \n"], ids=repr)
def test_a_body_may_be_absent(api: Api, body: bytes | None) -> None:
    assert api.ask("POST", "/v0/inboxes", body).status == 200


def test_field_errors_name_their_place(api: Api) -> None:
    answer = api.ask("POST", SEND, to(attachments=[{"filename": "a"}, {"content": "aa=="}]))
    assert answer.json["errors"][0]["path"] == ["attachments", 0]
    assert "exactly one" in answer.json["message"]


def test_head_is_get_without_its_body(api: Api) -> None:
    answer = api.ask("HEAD", INBOX)
    assert (answer.status, answer.body) == (200, b"")


def test_what_is_no_http_is_refused_in_silence(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    where = urlsplit(api.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=30) as line:
        line.sendall(b"GET /v0/inboxes HTTP/1.1\r\nHost: localhost\r\nBad\x00Header: a\r\n\r\n")
        assert b" 400 " in line.recv(1_000).splitlines()[0]
    assert [r for r in caplog.records if r.exc_info or r.levelno >= logging.ERROR] == []


def test_a_failing_database_is_told_without_its_words(api: Api) -> None:
    runtime = api.runner.kit.runtime

    def break_(tx: Any) -> None:
        tx.connection.exec_driver_sql("ALTER TABLE inboxkit_pod RENAME TO inboxkit_lost")

    def mend(tx: Any) -> None:
        tx.connection.exec_driver_sql("ALTER TABLE inboxkit_lost RENAME TO inboxkit_pod")

    api.runner.call(runtime.store.write, break_)
    answer = api.ask("GET", "/v0/pods")
    api.runner.call(runtime.store.write, mend)
    assert (answer.status, answer.code) == (503, "service_unavailable")
    assert "inboxkit_pod" not in answer.json["message"] and answer.headers["retry-after"]
    assert api.ask("GET", "/v0/pods").status == 200


def test_a_list_that_takes_too_long_is_told_what_to_do(api: Api) -> None:
    store = api.runner.kit.runtime.store

    def never_end(tx: Any) -> None:
        tx.connection.exec_driver_sql("ALTER TABLE inboxkit_pod RENAME TO inboxkit_lost")
        tx.connection.exec_driver_sql(
            "CREATE VIEW inboxkit_pod AS WITH RECURSIVE n(i) AS"
            " (SELECT 1 UNION ALL SELECT 1 FROM n)"
            " SELECT inboxkit_lost.* FROM inboxkit_lost, (SELECT count(*) FROM n)"
        )

    def mend(tx: Any) -> None:
        tx.connection.exec_driver_sql("DROP VIEW inboxkit_pod")
        tx.connection.exec_driver_sql("ALTER TABLE inboxkit_lost RENAME TO inboxkit_pod")

    usual, store.longest_query = store.longest_query, 0.05
    api.runner.call(store.write, never_end)
    answer = api.ask("GET", "/v0/pods")
    api.runner.call(store.write, mend)
    store.longest_query = usual
    assert (answer.status, answer.code) == (422, "unprocessable")
    assert "ask for less" in answer.json["message"]

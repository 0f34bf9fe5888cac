"""If-Match: what a caller has seen of a draft is changed, sent or deleted, and nothing newer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.egress import LOOPBACK

from .api import Answer, Api, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

MAIL: dict[str, Any] = {"to": "ann@example.com", "subject": "Hi", "text": "Hello"}
GONE_BY = {"PATCH": {"text": "Mine"}, "DELETE": None, "POST": {}}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(egress_networks=LOOPBACK) as running:
        yield running


@pytest.fixture
def inbox(api: Api) -> str:
    return api.inbox()


@pytest.fixture
def draft(api: Api, inbox: str) -> str:
    """Return the path of a new draft."""
    made = api.good("POST", f"/v0/inboxes/{inbox}/drafts", MAIL)
    return f"/v0/inboxes/{inbox}/drafts/{made['draft_id']}"


def version(api: Api, draft: str) -> str:
    return str(api.ask("GET", draft).headers["etag"])


def act(api: Api, method: str, draft: str, tag: str) -> Answer:
    target = f"{draft}/send" if method == "POST" else draft
    return api.ask(method, target, GONE_BY[method], {"If-Match": tag})


@contextmanager
def serving_file(meanwhile: Callable[[], object]) -> Generator[str]:
    """Serve a file once, and do something else before."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            meanwhile()
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/a.txt"
        thread.join(30)


def count_sent(api: Api, inbox: str) -> int:
    return int(api.good("GET", f"/v0/inboxes/{inbox}/messages?labels=sent")["count"])


def test_a_version_is_told_wherever_a_draft_is_answered(api: Api, inbox: str) -> None:
    made = api.ask("POST", f"/v0/inboxes/{inbox}/drafts", MAIL)
    target = f"/v0/inboxes/{inbox}/drafts/{made.json['draft_id']}"
    seen = api.ask("GET", f"/v0/drafts/{made.json['draft_id']}").headers["etag"]
    changed = api.ask("PATCH", target, {"text": "Other"})

    assert made.headers["etag"] == seen == f'"{seen.strip(chr(34))}"'
    assert changed.headers["etag"] == version(api, target) != seen
    assert api.ask("HEAD", target).headers["etag"] == changed.headers["etag"]


@pytest.mark.parametrize("method", GONE_BY)
def test_another_version_is_left_as_it_is(api: Api, inbox: str, draft: str, method: str) -> None:
    seen = version(api, draft)
    api.good("PATCH", draft, {"to": "eve@evil.example"})
    now = api.good("GET", draft)

    answer = act(api, method, draft, seen)

    assert (answer.status, answer.code) == (412, "precondition_failed")
    assert (api.good("GET", draft), count_sent(api, inbox)) == (now, 0)


@pytest.mark.parametrize("method", GONE_BY)
@pytest.mark.parametrize("form", ["{}", "*", '"x", {} ,W/"y"'])
def test_the_version_that_was_seen_is_dealt_with(
    api: Api, draft: str, method: str, form: str
) -> None:
    assert act(api, method, draft, form.format(version(api, draft))).status in (200, 204)


@pytest.mark.parametrize("form", ["W/{}", '"x"', '"*"', '"x", W/{}'])
def test_no_other_and_no_weak_version_is_the_same(api: Api, draft: str, form: str) -> None:
    assert act(api, "DELETE", draft, form.format(version(api, draft))).status == 412


def test_a_weak_version_is_refused_with_the_way_out(api: Api, draft: str) -> None:
    weak, other = (act(api, "DELETE", draft, f"W/{t}") for t in (version(api, draft), '"x"'))
    assert ("W/" in weak.json["fix"], "W/" in other.json["fix"]) == (True, False)


@pytest.mark.parametrize("bare", ["", "653e", "W/653e", '"a', '"a" b'])
def test_what_is_no_version_is_refused(api: Api, inbox: str, draft: str, bare: str) -> None:
    answer = act(api, "POST", draft, bare)

    assert (answer.status, answer.code) == (400, "validation_error")
    assert (answer.json["errors"][0]["path"], count_sent(api, inbox)) == (["If-Match"], 0)


def test_of_two_who_have_seen_the_same_one_is_first(api: Api, inbox: str, draft: str) -> None:
    seen = version(api, draft)
    others = [api.of("") for _ in range(6)]

    def change(number: int) -> int:
        asked: Mapping[str, Any] = {"subject": str(number)}
        return others[number].ask("PATCH", draft, asked, {"If-Match": seen}).status

    with ThreadPoolExecutor(6) as threads:
        statuses = sorted(threads.map(change, range(6)))

    assert statuses == [200, 412, 412, 412, 412, 412]


def test_what_changes_while_a_request_is_worked_on_counts_too(api: Api, draft: str) -> None:
    seen, other = version(api, draft), api.of("")
    with serving_file(lambda: other.good("PATCH", draft, {"subject": "Other"})) as url:
        asked = {"add_attachments": [{"url": url}], "subject": "Mine"}
        answer = api.ask("PATCH", draft, asked, {"If-Match": seen})

    assert (answer.status, answer.code) == (412, "precondition_failed")
    assert api.good("GET", draft)["subject"] == "Other"


def test_a_send_that_is_repeated_under_its_key_is_answered_as_before(api: Api, draft: str) -> None:
    head = {"If-Match": version(api, draft), "Idempotency-Key": draft}
    first = api.ask("POST", f"{draft}/send", {}, head)
    again = api.ask("POST", f"{draft}/send", {}, head)
    gone = api.ask("POST", f"{draft}/send", {}, {"If-Match": head["If-Match"]})

    assert (first.status, again.json) == (200, first.json)
    assert (gone.status, gone.code) == (404, "not_found")

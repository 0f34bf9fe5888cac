"""What answers say beside their body: kept by nobody, taken for nothing else, with what methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .api import Api, path, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "k" * 20
BOT = "bot@inbox.example"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key=KEY) as running:
        keyed = running.of(KEY)
        keyed.inbox(username="bot")
        yield keyed


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", f"/v0/inboxes/{BOT}", 200),
        ("HEAD", f"/v0/inboxes/{BOT}/messages", 200),
        ("POST", "/v0/inboxes", 200),
        ("GET", "/v0/inboxes/nobody@inbox.example", 404),
        ("PUT", "/v0/inboxes", 405),
        ("GET", "/v0", 404),
        ("GET", "/v0/webhooks", 200),
        ("GET", "/v3/inbox.example/events", 200),
        ("GET", "/v5/accounts/http_signing_key", 200),
        ("GET", "/v3/lists", 404),
        ("GET", "/metrics", 200),
        ("GET", "/download/x", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/webhooks/nobody", 404),
    ],
)
def test_nobody_keeps_an_answer(api: Api, method: str, target: str, status: int) -> None:
    answer = api.ask(method, target)

    assert answer.status == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]


def test_nobody_keeps_a_refusal_for_want_of_a_key(api: Api) -> None:
    answer = api.of("").ask("GET", "/v3/routes")

    assert (answer.status, answer.headers["cache-control"]) == (401, "no-store")
    assert answer.headers["www-authenticate"].startswith("Basic realm=")


def test_a_download_says_how_it_is_kept_by_itself(api: Api) -> None:
    came = api.arrive(BOT)
    url = str(api.good("GET", path(BOT, came, "/raw"))["download_url"])

    answer = api.of("").ask("GET", url.removeprefix(api.url))

    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("target", "methods"),
    [
        ("/v0/inboxes", "GET, HEAD, OPTIONS, POST"),
        (f"/v0/inboxes/{BOT}", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        (f"/v0/inboxes/{BOT}/messages/send", "OPTIONS, POST"),
        ("/v3/routes", "GET, HEAD, OPTIONS, POST"),
        ("/v3/inbox.example/messages", "OPTIONS, POST"),
    ],
)
def test_a_path_tells_its_methods(api: Api, target: str, methods: str) -> None:
    asked, wrong = api.ask("OPTIONS", target), api.ask("TRACE", target)

    assert (asked.status, asked.body, asked.headers["allow"]) == (204, b"", methods)
    assert "access-control-allow-origin" not in asked.headers  # no page of others may call
    assert (wrong.status, wrong.headers["allow"]) == (405, methods)


def test_a_path_that_is_not_there_has_no_methods(api: Api) -> None:
    assert api.ask("OPTIONS", "/v0/calendar").code == "not_found"
    assert api.ask("OPTIONS", "/v3/lists").status == 404

"""The stream that tells an open page of news: for whom, of what, and when it ends."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from .api import Api, serving
from .pages import SAFE, page
from .test_pages_access import ADMIN, cookie

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

NEWS = "/mail/news"
SECONDS = 30  # a read that takes longer fails


@pytest.fixture(scope="module")
def server() -> Iterator[Api]:
    with serving(api_key=ADMIN, http_pages=True) as api:
        yield api


@contextmanager
def listening(api: Api, **headers: str) -> Generator[HTTPResponse]:
    """Listen as a page does; what was said before is of no interest."""
    where = urlsplit(api.url)
    assert where.hostname is not None
    connection = HTTPConnection(where.hostname, where.port, timeout=SECONDS)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", NEWS, headers=sent)
        yield connection.getresponse()
    finally:
        connection.close()


def events(answer: HTTPResponse) -> Iterator[str]:
    """Iterate over the lines that say something, to the end of the stream."""
    for line in answer:
        if line.startswith(b"event:"):
            yield line.decode().strip()


def test_a_page_is_told_that_something_came(server: Api) -> None:
    admin = server.of(ADMIN)
    inbox = admin.inbox()
    with listening(server, Cookie=cookie(server, ADMIN)) as answer:
        assert (answer.status, answer.getheader("Content-Type")) == (200, "text/event-stream")
        assert {name: answer.getheader(name) for name in SAFE} == SAFE
        assert answer.readline() == b"retry: 5000\n"
        admin.arrive(inbox, subject="Nothing of it is told")
        assert next(events(answer)) == "event: news"
        assert answer.readline() == b"data: 1\n"


@pytest.mark.long
def test_who_may_not_see_it_is_not_told(server: Api) -> None:
    admin = server.of(ADMIN)
    ours, theirs = admin.inbox(), admin.inbox()
    made = admin.good("POST", f"/v0/inboxes/{ours}/api-keys", {})
    held = cookie(server, ADMIN), cookie(server, made["api_key"])
    with listening(server, Cookie=held[0]) as all, listening(server, Cookie=held[1]) as some:
        all.readline()
        some.readline()
        admin.arrive(theirs)
        assert next(events(all)) == "event: news"
        admin.good("DELETE", f"/v0/inboxes/{ours}/api-keys/{made['api_key_id']}")
        admin.arrive(theirs)
        assert list(events(some)) == []


def test_so_many_listen_and_no_more() -> None:
    with serving(api_key=ADMIN, http_pages=True) as api, ExitStack() as stack:
        keys = [api.of(ADMIN).good("POST", "/v0/api-keys", {})["api_key"] for _ in range(5)]
        *held, late = [cookie(api, key) for key in keys]
        pages = [stack.enter_context(listening(api, Cookie=c)) for c in held for _ in range(25)]
        assert {page.status for page in pages} == {200}
        answer = api.ask("GET", NEWS, headers={"Cookie": late})
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
        assert b"Too many pages" in answer.body


def test_nobody_listens_in_the_places_of_all() -> None:
    with serving(api_key=ADMIN, http_pages=True) as api, ExitStack() as stack:
        made = api.of(ADMIN).good("POST", "/v0/api-keys", {})
        greedy, other = cookie(api, made["api_key"]), cookie(api, ADMIN)
        pages = [stack.enter_context(listening(api, Cookie=greedy)) for _ in range(25)]
        assert {page.status for page in pages} == {200}
        answer = api.ask("GET", NEWS, headers={"Cookie": greedy})
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
        assert b"25 pages are open with this key" in answer.body
        with listening(api, Cookie=other) as admitted:
            assert admitted.status == 200


def test_it_is_refused_to_others(server: Api) -> None:
    admin = server.of(ADMIN)
    blind = admin.good("POST", "/v0/api-keys", {"permissions": {"inbox_read": True}})["api_key"]
    held = {"Cookie": cookie(server, ADMIN)}
    asked: list[dict[str, str]] = [
        {},
        held | {"Origin": "https://evil.example"},
        held | {"Sec-Fetch-Site": "cross-site"},
        {"Cookie": cookie(server, blind)},
    ]
    answers = [server.ask("GET", NEWS, headers=headers) for headers in asked]
    assert [answer.status for answer in answers] == [401, 403, 403, 403]
    assert all(page(answer) for answer in answers)


def test_for_head_there_is_no_stream(server: Api) -> None:
    assert server.ask("HEAD", NEWS).status == 405


def test_it_ends_with_the_key(server: Api) -> None:
    admin = server.of(ADMIN)
    made = admin.good("POST", "/v0/api-keys", {})
    inbox = admin.inbox()
    with listening(server, Cookie=cookie(server, made["api_key"])) as answer:
        answer.readline()
        admin.good("DELETE", f"/v0/api-keys/{made['api_key_id']}")
        admin.arrive(inbox)
        assert list(events(answer)) == []


def test_it_ends_with_the_server() -> None:
    with serving(http_pages=True) as api, listening(api) as answer:
        answer.readline()
        api.runner.stop()
        assert list(events(answer)) == []

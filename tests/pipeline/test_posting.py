"""What an answer to a post means: whether it was taken, and what pause is asked for."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import pytest

from inboxkit.egress import Guard
from inboxkit.pipeline.posting import Poster, pause
from tests.http.receiver import receiving

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PAUSES = {
    "seconds": ("120", timedelta(minutes=2)),
    "a date": ("Fri, 02 Jan 2026 04:04:05 GMT", timedelta(hours=1)),
    "a date without a zone": ("Fri, 02 Jan 2026 04:04:05", timedelta(hours=1)),
    "too long": ("999999", timedelta(hours=10)),
    "far too long": ("9" * 5_000, timedelta(hours=10)),
    "a far date": ("Fri, 02 Jan 2099 03:04:05 GMT", timedelta(hours=10)),
    "the past": ("Fri, 02 Jan 2015 03:04:05 GMT", timedelta(0)),
    "nothing": ("", timedelta(0)),
    "less than nothing": ("-5", timedelta(0)),
    "words": ("soon", timedelta(0)),
    "other digits": ("١٢", timedelta(0)),
}


@pytest.mark.parametrize(("header", "expected"), PAUSES.values(), ids=PAUSES)
def test_the_pause_that_a_receiver_asks_for(header: str, expected: timedelta) -> None:
    assert pause(header, NOW) == expected


@pytest.mark.parametrize(
    ("url", "blocked"),
    [
        ("http://127.0.0.1:9/", True),
        ("http://localhost:9/", True),
        ("ftp://shop.example/", True),
        ("http://[::1", True),
    ],
)
async def test_where_no_post_may_go_is_told_apart(url: str, blocked: bool) -> None:
    poster = Poster(Guard())
    answer = await poster.post(url, b"", {}, NOW)
    await poster.close()
    assert (answer.status, answer.blocked, bool(answer.error)) == (0, blocked, True)


async def test_a_name_that_leads_here_is_not_posted_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def here(_host: str, port: int, *_more: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", here)
    poster = Poster(Guard())
    with receiving() as receiver:
        url = f"http://hook.example:{receiver.server_port}/"
        answer = await poster.post(url, b"", {}, NOW)
        assert receiver.posts.empty()
    await poster.close()
    assert (answer.status, answer.blocked) == (0, True)


async def test_nobody_there_is_no_reason_to_give_up() -> None:
    poster = Poster(Guard(("127.0.0.0/8",)))
    answer = await poster.post("http://127.0.0.1:9/", b"", {}, NOW)
    await poster.close()
    assert (answer.status, answer.blocked, answer.is_good) == (0, False, False)


async def test_what_a_receiver_answers_is_told_apart() -> None:
    poster, minute = Poster(Guard(("127.0.0.0/8",))), timedelta(minutes=1)
    with receiving() as receiver:
        receiver.statuses, receiver.retry_after = [200, 302, 429, 503, 500], "60"
        answers = [await poster.post(receiver.url, b"", {}, NOW) for _ in range(5)]
        assert receiver.posts.qsize() == 5  # no redirect was followed
    await poster.close()
    assert [(one.is_good, one.pause) for one in answers] == [
        (True, timedelta(0)),
        (False, timedelta(0)),
        (False, minute),
        (False, minute),
        (False, timedelta(0)),
    ]

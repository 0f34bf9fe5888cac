"""``listen``: events as they happen, posted as webhooks to a program on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from inboxkit.webhooks import verify

from .conftest import KEY
from .processes import Process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.http.api import Api
    from tests.http.receiver import Receiver

    from .conftest import Command

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAAAAAAAA"
ADDRESS = "hooks@inbox.example"
RECEIVED = "message.received"


def listening(folder: Path, api: Api, *arguments: str) -> Process:
    """Listen at the server of this test, from now on."""
    before = ("--url", api.url, "--set", f"api_key={KEY}")
    process = Process(folder, *before, "listen", *arguments)
    process.line("listening" if "--forward-to" not in arguments else "forwarding", "err")
    return process


def test_a_local_program_gets_what_a_webhook_would(
    tmp_path: Path, api: Api, receiver: Receiver
) -> None:
    flags = ("--forward-to", receiver.url, "--secret", SECRET, "--event", RECEIVED)
    with listening(tmp_path, api, *flags) as process:
        message = api.arrive(ADDRESS, "Your code is 482913.")
        post = receiver.next()
        line = process.line(message.id)
    event = verify(post.body, post.headers, SECRET)
    assert (event.type, event.data["message"]["inboxkit"]["otp"]) == (RECEIVED, "482913")
    assert line.split("\t") == [event.id, RECEIVED, message.id, "ann@example.com", "200"]
    (told,) = api.good("GET", f"/v0/events?after=start&event_types={RECEIVED}")["events"][-1:]
    assert event.data == told


def test_what_is_not_taken_is_named_and_the_next_is_posted(
    tmp_path: Path, api: Api, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    flags = ("--forward-to", receiver.url, "--event", RECEIVED, "--json")
    with listening(tmp_path, api, *flags) as process:
        for _ in range(2):
            api.arrive(ADDRESS)
        said = [json.loads(process.line(RECEIVED))["forwarded"] for _ in range(2)]
    assert said == ["answered 500", "200"]


def test_only_the_inboxes_that_are_named_are_listened_to(tmp_path: Path, api: Api) -> None:
    api.arrive(ADDRESS)
    with listening(tmp_path, api, "--inbox", ADDRESS) as process:
        api.arrive("other@inbox.example")
        wanted = api.arrive(ADDRESS)
        assert process.line(RECEIVED).split("\t")[2] == wanted.id


def test_events_of_a_database_are_listened_to_without_a_server(inboxkit: Command) -> None:
    with Process(inboxkit.folder, "listen", "--after", "start") as process:
        inboxkit("send", "--from", ADDRESS, "--to", "b@x.org", "--text", "x")
        assert process.line("message.sent").split("\t")[3:] == ["b@x.org", ""]


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("--forward-to", "localhost:3000"), 2, "no HTTP URL"),
        (("--forward-to", "http://localhost:3000", "--secret", "short"), 2, "whsec_"),
        (("--event", "received"), 2, "message.received"),
        (("--inbox", "nobody@inbox.example"), 3, "nobody@inbox.example"),
    ],
    ids=["no URL", "bad secret", "unknown type", "no inbox"],
)
def test_what_cannot_be_listened_to_is_said(
    there: Command, flags: tuple[str, ...], code: int, words: str
) -> None:
    done = there("listen", *flags)
    assert done.code == code and words in done.err

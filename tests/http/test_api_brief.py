"""What the API reads of messages that it only lists: no HTML, which may be megabytes of each."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from .api import Api, serving

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from sqlalchemy import Engine

HTML = b"Subject: Hi\r\nMessage-ID: <%b@x>\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n"
BODIES = ("inboxkit_content.html", "inboxkit_content.reply_html")
# PostgreSQL is asked by the same statements.
pytestmark = pytest.mark.sqlite


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


@contextmanager
def bodies(api: Api) -> Generator[list[str]]:
    """Collect the statements that read HTML."""
    engine: Engine = api.runner.kit.runtime.store.database.reader
    found: list[str] = []

    def note(_c: Any, _k: Any, statement: str, values: Any, _x: Any, _m: Any) -> None:
        if any(name in statement for name in BODIES) and values[0] != "[]":  # of no message
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("asked", ["kind=otp", "sender=nobody@b.example", "reply_to={}"])
def test_a_wait_that_ends_reads_no_html_of_what_came(api: Api, asked: str) -> None:
    inbox = api.inbox()
    sent = api.send(inbox)["message_id"]
    first, last = (api.taken(HTML % name, inbox) for name in (b"1", b"2"))
    target = f"/v0/inboxes/{inbox}/wait?timeout=0&{asked.format(sent)}"
    with bodies(api) as read:
        late = api.good("GET", target)
    assert [one["inboxkit"]["id"] for one in late["arrived"]] == [last.id, first.id]
    # Once, of the send whose reply is waited for.
    assert len(read) == ("reply_to" in asked)
    with bodies(api) as read:
        whole = api.good("GET", f"{target}&whole=true")["arrived_whole"]
    assert all("<p>Hello</p>" in one["html"] for one in whole) and read


def test_lists_read_no_html(api: Api) -> None:
    inbox = api.inbox()
    sent = api.taken(HTML % b"5", inbox)
    place = f"/v0/inboxes/{inbox}/messages"
    with bodies(api) as read:
        (listed,) = api.good("GET", place)["messages"]
        got = api.good("POST", f"{place}/batch-get", {"message_ids": [sent.message_id]})
    assert (got["messages"], listed["preview"], read) == ([listed], "Hello", [])


def test_of_many_messages_the_one_that_is_wanted_is_returned_whole(api: Api) -> None:
    inbox = api.inbox()
    for name in (b"3", b"4"):
        api.taken(HTML % name, inbox)
    found = api.good("GET", f"/v0/inboxes/{inbox}/wait?timeout=0&subject=Hi")
    assert "<p>Hello</p>" in found["message"]["html"]


def test_brief_events_read_no_message_and_leave_out_deleted_ones(api: Api) -> None:
    begin = api.good("GET", "/v0/events")["cursor"]
    inbox = api.inbox()
    gone, last = (api.taken(HTML % name, inbox) for name in (b"3", b"4"))
    api.good("DELETE", f"/v0/inboxes/{inbox}/messages/{gone.id}")
    with bodies(api) as read:
        (told,) = api.good("GET", f"/v0/events?after={begin}&brief=true")["events"]
    assert (told["event_type"], told["inboxkit"]["id"]) == ("message.received", last.id)
    assert "message" not in told and "thread" not in told and not read

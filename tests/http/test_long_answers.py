"""Answers with long words: read and written in a thread, and in pieces; others go on meanwhile."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest
from aiohttp import payload, web

from inboxkit import drafting
from inboxkit.http.api import messages
from inboxkit.http.api.app import in_pieces, written
from inboxkit.http.api.schemas.messages import Extra, Message
from inboxkit.http.api.schemas.threads import Thread
from inboxkit.http.mailgun.app import made
from inboxkit.store import records
from inboxkit.tokens import row_id
from inboxkit.values import Address, Draft
from tests.mails import DESK, arrive
from tests.profiled import called

from .api import path, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxkit import InboxKit

    from .api import Api

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LONG = "word " * 20_000
TIMES: dict[str, Any] = {"timestamp": NOW, "updated_at": NOW, "created_at": NOW}
EXTRA = Extra(id="msg_1", direction="inbound", kind="message", state="parsed", participant=True)


class Noted(Message):
    """A message that notes in which threads it is written."""

    threads: ClassVar[set[int]] = set()

    def dumped(self) -> bytes:
        self.threads.add(threading.get_ident())
        return super().dumped()


class Parent(SimpleNamespace):
    """A message that notes in which threads its sender is asked for."""

    threads: ClassVar[set[int]] = set()
    date = received_at = NOW

    @property
    def sender(self) -> Address:
        self.threads.add(threading.get_ident())
        return Address("ann@example.com")


def of(text: str) -> Noted:
    given: dict[str, Any] = {"inbox_id": "bot@inbox.example", "thread_id": "thd_1", "size": 1}
    given |= {"message_id": "<1@example.com>", "from": "ann@example.com", "to": [], "labels": []}
    return Noted(**given, **TIMES, inboxkit=EXTRA, text=text)


def aside(threads: set[int]) -> bool:
    """Whether something was done in another thread, and nothing in this one."""
    return bool(threads) and threading.get_ident() not in threads


@pytest.fixture(scope="module")
def server() -> Iterator[Api]:
    with serving() as running:
        yield running


@pytest.mark.parametrize(("text", "is_aside"), [("Hello", False), (LONG, True)])
async def test_an_answer_with_long_words_is_written_in_a_thread(
    text: str, *, is_aside: bool
) -> None:
    Noted.threads.clear()
    assert json.loads(await written(of(text)))["text"] == text
    assert aside(Noted.threads) == is_aside


@pytest.mark.parametrize(("text", "is_here"), [("Hello", True), (LONG, False)])
async def test_a_long_mail_of_mailguns_api_is_written_in_a_thread(
    text: str, *, is_here: bool
) -> None:
    with called("call") as names:
        answer = await made({"body-plain": text})
    assert json.loads(cast("bytes", answer.body)) == {"body-plain": text}
    assert ("dumps" in names) == is_here


def test_a_long_answer_is_handed_to_its_connection_in_pieces() -> None:
    short, long = (in_pieces(web.Response(body=bytes(size))).body for size in (1_000, 1_000_000))
    assert short == bytes(1_000)
    assert isinstance(long, payload.BytesIOPayload)


@pytest.mark.parametrize(("text", "is_here"), [("Hello", True), (LONG, False)])
async def test_the_new_words_of_a_long_reply_are_found_in_a_thread(
    kit: InboxKit, text: str, *, is_here: bool
) -> None:
    await kit.inbox(DESK)
    sent = await (await arrive(kit)).reply(text)
    runtime = kit.runtime
    found = await runtime.store.read(records.shown, [row_id("msg", sent.id)], runtime.actions)
    with called("call") as names:
        [made] = await messages.worded(found)
    assert (str(made.extracted_text).strip(), made.text) == (text.strip(), text)
    assert ("split_reply" in names) == is_here


def test_a_thread_is_written_a_message_at_a_time() -> None:
    thread = Thread.model_construct(
        inbox_id="a", thread_id="b", messages=[of(LONG), of("Hello")], count=2, **TIMES
    )
    pieces = list(thread.pieces())
    assert json.loads(b"".join(pieces)) == json.loads(thread.dumped())
    assert max(map(len, pieces)) < len(LONG) + 1_000
    assert thread.characters() > len(LONG)


@pytest.mark.parametrize(("text", "is_aside"), [("Hello", False), (LONG, True)])
async def test_a_long_text_is_quoted_in_a_thread(text: str, *, is_aside: bool) -> None:
    Parent.threads.clear()
    draft = await drafting.quoted_below(Draft(text="Yes"), cast("Any", Parent(text=text)))
    assert draft.text.startswith("Yes\n\nOn ")
    assert aside(Parent.threads) == is_aside


def test_a_long_reply_is_answered_as_it_is(server: Api) -> None:
    inbox = server.inbox()
    parent = server.arrive(inbox, LONG)
    asked = {"text": f"Yes.\n\n{'more ' * 200_000}", "inboxkit": {"quote": True}}
    sent = server.good("POST", path(inbox, parent, "/reply"), asked)
    found = server.good("GET", path(inbox, sent["message_id"]))
    assert found["text"].startswith(asked["text"])
    assert found["extracted_text"].strip() == str(asked["text"]).strip()
    thread = server.good("GET", f"/v0/threads/{sent['thread_id']}")
    assert [len(m["text"]) > len(LONG) // 2 for m in thread["messages"]] == [True, True]

"""Inboxes and their waits: what they cannot be asked for is refused by name."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import ConfigurationError, InboxKit, Message
from inboxkit.client import Client

from .mails import DESK, arrive

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NAIVE = datetime(2026, 1, 31)
HALF = "a\udcff"  # as os.listdir returns a name that is no UTF-8
ASKED: list[tuple[dict[str, Any], str]] = [
    ({"address": 3}, r"address=3 must be a text \(str\)"),
    ({"display_name": b"Desk"}, "display_name=b'Desk' must be a text"),
    ({"client_id": 3}, "client_id=3 must be a text"),
    ({"client_id": HALF}, "client_id=.*: it holds half a character"),
    ({"metadata": "made"}, "metadata='made' must be a mapping"),
    ({"metadata": {"made": math.nan}}, "metadata is no JSON: "),
    ({"metadata": {"made": NAIVE}}, "metadata is no JSON: .*datetime"),
    ({"since": "1h"}, "since='1h' must be a datetime with its zone, or a timedelta"),
    ({"since": timedelta.max}, "since=.* or a timedelta under 100 years"),
    ({"since": NAIVE}, "since=2026-01-31 00:00:00 has no time zone"),
]
OF_A_KIT: list[tuple[dict[str, Any], str]] = [
    ({"aliases": [3]}, r"aliases=3 must be a text \(str\)"),
    ({"aliases": HALF}, "aliases=.*: it holds half a character"),
    ({"expires": 3}, "expires=3 must be a timedelta above 0"),
    ({"expires": timedelta.max}, "expires=.* must be a timedelta above 0 and under 100 years"),
    ({"expires": timedelta(hours=-1)}, "expires=.* must be a timedelta above 0"),
]


@pytest.mark.parametrize(("given", "said"), [*ASKED, *OF_A_KIT], ids=lambda value: str(value)[:25])
async def test_what_an_inbox_cannot_be_asked_for_is_named(
    kit: InboxKit, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"inbox: {said}"):
        await kit.inbox(**given)


@pytest.mark.parametrize(("given", "said"), ASKED, ids=lambda value: str(value)[:25])
def test_a_client_names_it_before_a_server_is_asked(given: dict[str, Any], said: str) -> None:
    with (
        Client("http://127.0.0.1:1") as client,
        pytest.raises(ConfigurationError, match=f"inbox: {said}"),
    ):
        client.inbox(**given)


async def test_one_alias_needs_no_list(kit: InboxKit) -> None:
    await kit.inbox(DESK, aliases="help@inbox.example")
    assert (await arrive(kit, to="help@inbox.example")).inbox == DESK


@pytest.mark.parametrize(
    "given", [{"mail_from": 3}, {"mail_from": HALF}, {"rcpt_to": HALF}], ids=str
)
async def test_mail_is_received_under_names_that_can_be_stored(
    kit: InboxKit, given: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {"mail_from": "a@b.example", "rcpt_to": DESK}
    with pytest.raises(ConfigurationError, match=f"receive: {next(iter(given))}="):
        await kit.receive(b"Subject: Hi\r\n\r\nHi", **asked | given)


ODD: dict[str, Callable[[Any, Any], Awaitable[object]]] = {
    "a query of half a character": lambda kit, _: anext(kit.search(f"x@{HALF}")),
    "a query that is none": lambda kit, _: anext(kit.search(3)),
    "a limit that is none": lambda kit, _: anext(kit.search("", limit="3")),
    "a place that is none": lambda kit, _: anext(kit.events(after=3)),
    "a label of half a character": lambda _, got: got.label(add=HALF),
    "a label that is none": lambda _, got: got.label(add=[3]),
    "labels that are none": lambda _, got: got.label(remove=3),
    "a wait of text": lambda _, got: got.wait_for_reply(timeout="3"),
    "a wait of no number": lambda _, got: got.wait_for_reply(timeout=math.nan),
}


@pytest.mark.parametrize("ask", ODD.values(), ids=ODD)
async def test_what_cannot_be_asked_is_refused(kit: InboxKit, ask: Any) -> None:
    await kit.inbox(DESK)
    got = await arrive(kit)
    with pytest.raises(ConfigurationError):
        await ask(kit, got)


@pytest.mark.parametrize("given", [5, [], [None]], ids=str)
async def test_mail_is_received_for_somebody(kit: InboxKit, given: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"receive: rcpt_to=.* must be one address or more"
    ):
        await kit.receive(b"Subject: Hi\r\n\r\nHi", mail_from="a@b.example", rcpt_to=given)


async def judge(message: Message) -> bool:
    return bool(message)


WAITS: list[tuple[str, dict[str, Any], str]] = [
    ("message", {"sender": 3}, 'sender=3 must be a glob such as "support@'),
    ("otp", {"sender": None}, "sender=None must be a glob"),
    ("message", {"subject": re.compile(b"x")}, "subject=.* must be a glob"),
    ("message", {"when": judge}, r"when=.* must be a function \(not an async one\)"),
    ("link", {"host": "https://shop.example/a"}, 'is no host: write host="shop.example"'),
    ("link", {"host": "shop.example/"}, 'is no host: write host="shop.example"'),
    ("link", {"host": "http://localhost:8000"}, 'is no host: write host="localhost"'),
    ("link", {"host": ""}, r'is no host: write host="\*"'),
]


@pytest.mark.parametrize(("kind", "given", "said"), WAITS, ids=lambda value: str(value)[:25])
async def test_a_wait_for_what_can_never_be_found_is_refused(
    kit: InboxKit, kind: str, given: dict[str, Any], said: str
) -> None:
    wait = getattr(await kit.inbox(), f"wait_for_{kind}")
    with pytest.raises(ConfigurationError, match=f"wait_for_{kind}: .*{said}"):
        await wait(timeout=30, **given)

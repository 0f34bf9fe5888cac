"""Inboxes and their waits: what they cannot be asked for is refused by name."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from inboxkit import ConfigurationError, InboxKit, Message
from inboxkit.client import Client

from .mails import DESK, arrive

NAIVE = datetime(2026, 1, 31)
ASKED: list[tuple[dict[str, Any], str]] = [
    ({"address": 3}, r"address=3 must be a text \(str\)"),
    ({"display_name": b"Desk"}, "display_name=b'Desk' must be a text"),
    ({"client_id": 3}, "client_id=3 must be a text"),
    ({"metadata": {"made": NAIVE}}, "metadata is no JSON: .*datetime"),
    ({"since": "1h"}, "since='1h' must be a datetime with its zone, or a timedelta"),
    ({"since": timedelta.max}, "since=.* or a timedelta under 100 years"),
    ({"since": NAIVE}, "since=2026-01-31 00:00:00 has no time zone"),
]
EXPIRES: list[tuple[dict[str, Any], str]] = [
    ({"expires": 3}, "expires=3 must be a timedelta above 0"),
    ({"expires": timedelta.max}, "expires=.* must be a timedelta above 0 and under 100 years"),
    ({"expires": timedelta(hours=-1)}, "expires=.* must be a timedelta above 0"),
]


@pytest.mark.parametrize(("given", "said"), [*ASKED, *EXPIRES], ids=lambda value: str(value)[:25])
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

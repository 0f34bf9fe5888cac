"""The whole reading of a message."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit import ConfigurationError
from inboxkit.parsing import Limits, find_code, find_links, parse, reply_text
from inboxkit.values import Address, Kind

from .corpus import NAMES, sample


def test_ordinary_message() -> None:
    message = parse(sample("alternative"))

    assert message.state == "parsed"
    assert message.sender == Address("ana@example.com", "Ana Munoz")
    assert message.to == (Address("desk@inbox.example"),)
    assert message.date == datetime(2024, 5, 14, 9, 12, 1, tzinfo=UTC)
    assert message.message_id == "<alt@example.com>"
    assert message.in_reply_to == "<order-1@inbox.example>"
    assert message.references == ("<order-0@inbox.example>", "<order-1@inbox.example>")
    assert message.reply.text == "The lid of the café machine is missing."
    assert message.visible_text == "The lid of the café machine is missing."
    assert message.kind == Kind.HUMAN


def test_every_from_field_counts() -> None:
    message = parse(sample("several-froms"))

    assert [a.email for a in message.senders] == ["ceo@bank.example", "mallory@attacker.example"]
    assert [str(a) for a in message.cc] == [
        "Ann <ann@example.com>",
        '"Doe, Bob" <bob@example.com>',
        '"Roe, Carl" <carl@example.com>',
    ]
    assert message.to == ()


def test_words_of_a_forwarded_file_are_not_ours() -> None:
    message = parse(sample("forwarded"))

    assert message.code is None
    assert "731902" not in message.text
    assert parse(message.attachments[0].data).subject == "Your code"


def test_report_is_a_bounce() -> None:
    message = parse(sample("delivery-status"), mail_from="")

    assert message.kind == Kind.BOUNCE
    assert [b.recipient for b in message.report.bounces] == ["nobody@example.org"]


def test_hidden_text_is_left_out_and_reported() -> None:
    message = parse(sample("hidden"))

    assert message.hidden_text
    assert "Preheader" not in message.visible_text


def test_message_over_a_limit_keeps_its_headers() -> None:
    message = parse(sample("alternative"), limits=Limits(lines=3))

    assert message.state == "limited"
    assert message.defects == ("limit: lines",)
    assert message.subject == "The café order"
    assert message.text == ""
    assert message.size == len(sample("alternative"))


def test_nesting_found_while_parsing_is_a_limit_too() -> None:
    assert parse(sample("alternative"), limits=Limits(containers=0)).state == "limited"


class Unreadable(bytes):
    """Bytes that the first look at them breaks on."""

    def find(self, *_: object) -> int:
        raise MemoryError


def test_whatever_breaks_is_a_state_and_no_exception() -> None:
    message = parse(Unreadable(b"Subject: x\r\n\r\nx"))

    assert message.state == "failed"
    assert message.defects[0] == "check: MemoryError"


@pytest.mark.parametrize("raw", ["Subject: Hi\r\n\r\nHi", Path("mail.eml"), None], ids=repr)
def test_what_is_no_bytes_is_refused_and_not_read_as_an_empty_mail(raw: Any) -> None:
    wanted = f"parse: bytes are wanted, not {type(raw).__name__}: read a file in binary mode"
    with pytest.raises(ConfigurationError, match=wanted):
        parse(raw)


def test_functions_can_be_used_alone() -> None:
    code = find_code("Your sign-in code is 482913.")

    assert code is not None
    assert code.value == "482913"
    assert find_links("See you.") == ()
    assert reply_text("Yes.\n\n> Really?") == "Yes."


@given(st.sampled_from(NAMES), st.integers(0, 2_000), st.integers(0, 40), st.binary(max_size=20))
def test_any_damage_is_read(name: str, place: int, length: int, data: bytes) -> None:
    raw = sample(name)

    message = parse(raw[:place] + data + raw[place + length :])

    assert message.state in ("parsed", "limited")


@given(st.binary(max_size=300))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert parse(raw).state == "parsed"

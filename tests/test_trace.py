"""Trace fields: what an export puts in front of a message, whatever the client told us."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime
from email import message_from_bytes
from types import SimpleNamespace
from typing import Any

import pytest
from anyio import to_thread

from inboxkit import InboxKit
from inboxkit.store import exports
from inboxkit.tokens import public_id
from inboxkit.trace import trace_fields, without_trace_fields

from .mails import ANN, DESK, mail

AT = datetime(2026, 1, 5, 10, tzinfo=UTC)


def row(**given: Any) -> SimpleNamespace:
    """Return what the store knows of a message that came in."""
    known = {
        "id": 7,
        "direction": "inbound",
        "mail_from": ANN,
        "rcpt_to": [DESK],
        "received_at": AT,
        "trace": {"peer": "192.0.2.7", "helo": "mx.example", "protocol": "ESMTPS"},
    }
    return SimpleNamespace(**known | given)


def test_the_fields_say_who_brought_it_when_and_for_whom() -> None:
    assert trace_fields(row(), "mail.example").decode() == (
        "Return-Path: <ann@example.com>\r\n"
        "Delivered-To: desk@inbox.example\r\n"
        "Received: from mx.example ([192.0.2.7])\r\n"
        "\tby mail.example (inboxkit) with ESMTPS\r\n"
        f"\tid {public_id('msg', 7)}; Mon, 05 Jan 2026 10:00:00 +0000\r\n"
    )


def test_a_client_with_ipv6_is_written_as_an_address_literal() -> None:
    fields = trace_fields(row(trace={"peer": "2001:db8::7", "helo": "mx.example"}), "mail.example")
    assert b"Received: from mx.example ([IPv6:2001:db8::7])\r\n" in fields


def test_a_bounce_has_an_empty_return_path() -> None:
    assert trace_fields(row(mail_from=""), "mail.example").startswith(b"Return-Path: <>\r\n")


def test_several_recipients_are_not_told_of_each_other() -> None:
    fields = trace_fields(row(rcpt_to=[DESK, "hidden@inbox.example"]), "mail.example")
    assert b"Delivered-To" not in fields
    assert b"hidden" not in fields


def test_what_came_without_a_client_says_so() -> None:
    fields = trace_fields(row(trace={}), "mail.example")
    assert b"Received: by mail.example (inboxkit) with local\r\n" in fields


def test_what_we_sent_has_none() -> None:
    assert trace_fields(row(direction="outbound"), "mail.example") == b""


@pytest.mark.parametrize(
    "evil",
    [
        "x\r\nX-Evil: 1",
        "x\nX-Evil: 1",
        "x\rX-Evil: 1",
        "x\u2028X-Evil: 1",
        "x\x00\x1b[2J",
        "x) (comment",
        "\\",
        "é" * 5_000,
    ],
)
@pytest.mark.parametrize("place", ["helo", "peer", "protocol", "mail_from", "rcpt_to"])
def test_what_a_client_says_ends_no_field(place: str, evil: str) -> None:
    given: dict[str, Any] = {"mail_from": evil} if place == "mail_from" else {}
    if place == "rcpt_to":
        given = {"rcpt_to": [evil]}
    if place in ("helo", "peer", "protocol"):
        given = {"trace": {**row().trace, place: evil}}
    fields = trace_fields(row(**given), "mail.example")
    read = message_from_bytes(fields + mail())
    assert read["X-Evil"] is None
    assert read.get_all("From") == [ANN]
    assert fields.isascii()
    assert all(len(line) <= 998 for line in fields.split(b"\r\n"))
    assert fields.count(b"(") == fields.count(b")")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"trace": {}},
        {"trace": {"peer": "2001:db8::7"}},
        {"trace": {"helo": "mx.example"}},
        {"mail_from": ""},
        {"rcpt_to": []},
        {"rcpt_to": [DESK, ANN]},
        {"mail_from": "x)\r\n(\\"},
        {"id": 2**63 - 1},
        {"direction": "outbound"},
    ],
    ids=repr,
)
def test_what_stands_in_front_is_taken_off_again(given: dict[str, Any]) -> None:
    for raw in (mail(), b""):
        assert without_trace_fields(trace_fields(row(**given), "mail.example") + raw) == raw


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        (b"(inboxkit)", b"(Postfix)"),
        (b"Return-Path", b"return-path"),
        (b"Return-Path: ", b"X-First: 1\r\nReturn-Path: "),
        (b"\r\n", b"\n"),
        (b"msg_", b"id_"),
    ],
)
def test_trace_fields_of_others_are_kept(ours: bytes, other: bytes) -> None:
    raw = (trace_fields(row(), "mail.example") + mail()).replace(ours, other)
    assert without_trace_fields(raw) == raw


async def test_mail_by_smtp_carries_the_trace_of_its_session(database: str) -> None:
    async with InboxKit(database=database, smtp="127.0.0.1:0") as kit:
        await kit.inbox(DESK)

        def deliver() -> None:
            with smtplib.SMTP(*kit.smtp_address, local_hostname="client.example") as client:
                client.sendmail(ANN, [DESK], mail())

        await to_thread.run_sync(deliver)
        (stored,) = await kit.runtime.store.read(exports.page, None, after=0, limit=10)
    fields = trace_fields(stored, "mail.example")
    assert b"Received: from client.example ([127.0.0.1])\r\n" in fields
    assert b"with ESMTP\r\n" in fields

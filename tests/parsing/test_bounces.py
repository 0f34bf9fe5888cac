"""Delivery reports: RFC 3464 by its fields, other bounces by their text, complaints by RFC 5965."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.bounces import read_report
from inboxkit.parsing.mime import decode
from inboxkit.parsing.model import Bounce, Headers, Mail, Part, Report

HEADER = "Return-Path: <>\nFrom: MAILER-DAEMON@relay.example\nTo: team@sender.example\n"
PLAIN = "Subject: {}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{}"
ORIGINAL = "Message-ID: <sent-1@sender.example>\nTo: ann@x.example\nFrom: team@sender.example\n\nHi"


def _read(text: str) -> Report:
    return read_report(decode(text.replace("\n", "\r\n").encode()))


def _notice(text: str, *, subject: str = "Undeliverable mail", header: str = HEADER) -> Report:
    return _read(header + PLAIN.format(subject, text))


def _multipart(*parts: tuple[str, str], report_type: str = "delivery-status") -> Report:
    kind = f"multipart/report; report-type={report_type}" if report_type else "multipart/mixed"
    head = f'{HEADER}MIME-Version: 1.0\nContent-Type: {kind}; boundary="b"\n\n'
    body = "".join(f"--b\nContent-Type: {name}\n\n{text}\n" for name, text in parts)
    return _read(f"{head}{body}--b--\n")


def _report(fields: str, *, text: str = "See below.") -> Report:
    status = f"Reporting-MTA: dns; relay.example\n\n{fields}"
    return _multipart(
        ("text/plain", text), ("message/delivery-status", status), ("message/rfc822", ORIGINAL)
    )


def _brief(report: Report) -> list[tuple[str, str, bool]]:
    return [(b.recipient, b.reason, b.hard) for b in report.bounces]


def test_report_names_recipient_status_and_original() -> None:
    report = _report(
        "Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 <ann@x.example>:\n User unknown"
    )

    assert report == Report(
        (
            Bounce(
                "ann@x.example",
                "5.1.1",
                "user_unknown",
                True,
                "550 5.1.1 <ann@x.example>: User unknown",
            ),
        ),
        "<sent-1@sender.example>",
        "ann@x.example",
    )


def test_original_recipient_is_preferred_to_where_it_was_forwarded() -> None:
    report = _report(
        "Original-Recipient: rfc822;Ann@x.example\nFinal-Recipient: rfc822;ann.b@in.x.example\n"
        "Action: failed\nStatus: 5.2.2"
    )

    assert _brief(report) == [("ann@x.example", "mailbox_full", False)]


def test_every_recipient_has_a_reason_of_its_own() -> None:
    report = _report(
        "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n\n"
        "Final-Recipient: rfc822; b@x.example\nAction: failed\nStatus: 5.0.0\n\n"
        "Final-Recipient: rfc822; c@x.example\nAction: delayed\nStatus: 4.4.1\n"
        "Diagnostic-Code: x; Connection timed out",
        text="<a@x.example>: user unknown",
    )

    assert _brief(report) == [
        ("a@x.example", "user_unknown", True),
        ("b@x.example", "other", False),
        ("c@x.example", "expired", False),
    ]
    assert [b.action for b in report.bounces] == ["failed", "failed", "delayed"]


def test_delay_of_an_unknown_user_is_soft() -> None:
    report = _report("Final-Recipient: rfc822; a@x.example\nAction: delayed\nStatus: 5.1.1")

    assert _brief(report) == [("a@x.example", "user_unknown", False)]


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_success_is_told_apart_from_failure(action: str) -> None:
    report = _report(f"Final-Recipient: rfc822; a@x.example\nAction: {action}\nStatus: 2.0.0")

    assert [(b.reason, b.hard, b.action) for b in report.bounces] == [
        ("delivered", False, "delivered")
    ]


def test_text_helps_when_the_fields_tell_nothing() -> None:
    report = _report(
        "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.0.0",
        text="Your message wasn't delivered because the address a@x.example couldn't be found.",
    )

    assert _brief(report) == [("a@x.example", "user_unknown", True)]


def test_unknown_user_after_the_message_was_seen_is_a_filter() -> None:
    report = _report(
        "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.0.0\n"
        "Diagnostic-Code: smtp; 550 Unknown user a@x.example (in reply to end of DATA command)"
    )

    assert _brief(report) == [("a@x.example", "filtered", False)]


@pytest.mark.parametrize(
    ("said", "hard"),
    [
        ("550 5.7.1 a@x.example: User unknown", False),
        ("550 5.7.1 a@x.example: User unknown (in reply to RCPT TO command)", True),
    ],
)
def test_unknown_user_by_a_rule_of_the_server_must_answer_rcpt(said: str, hard: bool) -> None:
    report = _report(
        "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.0.0\n"
        f"Diagnostic-Code: smtp; {said}"
    )

    assert [b.hard for b in report.bounces] == [hard]


def test_internationalised_report_keeps_the_address() -> None:
    status = "Final-Recipient: utf-8; zoë@x.example\nAction: failed\nStatus: 5.1.1"

    report = _multipart(
        ("message/global-delivery-status", status), ("message/global-headers", ORIGINAL)
    )

    assert _brief(report) == [("zoë@x.example", "user_unknown", True)]
    assert report.original_message_id == "<sent-1@sender.example>"


def test_report_whose_parts_were_never_divided_is_read_from_the_text() -> None:
    report = _notice(
        "--q\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; r.example\n\n"
        "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.2.2\n\n--q\n"
        f"Content-Type: text/rfc822-headers\n\n{ORIGINAL}"
    )

    assert _brief(report) == [("a@x.example", "mailbox_full", False)]
    assert report.original_message_id == "<sent-1@sender.example>"


NOTICES = {
    "entry with a colon": (
        "<ann@x.example>:\n192.0.2.9 does not like recipient.\n"
        "Remote host said: 550 5.1.1 no mailbox here by that name\nGiving up on 192.0.2.9.",
        ("user_unknown", True),
    ),
    "indented entry": (
        "  ann@x.example\n    SMTP error after RCPT TO:<ann@x.example>:\n"
        "    host mx.x.example [192.0.2.9]: 552 5.2.2 mailbox full",
        ("mailbox_full", False),
    ),
    "label before the address": (
        "Failed address: ann@x.example\n--> MAIL From:<team@sender.example>\n<-- 250 OK\n"
        "--> RCPT To:<ann@x.example>\n<-- 550 No mailbox by that name is available",
        ("user_unknown", True),
    ),
    "reason before the address": (
        "Unknown user: ann@x.example\n\nOriginal message follows.\n\nHi",
        ("user_unknown", True),
    ),
    "reason in brackets": ("--- errors ---\nann@x.example [User unknown]", ("user_unknown", True)),
    "in a sentence": (
        "SMTP server <mx.x.example> rejected recipient <ann@x.example> (Error following RCPT "
        "command). It responded: [550 5.1.1 User unknown.]",
        ("user_unknown", True),
    ),
    "only in the session": (
        "   ----- Transcript of session follows -----\n550 <ann@x.example>... User unknown",
        ("user_unknown", True),
    ),
    "date after the address": (
        "did not reach the following recipient(s):\n\nann@x.example on Mon, 3 Feb 2025 11:00\n"
        "    The e-mail account does not exist at the organization. <mx #5.1.1>",
        ("user_unknown", True),
    ),
    "German": (
        "Die folgende Adresse war nicht erreichbar:\n\n<ann@x.example>:\n  Empfänger unbekannt",
        ("user_unknown", True),
    ),
    "Russian": (
        "Письмо не может быть доставлено:\n\nann@x.example\n  такой пользователь не найден",
        ("user_unknown", True),
    ),
    "Portuguese": ("ann@x.example\n  Motivo: caixa postal cheia", ("mailbox_full", False)),
    "Korean": (
        "받는사람 : ann@x.example\n실패이유 : 존재하지 않는 사용자 계정입니다.",
        ("user_unknown", True),
    ),
    "Chinese": (
        "收件人 ann@x.example\n\n退信原因：\n收件人邮件地址（ann@x.example）不存在，邮件无法送达。",
        ("user_unknown", True),
    ),
    "Japanese": (
        "<ann@x.example>\n\n受信者のメールボックスの容量が超過しています。",
        ("mailbox_full", False),
    ),
}


@pytest.mark.parametrize(("text", "expected"), NOTICES.values(), ids=NOTICES)
def test_notice_is_read_by_the_shape_of_its_lines(text: str, expected: tuple[str, bool]) -> None:
    assert _brief(_notice(text)) == [("ann@x.example", *expected)]


def test_notice_with_several_entries_keeps_their_reasons_apart() -> None:
    report = _notice(
        "The following recipients failed:\n\n  a@x.example\n    550 5.1.1 No such person here\n"
        "  b@x.example\n    452 4.2.2 The user is over the storage limit\n\n"
        f"------ original headers ------\n{ORIGINAL}"
    )

    assert _brief(report) == [
        ("a@x.example", "user_unknown", True),
        ("b@x.example", "mailbox_full", False),
    ]
    assert report.original_message_id == "<sent-1@sender.example>"


def test_listed_recipients_share_the_reason_below_them() -> None:
    report = _notice("Failed recipients:\n * a@x.example\n * b@x.example\n\nReason: domain unknown")

    assert _brief(report) == [
        ("a@x.example", "host_unknown", True),
        ("b@x.example", "host_unknown", True),
    ]


def test_failed_recipients_header_names_whom_the_text_does_not() -> None:
    header = f"{HEADER}X-Failed-Recipients: a@x.example,\n b@x.example\n"

    report = _notice("Delivery failed: mailbox is full", header=header)

    assert [b.recipient for b in report.bounces] == ["a@x.example", "b@x.example"]


def test_addresses_of_helpers_and_senders_are_not_recipients() -> None:
    report = _notice(
        "Hello team@sender.example:\nA message sent by\n  <team@other.example>\n"
        "could not be delivered.\n"
        "For assistance, contact postmaster@relay.example\n\n<ann@x.example>: unknown user"
    )

    assert [b.recipient for b in report.bounces] == ["ann@x.example"]


def test_bounce_to_oneself_is_found_when_no_other_address_is_there() -> None:
    report = _notice("<team@sender.example>:\nRemote host said: 552 disk quota exceeded")

    assert _brief(report) == [("team@sender.example", "mailbox_full", False)]


def test_warning_of_a_delay_is_soft_and_says_so() -> None:
    report = _notice(
        "THIS IS A WARNING MESSAGE ONLY.\nDelivery to the following recipient has been delayed:\n\n"
        "     ann@x.example\n\n450 4.1.1 user unknown, try later"
    )

    assert [(b.hard, b.action) for b in report.bounces] == [(False, "delayed")]


def test_delay_without_a_cause_is_expiry() -> None:
    report = _report("Final-Recipient: rfc822; a@x.example\nAction: delayed\nStatus: 4.0.0")

    assert _brief(report) == [("a@x.example", "expired", False)]


def test_fields_without_blank_lines_are_divided_where_they_repeat() -> None:
    report = _report(
        "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n"
        "Final-Recipient: rfc822; b@x.example\nAction: failed\nStatus: 5.2.2"
    )

    assert _brief(report) == [
        ("a@x.example", "user_unknown", True),
        ("b@x.example", "mailbox_full", False),
    ]


def test_original_stuffed_into_a_text_part_gives_its_id() -> None:
    report = _multipart(
        ("text/plain", "<ann@x.example>: unknown user"),
        ("text/plain\nMessage-ID: <sent-1@sender.example>\nFrom: team@sender.example", "Hi"),
        report_type="",
    )

    assert report.original_message_id == "<sent-1@sender.example>"


def test_recipient_of_the_returned_mail_stands_in_for_an_unnamed_one() -> None:
    report = _multipart(
        ("text/plain", "The mail could not be delivered: the mailbox is full."),
        ("message/rfc822", ORIGINAL),
        report_type="",
    )

    assert _brief(report) == [("ann@x.example", "mailbox_full", False)]


@pytest.mark.parametrize(
    "text",
    [
        "<ann@x.example>: unknown\n\n--- Below this line is a copy of the message.\n\n"
        "Received: by a\nMessage-ID: <m@s.example>",
        "This report is about:\n  Message-id: <m@s.example>\n  To: ann@x.example\n\nUnknown user",
        "<ann@x.example>: unknown\n\n> Received: by a\n> Message-ID: <m@s.example>",
    ],
    ids=["returned below", "quoted header", "quoted with >"],
)
def test_original_message_id_is_found_in_a_notice(text: str) -> None:
    assert _notice(text).original_message_id == "<m@s.example>"


def test_mail_that_says_nothing_gives_an_empty_report() -> None:
    assert read_report(Mail(Headers())) == Report()


@given(st.text(max_size=400), st.binary(max_size=400), st.sampled_from(["", "delivery-status"]))
def test_any_mail_is_read(text: str, data: bytes, report_type: str) -> None:
    headers = Headers((("From", text), ("X-Failed-Recipients", text), ("Subject", text)))
    parts = (Part("message/delivery-status", data), Part("message/rfc822", data))

    report = read_report(Mail(headers, text=text, parts=parts, report_type=report_type))

    assert all(bounce.reason for bounce in report.bounces)


@pytest.mark.parametrize(
    "unit",
    ["a@b.example ", "<a@b.example>:\n", '"', "original message\n", "To: a@b.example\n", "@" * 900],
)
def test_a_megabyte_of_notice_is_read_in_time(unit: str) -> None:
    mail = Mail(Headers(), text=unit * (1_000_000 // len(unit)))
    start = time.process_time()

    read_report(mail)

    assert time.process_time() - start < 10

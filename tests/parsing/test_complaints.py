"""Complaints: who complains, about which mail, and which reports say nothing against anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxkit.parsing.automatic import classify
from inboxkit.parsing.bounces import read_report
from inboxkit.parsing.mime import decode
from inboxkit.values import Kind

if TYPE_CHECKING:
    from inboxkit.parsing.model import Mail

ORIGINAL = "Message-ID: <sent-1@sender.example>\nTo: ann@x.example\nFrom: team@sender.example\n\nHi"


def _feedback(fields: str, *, report_type: str = "feedback-report") -> Mail:
    kind = f"multipart/report; report-type={report_type}" if report_type else "multipart/mixed"
    parts = (("message/feedback-report", fields), ("message/rfc822", ORIGINAL))
    body = "".join(f"--b\nContent-Type: {name}\n\n{text}\n" for name, text in parts)
    head = f'From: fbl@isp.example\nSubject: FW: sale\nContent-Type: {kind}; boundary="b"\n\n'
    return decode(f"{head}{body}--b--\n".replace("\n", "\r\n").encode())


@pytest.mark.parametrize("report_type", ["feedback-report", ""])
def test_feedback_report_is_a_complaint_with_or_without_report_type(report_type: str) -> None:
    mail = _feedback(
        "Feedback-Type: abuse\nOriginal-Rcpt-To: <bob@x.example>", report_type=report_type
    )

    report = read_report(mail)

    assert classify(mail)[0] is Kind.COMPLAINT
    assert [(b.recipient, b.reason, b.action) for b in report.bounces] == [
        ("bob@x.example", "complaint", "complained")
    ]
    assert report.original_message_id == "<sent-1@sender.example>"


@pytest.mark.parametrize(
    ("fields", "recipients", "reason"),
    [
        ("Original-Rcpt-To: a@x.example\nOriginal-Rcpt-To: b@x.example", "ab", "complaint"),
        ("Original-Rcpt-To: redacted\nRemoval-Recipient: a@x.example", "a", "complaint"),
        ("Feedback-Type: auth-failure\nOriginal-Rcpt-To: a@x.example", "a", "auth_failed"),
        ("Feedback-Type: not-spam\nOriginal-Rcpt-To: a@x.example", "a", "not_spam"),
    ],
    ids=["two recipients", "opt-out", "RFC 6591", "not spam"],
)
def test_feedback_fields_name_the_recipients(fields: str, recipients: str, reason: str) -> None:
    fields = fields if fields.startswith("Feedback") else f"Feedback-Type: abuse\n{fields}"

    report = read_report(_feedback(fields))

    assert [b.recipient for b in report.bounces] == [f"{r}@x.example" for r in recipients]
    assert {b.reason for b in report.bounces} == {reason}


def test_recipient_of_the_original_complains_when_the_report_hides_who_did() -> None:
    report = read_report(_feedback("Feedback-Type: abuse"))

    assert report.original_recipient == "ann@x.example"


def test_enclosed_mail_under_a_subject_of_complaint_is_a_complaint() -> None:
    head = "From: staff@isp.example\nSubject: complaint about message from 198.51.100.4\n"
    kind = 'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: message/rfc822\n\n'

    mail = decode(f"{head}{kind}{ORIGINAL}\n--b--\n".encode())

    assert classify(mail)[0] is Kind.COMPLAINT
    assert read_report(mail).bounces[0].recipient == "ann@x.example"


def test_automatic_request_to_unsubscribe_names_its_sender() -> None:
    mail = decode(b"From: ann@x.example\nSubject: unsubscribe\nAuto-Submitted: auto-replied\n\nbye")

    assert classify(mail)[0] is Kind.COMPLAINT
    assert [(b.recipient, b.reason) for b in read_report(mail).bounces] == [
        ("ann@x.example", "unsubscribe")
    ]


def test_person_who_complains_and_encloses_a_mail_stays_a_person() -> None:
    head = 'From: a@x.example\nSubject: Spam report\nContent-Type: multipart/mixed; boundary="b"\n'
    text = f"\n--b\n\nPlease look.\n--b\nContent-Type: message/rfc822\n\n{ORIGINAL}\n--b--\n"

    assert classify(decode(f"{head}{text}".encode()))[0] is Kind.HUMAN


def test_person_who_complains_stays_a_person() -> None:
    mail = decode(b"From: ann@x.example\nSubject: Complaint about message from your shop\n\nHi,")

    assert classify(mail)[0] is Kind.HUMAN

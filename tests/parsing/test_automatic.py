"""Kinds of mail: the header decides, words count only beside it, people who quote stay people."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.automatic import classify
from inboxkit.parsing.mime import decode
from inboxkit.parsing.model import Headers, Mail, Part
from inboxkit.values import Kind

PERSON = "From: Ann <ann@x.example>\nReturn-Path: <ann@x.example>\nSubject: {}"
DAEMON = "From: Mail Delivery System <MAILER-DAEMON@relay.example>\nSubject: {}"


def _mail(header: str, text: str = "Hello,\nsee you on Monday.") -> Mail:
    head = f"{header}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
    return decode(f"{head}\n{text}".replace("\n", "\r\n").encode())


def _kind(header: str, text: str = "Hello,\nsee you on Monday.") -> Kind:
    return classify(_mail(header, text))[0]


AUTO_REPLIES = {
    "RFC 3834": "Auto-Submitted: auto-replied",
    "generated": "Auto-Submitted: auto-generated (failure)",
    "with parameters": "Auto-Submitted: auto-notified; owner-email=a@x.example",
    "suppress": "X-Auto-Response-Suppress: DR, OOF, AutoReply",
    "x-autoreply": "X-Autoreply: yes",
    "x-autorespond": "X-Autorespond: away",
    "x-loop": "X-Loop: help@x.example",
    "precedence": "Precedence: auto_reply",
    "bulk answer": "Precedence: bulk\nIn-Reply-To: <a@b.example>",
    "null return path": "Return-Path: <>",
    "a circle": "\n".join(["Received: from a.example by b.example"] * 51),
}


@pytest.mark.parametrize("header", AUTO_REPLIES.values(), ids=AUTO_REPLIES)
def test_each_sign_of_a_program_alone_makes_an_automatic_mail(header: str) -> None:
    assert _kind(f"From: a@x.example\nSubject: Hello\n{header}") is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    "header",
    [
        *("Auto-Submitted: no", "X-Autoreply: no", "Precedence: normal"),
        "\n".join(["Received: from a.example by b.example"] * 50),
    ],
    ids=["not submitted", "no autoreply", "precedence", "a long way"],
)
def test_a_sign_that_denies_leaves_a_person(header: str) -> None:
    assert _kind(f"From: a@x.example\nSubject: Hello\n{header}") is Kind.HUMAN


def test_receipt_of_reading_is_automatic() -> None:
    header = "From: a@x.example\nContent-Type: multipart/report; "

    mail = decode(f'{header}report-type=disposition-notification; boundary="b"\n\n--b--'.encode())

    assert classify(mail)[0] is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    ("mail_from", "kind"),
    [("", Kind.AUTO_REPLY), ("ann@x.example", Kind.HUMAN), (None, Kind.AUTO_REPLY)],
    ids=["null", "named", "unknown"],
)
def test_envelope_sender_counts_before_return_path(mail_from: str | None, kind: Kind) -> None:
    mail = _mail("From: ann@x.example\nReturn-Path: <>\nSubject: Hello")

    assert classify(mail, mail_from=mail_from)[0] is kind


@pytest.mark.parametrize(
    "header",
    [
        "List-Id: <dev.lists.example>\nX-Loop: dev@lists.example",
        "List-Unsubscribe: <mailto:u@x.example>\nX-Auto-Response-Suppress: All",
        "Precedence: list",
        "Precedence: bulk",
        "Mailing-List: list dev@lists.example",
    ],
)
def test_mail_of_a_list_is_a_lists(header: str) -> None:
    assert _kind(f"From: a@x.example\nSubject: Plan\n{header}") is Kind.LIST


def test_automatic_answer_through_a_list_is_no_list_mail() -> None:
    header = "From: a@x.example\nList-Id: <dev.lists.example>\nAuto-Submitted: auto-replied"

    assert _kind(header) is Kind.AUTO_REPLY


BOUNCES = {
    "failed recipients": ("From: a@x.example\nX-Failed-Recipients: b@y.example", "x"),
    "daemon and subject": (DAEMON.format("Returned mail: User unknown"), "b@y.example"),
    "daemon in any language": (DAEMON.format("Ülenet") + "\nReturn-Path: <>", "x 550 5.1.1 y"),
    "null sender and words": (
        "Return-Path: <>\nFrom: sysadmin@m.example\nSubject: Undeliverable message",
        "Message could not be delivered to mobile.",
    ),
    "postmaster, subject, text": (
        "From: postmaster@x.example\nSubject: Unzustellbar: Rechnung",
        "Fehler bei der Nachrichtenzustellung an folgende Empfänger:\n\nb@y.example",
    ),
    "postmaster without subject": (
        "Return-Path: <>\nFrom: postmaster@x.example\nSubject: Re: Invoice",
        "Failed recipient(s):\nb@y.example\n\n553 5.1.2 unknown domain",
    ),
    "empty From": ("From: <>\nSubject: failure notice", "\n550 no such user"),
    "any sender over a returned mail": (
        "From: no-reply@k.example\nSubject: Mail delivery failed",
        "Could not be delivered to: <b@y.example>\n\nReceived: by a\nMessage-ID: <1@x.example>",
    ),
    "Russian": ("From: mailer-daemon@p.example\nSubject: Сообщение не доставлено", "b@y.example"),
    "Japanese": ("Return-Path: <>\nFrom: Postmaster@k.example\nSubject: 配信不能", "x"),
}


@pytest.mark.parametrize(("header", "text"), BOUNCES.values(), ids=BOUNCES)
def test_bounce_without_machine_part_is_known_by_sender_and_words(header: str, text: str) -> None:
    assert _kind(header, text) is Kind.BOUNCE


@pytest.mark.parametrize("report_type", ["delivery-status", ""])
def test_delivery_status_part_makes_a_bounce(report_type: str) -> None:
    part = Part("message/delivery-status", b"Reporting-MTA: dns; x")

    assert classify(Mail(Headers(), parts=(part,), report_type=report_type))[0] is Kind.BOUNCE


CHALLENGES = {
    "held": (
        "Return-Path: <>\nFrom: max-confirm-1@x.example\nSubject: Please confirm your message",
        "Your message is being held because your address has not been verified.\n"
        "To release it for delivery, send an empty message to this address.",
    ),
    "captcha": (
        "From: max@x.example\nSubject: Re: Invoice - sender verification required",
        "I protect my inbox from junk. Your email to me is waiting and will be delivered once\n"
        "you prove that you are a person: click https://verify.example/abc\n",
    ),
    "German": (
        "Auto-Submitted: auto-replied\nFrom: m@x.example\nSubject: Bitte bestätigen Sie",
        "Ihre E-Mail wurde zurückgehalten, weil Ihr Absender nicht bekannt ist.\n"
        "Klicken Sie auf den Link.",
    ),
}


@pytest.mark.parametrize(("header", "text"), CHALLENGES.values(), ids=CHALLENGES)
def test_mail_that_asks_its_correspondent_for_proof_is_a_challenge(header: str, text: str) -> None:
    assert _kind(header, text) is Kind.CHALLENGE


def test_list_that_holds_a_post_for_its_moderator_is_no_challenge() -> None:
    header = "From: dev-bounces@l.example\nPrecedence: bulk\nSubject: Your message must be approved"

    kind = _kind(header, "Your mail is held until a moderator confirms it: unknown sender.")

    assert kind is not Kind.CHALLENGE


PEOPLE = {
    "forwards a bounce": (
        "Fwd: Undelivered Mail Returned to Sender",
        "I keep getting this:\n\nFrom: MAILER-DAEMON@relay.example\n\n<b@y.example>: 550 5.1.1 no",
    ),
    "asks about an error": ("Delivery failed with error 550", "It says 550 5.7.1 relaying denied."),
    "waits for goods": (
        "Undelivered goods",
        "They could not be delivered.\n\n-----Original Message-----\nFrom: b@y.example\n\nHi",
    ),
    "signs up": ("Please confirm your email address", "Click https://x.example to verify it."),
    "answers an absence": ("RE: Automatic reply: Invoice", "Enjoy your holiday!"),
    "plans a holiday": ("Vacation", "Shall we plan the vacation? I found a nice hotel."),
    "writes about a feature": ("Automatic reply feature", "How do I switch it on?"),
    "answers a question": (
        "Re: please verify the figures",
        "Your message is waiting on my desk; one click and I confirm it, once it is out of spam.",
    ),
}


@pytest.mark.parametrize(("subject", "text"), PEOPLE.values(), ids=PEOPLE)
def test_person_who_writes_about_machines_stays_a_person(subject: str, text: str) -> None:
    assert _kind(PERSON.format(subject), text) is Kind.HUMAN


def test_postmaster_who_answers_is_a_person() -> None:
    header = "From: postmaster@x.example\nSubject: Re: Undeliverable: Invoice"

    assert _kind(header, "We looked: it was rejected by our filter, with 550 5.7.1.") is Kind.HUMAN


def test_null_sender_with_no_more_than_a_subject_is_no_bounce() -> None:
    header = "Return-Path: <>\nFrom: shop@x.example\nSubject: Delivery status of order 7"

    assert _kind(header, "It leaves our house today.") is Kind.AUTO_REPLY


def test_kinds_are_tried_in_order_and_give_their_reason() -> None:
    header = DAEMON.format("Undelivered mail") + "\nAuto-Submitted: auto-replied\nPrecedence: bulk"

    kind, reason = classify(_mail(header, "550 5.1.1 unknown"))

    assert kind is Kind.BOUNCE
    assert reason == "sender of a mail system, subject, text"


@given(
    st.lists(st.tuples(st.sampled_from(["From", "Subject", "Precedence"]), st.text())),
    st.text(),
    st.none() | st.text(),
)
def test_any_mail_has_a_kind_and_a_reason(
    fields: list[tuple[str, str]], text: str, mail_from: str | None
) -> None:
    kind, reason = classify(Mail(Headers(tuple(fields)), text=text), mail_from=mail_from)

    assert isinstance(kind, Kind)
    assert reason


@pytest.mark.parametrize("unit", ["automatic reply ", "re: ", "[", "(", "your message ", "<a@"])
def test_a_megabyte_in_any_field_is_classified_at_once(unit: str) -> None:
    big = unit * (1_000_000 // len(unit))
    fields = (("From", big), ("Subject", big), ("Auto-Submitted", big), ("Return-Path", "<>"))
    start = time.process_time()

    classify(Mail(Headers(fields), text=big))

    assert time.process_time() - start < 5

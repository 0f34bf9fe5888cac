from __future__ import annotations

import pytest

from inboxkit.compose import Composition, compose
from inboxkit.parsing import parse
from inboxkit.providers import seven_bit
from inboxkit.values import Address, Draft, File

from .vendor import MAILS, NOW, cases

HEAD = b"From: a@b.example\r\nContent-Type: text/plain; charset=latin-1\r\n"


@pytest.mark.parametrize("raw", cases(MAILS))
def test_what_is_read_stays_the_same(raw: bytes) -> None:
    written = parse(seven_bit.text(raw).encode())
    assert (written.text, written.message_id) == (parse(raw).text, parse(raw).message_id)


def test_mail_of_seven_bits_is_not_touched() -> None:
    assert seven_bit.text(MAILS["1 MB"]).encode() == MAILS["1 MB"]


def test_bodies_are_ascii_afterwards() -> None:
    raw = HEAD + b"Content-Transfer-Encoding: 8bit\r\n\r\ncaf\xe9\r\n"
    written = seven_bit.text(raw)
    assert written.isascii()
    assert written.count("Content-Transfer-Encoding") == 1
    assert parse(written.encode()).text == parse(raw).text


def test_a_header_of_eight_bits_stays_readable() -> None:
    raw = "Subject: Größe\r\n\r\nGröße\r\n".encode()
    assert parse(seven_bit.text(raw).encode()).subject == "Größe"


def test_a_forwarded_mail_of_eight_bits_keeps_every_byte() -> None:
    forwarded = HEAD + b"\r\ncaf\xe9 \xff\x80\r\n"
    draft = Draft(text="See below. ü", html="<p>ü</p>", attachments=(File("a.bin", b"\xff\x00"),))
    raw = compose(
        Composition(
            draft=draft,
            sender=Address("a@b.example"),
            to=(Address("c@d.example"),),
            message_id="<m@b.example>",
            date=NOW,
            subject="Fwd",
            forwarded=forwarded,
        )
    )
    assert not raw.isascii()

    written = seven_bit.text(raw)

    assert written.isascii()
    assert "message/rfc822" not in written  # which must not be in base64 (RFC 2046 section 5.2.1)
    was, is_now = parse(raw), parse(written.encode())
    assert (is_now.text, is_now.html) == (was.text, was.html)
    assert [a.data for a in is_now.attachments] == [a.data for a in was.attachments]
    assert forwarded in [a.data for a in is_now.attachments]


@pytest.mark.parametrize(
    "raw",
    cases(
        {
            "nothing": b"",
            "no body": b"A: \xff",
            "no boundary": b"Content-Type: multipart/mixed\r\n\r\n\xff",
            "no last line": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xff",
            "a thousand deep": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 1000
            + b"\r\n\xff",
        }
    ),
)
def test_no_mail_breaks_it(raw: bytes) -> None:
    assert isinstance(seven_bit.text(raw), str)

"""One file out of a mail in pieces: the same bytes as the parser's own, or none."""

from __future__ import annotations

import base64
import hashlib
import io
import random
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from inboxkit.parsing import parse
from inboxkit.parsing.attachments import extract
from inboxkit.parsing.streams import copy_part

from .corpus import NAMES, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

NOISE = random.Random(11).randbytes(50_000)


def cut(raw: bytes, length: int) -> Iterator[bytes]:
    return (raw[i : i + length] for i in range(0, len(raw), length))


def copied(raw: bytes, data: bytes, length: int = 999) -> bytes | None:
    """Return what is found of a file in a mail that comes in pieces of this length."""
    into = io.BytesIO()
    digest = hashlib.sha256(data).hexdigest()
    found = copy_part(cut(raw, length), into, size=len(data), sha256=digest)
    assert found or not into.getvalue()
    return into.getvalue() if found else None


def letter(data: bytes, encoding: str = "base64") -> bytes:
    mail = EmailMessage()
    mail.set_content("Attached.")
    mail.add_attachment(b"another", maintype="application", subtype="pdf")
    mail.add_attachment(data, maintype="application", subtype="pdf", cte=encoding)
    return mail.as_bytes().replace(b"\n", b"\r\n")


@pytest.mark.parametrize("length", [1, 7, 4096, 10_000_000])
@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", NOISE], ids=len)
def test_a_file_is_found_however_the_mail_is_cut(data: bytes, length: int) -> None:
    raw = letter(data)
    assert copied(raw, data, length) == data


@pytest.mark.parametrize("encoding", ["quoted-printable", "7bit"])
def test_text_keeps_its_lines_but_for_the_boundarys(encoding: str) -> None:
    data = b"one\r\n\r\ntwo = 2\r\n--\r\nthree"
    head = b'Content-Type: multipart/mixed;\r\n boundary="b"\r\n\r\n--b\r\n\r\nHello\r\n--b\r\n'
    body = data.replace(b"=", b"=3D") if encoding == "quoted-printable" else data
    field = f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    assert copied(head + field + body + b"\r\n--b--\r\n", data) == data


def test_a_mail_that_is_a_file_itself_is_found() -> None:
    head = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert copied(head + base64.encodebytes(NOISE), NOISE) == NOISE


def test_what_is_not_there_is_not_found() -> None:
    assert copied(letter(NOISE), NOISE[:-1]) is None


@pytest.mark.parametrize(
    "raw",
    [b"", b"\n", b"x" * 300_000, b"a: b\n" * 100_000, b"Content-Type: multipart/mixed\n\n--\n\nx"],
    ids=["empty", "line feed", "one line", "header", "no boundary"],
)
def test_nothing_is_found_in_what_is_no_mail(raw: bytes) -> None:
    assert copied(raw, NOISE) is None


@pytest.mark.parametrize("name", NAMES)
def test_what_is_found_in_real_mail_is_what_the_parser_found(name: str) -> None:
    raw = sample(name)
    for index, file in enumerate(parse(raw).attachments):
        data = extract(raw, index)
        assert hashlib.sha256(data).hexdigest() == file.sha256
        assert copied(raw, data) in (data, None)

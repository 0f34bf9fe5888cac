"""Bodies, files and forwarded mails: they come back as they were given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inboxkit.compose import compose
from inboxkit.values import Draft, File

from .composing import PNG, body, made, read, tree


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        (Draft(text="a"), ["text/plain"]),
        (Draft(html="<p>a"), ["multipart/alternative", ["text/plain"], ["text/html"]]),
        (
            Draft(text="a", attachments=(File("a.pdf", b"%PDF"),)),
            ["multipart/mixed", ["text/plain"], ["application/pdf"]],
        ),
        (
            Draft(html="<p>a", attachments=(File("a", PNG, "image/png", "a"), File("b", b"b"))),
            [
                "multipart/mixed",
                [
                    "multipart/alternative",
                    ["text/plain"],
                    ["multipart/related", ["text/html"], ["image/png"]],
                ],
                ["application/octet-stream"],
            ],
        ),
        (
            Draft(text="a", attachments=(File("a.png", PNG, content_id="a"),)),
            ["multipart/mixed", ["text/plain"], ["image/png"]],
        ),
    ],
    ids=["text", "html", "file", "all", "image without html"],
)
def test_tree_of_parts_is_as_deep_as_needed(draft: Draft, expected: list[object]) -> None:
    assert tree(read(made(draft))) == expected


def test_text_is_made_from_html_when_there_is_none() -> None:
    assert body(read(made(Draft(html="<p>Hello <b>Ann</b></p>")))).strip() == "Hello Ann"


def test_forwarded_mail_is_attached_as_it_came() -> None:
    raw = "Subject: Grüße\r\nMessage-ID: <x@y.example>\r\n\r\nHällo\r\n".encode()

    message = read(replace(made(), forwarded=raw))

    inner = next(iter(message.iter_attachments()))
    assert (inner.get_content_type(), inner.get_filename()) == ("message/rfc822", "message.eml")
    assert raw in compose(replace(made(), forwarded=raw))
    assert message["Content-Transfer-Encoding"] == "8bit"


@pytest.mark.parametrize("tail", [b"a" * 2_000, b"\0"], ids=["long line", "nul"])
def test_forwarded_bytes_that_are_no_mail_are_attached_as_a_file(tail: bytes) -> None:
    raw = b"Subject: x\r\n\r\n" + tail

    file = next(iter(read(replace(made(), forwarded=raw)).iter_attachments()))

    assert file.get_content_type() == "application/octet-stream"
    assert file.get_payload(decode=True) == raw


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Hello\n-- \nAnn\n", "7bit"),
        ("a" * 77, "quoted-printable"),
        ("From here on\n", "quoted-printable"),
        ("bell \x07, nul \0, feed \f", "quoted-printable"),
        ("Grüße aus dem Garten\n", "quoted-printable"),
        ("水泵又漏水了\n", "base64"),
        (".\n..\n.", "7bit"),
        ("", "7bit"),
    ],
    ids=["plain", "long line", "From", "controls", "umlauts", "chinese", "dots", "empty"],
)
def test_text_comes_back_in_the_encoding_that_suits_it(text: str, encoding: str) -> None:
    message = read(made(Draft(text=text)))

    expected = text if text.endswith("\n") or not text else f"{text}\n"
    assert message["Content-Transfer-Encoding"] == encoding
    assert body(message) == expected


def test_line_ends_of_every_kind_become_line_ends() -> None:
    assert body(read(made(Draft(text="a\r\nb\rc\nd")))) == "a\nb\nc\nd\n"


def test_no_line_of_a_body_begins_with_from_and_a_space() -> None:
    assert b"\nFrom " not in compose(made(Draft(text="a\nFrom here\n" + "From x " * 60)))


@pytest.mark.parametrize(
    "name",
    [
        "plan.pdf",
        'say "hi" \\ now.txt',
        "Plan für den Garten.pdf",
        "计划.docx",
        "sehr langer Name " * 12 + "für später.txt",
        "a" * 200 + ".txt",
        "100%'s*.txt",
    ],
)
def test_file_name_comes_back(name: str) -> None:
    message = read(made(Draft(text="a", attachments=(File(name, b"data"),))))

    file = next(iter(message.iter_attachments()))
    assert file.get_filename() == name
    assert file.get_payload(decode=True) == b"data"
    assert str(file.get_param("name")).isascii()


@pytest.mark.parametrize(
    ("file", "content_type"),
    [
        (File("a.PDF", b""), "application/pdf"),
        (File("a.xyz", b""), "application/octet-stream"),
        (File("", b""), "application/octet-stream"),
        (File("a.csv", b"", "Text/X-Own; charset=latin-1"), "text/x-own"),
        (File("a.eml", b"Subject: a\n\nb"), "message/rfc822"),
    ],
)
def test_content_type_is_the_declared_one_or_follows_from_the_name(
    file: File, content_type: str
) -> None:
    message = read(made(Draft(attachments=(file,))))

    assert next(iter(message.iter_attachments())).get_content_type() == content_type


@pytest.mark.parametrize(
    "file",
    [
        File("a", b"", "text/html\r\nX: y"),
        File("a", b"", "text"),
        File("a", b"", "multipart/mixed"),
        File("a", b"", 'text/plain; charset="\r\n'),
        File("a", b"", content_id="a>\r\nX: y"),
    ],
)
def test_file_with_an_unusable_field_is_refused_by_name(file: File) -> None:
    with pytest.raises(ValueError, match="file 'a'"):
        compose(made(Draft(html="x", attachments=(file,))))


def test_inline_image_is_found_by_its_content_id() -> None:
    message = read(
        made(Draft(html='<img src="cid:logo">', attachments=(File("l.png", PNG, "", "<logo>"),)))
    )

    image = next(part for part in message.walk() if part.get_content_type() == "image/png")
    assert (image["Content-ID"], image.get_content_disposition()) == ("<logo>", "inline")

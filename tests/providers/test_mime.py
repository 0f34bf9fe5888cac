from __future__ import annotations

import email
import email.policy
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inboxkit.providers.mime import Piece, rebuild

from .vendor import cases

TEXT = Piece("text/plain", b"Hello \xc3\xbc\r\n")
HTML = Piece("text/html", b"<p>Hello</p>")
PDF = Piece("application/pdf", b"%PDF\x00\xff", "rück.pdf")
LOGO = Piece("image/png", b"PNG", "logo.png", "<logo@x>")


def _mail(raw: bytes) -> Any:
    return email.message_from_bytes(raw, policy=email.policy.default)


def _tree(raw: bytes) -> list[str]:
    return [part.get_content_type() for part in _mail(raw).walk()]


@pytest.mark.parametrize(
    ("bodies", "files", "tree"),
    cases(
        {
            "nothing": ([], [], ["text/plain"]),
            "text": ([TEXT], [], ["text/plain"]),
            "text and html": (
                [TEXT, HTML],
                [],
                ["multipart/alternative", "text/plain", "text/html"],
            ),
            "a file alone": ([], [PDF], ["application/pdf"]),
            "text and a file": (
                [TEXT],
                [PDF],
                ["multipart/mixed", "text/plain", "application/pdf"],
            ),
            "html with its image": (
                [HTML],
                [LOGO],
                ["multipart/related", "text/html", "image/png"],
            ),
            "an image alone": ([], [LOGO], ["image/png"]),
            "all": (
                [TEXT, HTML],
                [PDF, LOGO],
                [
                    "multipart/mixed",
                    "multipart/related",
                    "multipart/alternative",
                    "text/plain",
                    "text/html",
                    "image/png",
                    "application/pdf",
                ],
            ),
        }
    ),
)
def test_the_structure_is_as_deep_as_needed(
    bodies: list[Piece], files: list[Piece], tree: list[str]
) -> None:
    assert _tree(rebuild([], bodies, files)) == tree


def test_files_keep_their_bytes_and_names() -> None:
    parts = list(_mail(rebuild([], [TEXT], [PDF, LOGO])).walk())
    found = {p.get_filename(): p.get_payload(decode=True) for p in parts if p.get_filename()}
    assert found == {"rück.pdf": b"%PDF\x00\xff", "logo.png": b"PNG"}


def test_headers_keep_order_and_repetition_but_not_the_old_structure() -> None:
    headers = [
        ("Received", "one"),
        ("received", "two"),
        ("Content-Type", "multipart/mixed; boundary=old"),
        ("Subject", "尺码 =?utf-8?q?=C3=BC?="),
    ]

    raw = rebuild(headers, [TEXT], [])

    assert raw.startswith("Received: one\r\nreceived: two\r\nSubject: 尺码 =?".encode())
    assert raw.count(b"Content-Type") == 1


@settings(deadline=None)
@example("A", "x", "f\r\nX-Evil: 1", "i\r\nX-Evil: 1")
@example("A", "x", "ü\r\nX-Evil: 1", "i\n\nX-Evil: 1")
@given(st.text(), st.text(), st.text(), st.text())
def test_nothing_foreign_can_start_a_header_or_a_body(
    name: str, value: str, filename: str, content_id: str
) -> None:
    piece = Piece(f"a/b\r\nX-Evil: {value}", b"data", filename, content_id)

    mail = email.message_from_bytes(rebuild([(name, value)], [TEXT], [piece]))

    allowed = {"MIME-Version", "Content-Type", name}
    assert set(mail.keys()) <= allowed
    parts: Any = mail.get_payload()
    assert not [key for part in parts for key in part.keys() if not key.startswith("Content-")]


@pytest.mark.parametrize("value", ["a\r\nBcc: b", "a\nBcc: b", "a\rBcc: b", "a\r\n\r\nBcc: b"])
def test_a_line_break_in_a_header_stays_folding(value: str) -> None:
    mail = email.message_from_bytes(rebuild([("Subject", value)], [TEXT], []))
    assert mail["bcc"] is None
    assert " ".join(str(mail["subject"]).split()) == "a Bcc: b"


def test_a_mail_in_the_mail_is_not_in_base64() -> None:
    inner = Piece("message/rfc822", b"Subject: inner\r\n\r\nx")
    mail = _mail(rebuild([], [TEXT], [inner]))
    [part] = list(mail.iter_attachments())
    assert part.get_payload()[0]["subject"] == "inner"


def test_a_report_stays_a_report() -> None:
    headers = [("Content-Type", 'multipart/report; report-type="delivery-status"; boundary=x')]
    status = Piece("message/delivery-status", b"Action: failed\r\n")

    mail = _mail(rebuild(headers, [TEXT], [status]))

    assert mail.get_content_type() == "multipart/report"
    assert mail.get_param("report-type") == "delivery-status"


@pytest.mark.parametrize(
    "kind", ["", "text", "multipart/mixed; boundary=x", "a/b\r\nX: 1", "a b/c"]
)
def test_an_unusable_content_type_becomes_octet_stream(kind: str) -> None:
    mail = _mail(rebuild([], [TEXT], [Piece(kind, b"x", "f")]))
    assert [p.get_content_type() for p in mail.iter_attachments()] == ["application/octet-stream"]


def test_equal_pieces_give_equal_bytes_and_others_do_not() -> None:
    first, again = (rebuild([("A", "b")], [TEXT, HTML], [PDF]) for _ in range(2))
    other = rebuild([("A", "b")], [TEXT, HTML], [LOGO])
    assert first == again != other

"""``parse``: one JSON object a line for each mail, whatever the mail is like."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from inboxkit.parsing.model import Limits

from .mails import mail, write_mail

if TYPE_CHECKING:
    from .conftest import Command

FIELDS = {
    "path", "message_id", "subject", "from", "to", "cc", "reply_to", "date", "text", "html",
    "reply_text", "visible_text", "otp", "link", "attachments", "kind", "bounce", "in_reply_to",
    "references", "defects", "state",
}  # fmt: skip
WITH_FILE = b"""\
From: =?utf-8?q?Ann_=C3=9C?= <ann@example.com>
Subject: photo
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

Here it is.
--b
Content-Type: image/png
Content-Disposition: attachment; filename="a.png"
Content-Transfer-Encoding: base64

aGVsbG8=
--b--
"""


def test_a_file_gives_the_fixed_object(inboxkit: Command) -> None:
    write_mail(inboxkit.folder / "1.eml", text="Your code is 482913.")
    (row,) = inboxkit.rows("parse", "1.eml")
    assert row.keys() >= FIELDS
    assert (row["path"], row["message_id"], row["otp"]) == ("1.eml", "<1@example.com>", "482913")
    assert (row["date"], row["kind"], row["state"]) == (
        "2026-03-02T10:00:01.000Z",
        "human",
        "parsed",
    )
    assert inboxkit("parse", "1.eml").rows == [row]


def test_standard_input_and_attachments(inboxkit: Command) -> None:
    (row,) = inboxkit("parse", "-", stdin=WITH_FILE).rows
    assert row["from"] == [{"name": "Ann Ü", "email": "ann@example.com"}]
    (part,) = row["attachments"]
    assert part.keys() >= {"filename", "content_type", "size", "sha256", "inline", "content_id"}
    assert (part["filename"], part["size"], part["inline"]) == ("a.png", 5, False)


def test_folders_and_files_together(inboxkit: Command) -> None:
    for name in ("a/1.eml", "a/b/2.eml", "3.eml"):
        write_mail(inboxkit.folder / name)
    rows = inboxkit.rows("parse", "a", "3.eml")
    assert [row["path"] for row in rows] == ["a/1.eml", "a/b/2.eml", "3.eml"]


@pytest.mark.parametrize(
    "raw", [b"", b"\x00\xff" * 100, b"Content-Type: multipart/mixed\n\n", b"Subject: \xff\n\n\x80"]
)
def test_a_bad_mail_is_shown_and_no_failure(inboxkit: Command, raw: bytes) -> None:
    (row,) = inboxkit("parse", "-", stdin=raw).rows
    assert row["state"] in ("parsed", "limited", "failed")


def test_a_name_that_is_not_utf8_is_printed_all_the_same(inboxkit: Command) -> None:
    path = os.fsencode(inboxkit.folder / "in") + b"/caf\xe9.eml"
    (inboxkit.folder / "in").mkdir()
    with open(path, "wb") as file:
        file.write(mail())
    (row,) = inboxkit.rows("parse", "in")
    assert row["path"] == "in/caf\ufffd.eml"


def test_what_is_not_there_is_an_error(inboxkit: Command) -> None:
    done = inboxkit("parse", "nosuch")
    assert (done.code, done.out) == (2, "")
    assert "nosuch does not exist" in done.err


def test_a_file_that_cannot_be_read_does_not_stop_the_others(inboxkit: Command) -> None:
    write_mail(inboxkit.folder / "in" / "1.eml")
    (inboxkit.folder / "in" / "0.eml").symlink_to("/proc/self/mem")
    done = inboxkit("parse", "in")
    assert (done.code, len(done.rows)) == (1, 1)
    assert "0.eml" in done.err or "Input/output error" in done.err


def test_of_what_does_not_end_no_more_is_read_than_of_a_message(inboxkit: Command) -> None:
    (row,) = inboxkit("parse", "/dev/zero").rows
    assert (row["path"], row["state"]) == ("/dev/zero", "limited")
    assert row["defects"] == ["limit: message_bytes"]


def test_of_standard_input_no_more_is_read_than_of_a_message(inboxkit: Command) -> None:
    most = Limits().message_bytes
    (row,) = inboxkit("parse", "-", stdin=mail() + bytes(most)).rows
    assert (row["message_id"], row["state"]) == ("<1@example.com>", "limited")
    assert sys.stdin.buffer.tell() == most + 1


def test_a_pipe_is_read_like_a_file(inboxkit: Command) -> None:
    reads, writes = os.pipe()
    os.write(writes, mail())
    os.close(writes)
    (row,) = inboxkit("parse", f"/dev/fd/{reads}").rows
    os.close(reads)
    assert row["message_id"] == "<1@example.com>"


def test_no_database_is_made(bare: Command) -> None:
    bare("parse", "-", stdin=mail())
    assert list(bare.folder.iterdir()) == []

"""``import``, ``export`` and ``purge``: mail in from files, out to files, old mail away."""

from __future__ import annotations

import mailbox
import os
import sys
from email import message_from_bytes
from stat import S_IMODE
from typing import TYPE_CHECKING

import pytest

from .mails import mail, write_handler, write_mail

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Command

INBOX = ("import", "--inbox", "echo@inbox.example")


def make_mbox(path: Path) -> None:
    box = mailbox.mbox(path)
    for number in (1, 2, 3):
        box.add(mail(number))
    box.close()


def make_maildir(path: Path) -> None:
    for folder in ("cur", "new", "tmp", ".Sent/cur", ".Sent/new"):
        (path / folder).mkdir(parents=True)
    write_mail(path / "cur" / "1:2,S", 1)
    write_mail(path / "new" / "2", 2)
    write_mail(path / ".Sent" / "cur" / "3:2,S", 3)
    write_mail(path / "tmp" / "half", 4)
    (path / "dovecot.index").write_bytes(b"no mail")


def make_folder(path: Path) -> None:
    for number in (1, 2, 3):
        write_mail(path / f"year{number}" / "mail.eml", number)
    (path / ".DS_Store").write_bytes(b"no mail")


@pytest.mark.parametrize("make", [make_mbox, make_maildir, make_folder])
def test_takes_mail_in_order_once_however_often(inboxkit: Command, make: object) -> None:
    assert callable(make)
    make(inboxkit.folder / "mails")
    assert inboxkit(*INBOX, "mails").err == "imported 3, known already 0\n"
    assert inboxkit(*INBOX, "mails").err == "imported 0, known already 3\n"
    rows = inboxkit.rows("messages", "--limit", "0")
    assert [row["message_id"] for row in rows] == [f"<{n}@example.com>" for n in (3, 2, 1)]
    assert {row["state"] for row in rows} == {"parsed"}


def test_several_paths_at_once_and_no_handler_runs(inboxkit: Command) -> None:
    write_handler(inboxkit.folder)
    paths = [str(write_mail(inboxkit.folder / f"{number}.eml", number)) for number in (1, 2)]
    assert inboxkit(*INBOX, *paths).err == "imported 2, known already 0\n"
    assert inboxkit.rows("runs") == []


def test_mail_without_an_id_is_known_by_its_bytes(inboxkit: Command) -> None:
    (inboxkit.folder / "1.eml").write_bytes(b"From: ann@example.com\n\nHello\n")
    assert inboxkit(*INBOX, "1.eml").err == "imported 1, known already 0\n"
    assert inboxkit(*INBOX, "1.eml").err == "imported 0, known already 1\n"


def test_a_file_that_begins_like_mbox_is_one_mail_if_it_is_called_eml(inboxkit: Command) -> None:
    raw = b"From ann Mon Mar  2 10:00:00 2026\n" + mail(1) + b"\nFrom the start\n"
    (inboxkit.folder / "one.eml").write_bytes(raw)
    assert inboxkit(*INBOX, "one.eml").err == "imported 1, known already 0\n"
    inboxkit("export", "--plain", "out")
    assert [file.read_bytes() for file in (inboxkit.folder / "out").iterdir()] == [raw]


def test_the_null_sender_is_only_what_return_path_says(inboxkit: Command) -> None:
    write_mail(inboxkit.folder / "1.eml", 1)
    report = b"Return-Path: <>\n" + mail(2)
    (inboxkit.folder / "2.eml").write_bytes(report)
    inboxkit(*INBOX, "1.eml", "2.eml")
    assert [row["kind"] for row in inboxkit.rows("messages")] == ["auto_reply", "human"]


@pytest.mark.parametrize(
    ("flags", "state"), [((), "recorded"), (("--send",), "accepted")], ids=["recorded", "sent"]
)
def test_dispatch_records_what_handlers_send_unless_told_to_send(
    inboxkit: Command, flags: tuple[str, ...], state: str
) -> None:
    write_handler(inboxkit.folder)
    write_mail(inboxkit.folder / "1.eml")
    inboxkit(*INBOX, "--dispatch", *flags, "1.eml")
    (sent,) = inboxkit.rows("messages", "-q", "is:sent")
    assert (sent["subject"], sent["state"]) == ("Re: Hello", state)


def test_dispatch_says_how_handlers_get_what_was_imported_before(inboxkit: Command) -> None:
    write_handler(inboxkit.folder)
    write_mail(inboxkit.folder / "1.eml")
    inboxkit(*INBOX, "1.eml")
    done = inboxkit(*INBOX, "--dispatch", "1.eml")
    assert done.err.startswith("imported 0, known already 1\n")
    assert "inboxkit replay" in done.err
    assert inboxkit.rows("runs") == []


def test_export_gives_the_bytes_back_behind_our_trace_fields(inboxkit: Command) -> None:
    raws = [b"garbage \xff\x00\r\n", mail(1, text="ü" * 100_000), b""]
    for number, raw in enumerate(raws):
        (inboxkit.folder / f"{number}.eml").write_bytes(raw)
    inboxkit(*INBOX, "0.eml", "1.eml", "2.eml")
    assert inboxkit("export", "out").err == "exported 3\n"
    assert inboxkit("export", "--plain", "--inbox", "echo@inbox.example", "plain").code == 0
    for row, raw in zip(reversed(inboxkit.rows("messages")), raws, strict=True):
        assert (inboxkit.folder / "plain" / f"{row['id']}.eml").read_bytes() == raw
        traced = (inboxkit.folder / "out" / f"{row['id']}.eml").read_bytes()
        assert traced.endswith(raw)
        assert message_from_bytes(traced)["Delivered-To"] == "echo@inbox.example"


def test_an_export_is_known_again(inboxkit: Command) -> None:
    make_folder(inboxkit.folder / "mails")
    (inboxkit.folder / "mails" / "report.eml").write_bytes(b"Return-Path: <>\n" + mail(4))
    inboxkit(*INBOX, "mails")
    inboxkit("export", "out")
    assert inboxkit(*INBOX, "out").err == "imported 0, known already 4\n"
    assert inboxkit("import", "--inbox", "copy@inbox.example", "out").err.startswith("imported 4,")
    inboxkit("export", "--plain", "--inbox", "copy@inbox.example", "copy")
    inboxkit("export", "--plain", "--inbox", "echo@inbox.example", "plain")
    folders = [inboxkit.folder / name for name in ("copy", "plain")]
    copied, plain = (sorted(f.read_bytes() for f in folder.iterdir()) for folder in folders)
    assert copied == plain


@pytest.mark.parametrize(
    "content",
    [b"host\n", b"", b"SQLite format 3\0a: b", b"// <!-- <mdb:mork:z v='1.4'/> -->\na: b", b"\0\0"],
)
def test_a_file_that_does_not_begin_like_a_mail_is_named(inboxkit: Command, content: bytes) -> None:
    folder = inboxkit.folder / "mails"
    write_mail(folder / "1")
    (folder / "2").write_bytes(b"\xef\xbb\xbf\r\n>From ann\r\n" + mail(2))
    (folder / "Inbox.msf").write_bytes(content)
    done = inboxkit(*INBOX, "mails")
    said = "error: mails/Inbox.msf: no mail, as it begins with no header field"
    assert (done.code, done.err.splitlines()) == (1, ["imported 2, known already 0", said])


def test_purge_keeps_the_newest_or_the_young_and_what_is_not_done(inboxkit: Command) -> None:
    make_folder(inboxkit.folder / "mails")
    inboxkit(*INBOX, "mails")
    later = ("--at", "2099-01-01T10:00Z", "--text", "x")
    inboxkit("send", "--from", "echo@inbox.example", "--to", "b@x.org", *later)
    purge = ("purge", "--inbox", "echo@inbox.example", "--yes")
    assert inboxkit(*purge, "--older-than", "9999w").err == "deleted 0\n"
    assert inboxkit(*purge, "--keep", "2").err == "deleted 2\n"
    assert [row["state"] for row in inboxkit.rows("messages")] == ["scheduled", "parsed"]
    assert inboxkit("purge", "--older-than", "1d", stdin=b"n\n").code == 1
    assert inboxkit("purge", "--older-than", "1d", stdin=b"y\n").err.endswith("deleted 1\n")
    assert inboxkit(*purge, "--keep", "0").err == "deleted 0\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_what_is_exported_is_its_owners_alone(inboxkit: Command) -> None:
    write_mail(inboxkit.folder / "1.eml")
    inboxkit(*INBOX, "1.eml")
    before = os.umask(0o022)
    try:
        inboxkit("export", "out")
    finally:
        os.umask(before)
    folder = inboxkit.folder / "out"
    modes = {S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert (S_IMODE(folder.stat().st_mode), modes) == (0o700, {0o600})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a file that is always full")
def test_a_disk_that_is_full_is_told_and_no_message_is_left_cut_off(inboxkit: Command) -> None:
    write_mail(inboxkit.folder / "1.eml")
    inboxkit(*INBOX, "1.eml")
    (row,) = inboxkit.rows("messages")
    target = inboxkit.folder / "out" / f"{row['id']}.eml"
    target.parent.mkdir()
    target.symlink_to("/dev/full")
    done = inboxkit("export", "out")
    assert (done.code, done.err) == (1, f"error: out/{row['id']}.eml: No space left on device\n")
    assert not list(target.parent.iterdir())

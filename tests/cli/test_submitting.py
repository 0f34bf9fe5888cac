"""``inboxkit sendmail``, as programs call sendmail: over real SMTP to a running server."""

from __future__ import annotations

import os
import pwd
import shlex
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from inboxkit.cli import piped
from inboxkit.parsing import addresses
from tests.http.api import serving

from .conftest import KEY

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from tests.http.api import Api

    from .conftest import Command, Done

MAIL = b"From: Shop <shop@example.com>\nTo: Ann <ann@inbox.example>\nSubject: Hi\n\nHello\n"
DOMAIN = "inbox.example"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key=KEY, any_recipient=True, max_recipients=3) as api:
        yield api.of(KEY)


def smtp_of(api: Api) -> str:
    host, port = api.runner.kit.smtp_address
    return f"{host}:{port}"


def sent(command: Command, api: Api, stdin: bytes, *flags: str) -> Done:
    return command("sendmail", "--smtp", smtp_of(api), *flags, stdin=stdin)


def came(api: Api, inbox: str) -> list[tuple[str, bytes]]:
    """Return what came to an inbox, oldest first: the envelope's sender, and the bytes sent."""

    async def found() -> list[tuple[str, bytes]]:
        at = await api.runner.kit.inbox(inbox)
        mails = [message async for message in at.search()]
        return [(m.envelope.mail_from, written(await m.raw())) for m in reversed(mails)]

    return api.runner.call(found)


def written(raw: bytes) -> bytes:
    """Return a mail without the trace fields that its receiver has put in front."""
    at = raw.index(b"From: ")
    return raw[at:] if raw.find(b"\r\nDate: ", 0, at) < 0 else raw[raw.index(b"\r\nDate: ") + 2 :]


def test_a_mail_is_handed_over_as_it_is_written(bare: Command, api: Api) -> None:
    raw = b"From: shop@example.com\nDate: Thu, 1 Jan 2026 12:00:00 +0000\nMessage-ID: <1@x>\n"
    raw += b"Subject: =?utf-8?q?J?=\n folded\n\n..dots\n.\nJ\xfcrgen\rbare\r\nlast"
    done = sent(bare, api, raw, "-i", "as-is@inbox.example")
    assert (done.code, done.out, done.err) == (0, "", "")
    wanted = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n") + b"\r\n"
    assert came(api, "as-is@inbox.example") == [("shop@example.com", wanted)]


def test_recipients_are_read_from_the_header_and_bcc_is_removed(bare: Command, api: Api) -> None:
    raw = b"To: Ann <t1@inbox.example>,\n t2@inbox.example\nBcc: t3@inbox.example\nX-A: 1\n\nHi\n"
    assert sent(bare, api, raw, "-t", "-oi", "-f", "shop@example.com").code == 0
    mails = [came(api, f"t{n}@inbox.example") for n in (1, 2, 3)]
    assert mails[0] == mails[1] == mails[2] and len(mails[0]) == 1
    [(sender, whole)] = mails[0]
    assert sender == "shop@example.com" and b"X-A: 1" in whole
    assert b"bcc" not in whole.lower() and b"t3@" not in whole


def test_what_a_mail_lacks_is_added(bare: Command, api: Api) -> None:
    assert sent(bare, api, b"just words\n", "-F", "Jürgen", "-fcron", "lacks").code == 0
    [(sender, whole)] = came(api, "lacks@inbox.example")
    head, _, body = whole.partition(b"\r\n\r\n")
    assert sender == "cron@inbox.example" and body == b"just words\r\n"
    assert head.startswith(b"Date: ") or b"\r\nDate: " in head
    assert b"Message-ID: <" in head and b"@inbox.example>" in head


@pytest.mark.parametrize(
    ("flags", "ends"),
    [((), True), (("-i",), False), (("-oi",), False), (("-o", "i"), False), (("-ti",), False)],
)
def test_a_dot_alone_ends_a_mail_unless_told_otherwise(
    bare: Command, api: Api, flags: tuple[str, ...], ends: bool
) -> None:
    inbox = f"dot{len(flags)}{flags[0].strip('-') if flags else ''}@inbox.example"
    raw = b"From: a@b.example\nTo: " + inbox.encode() + b"\n\none\n.\ntwo\n"
    assert sent(bare, api, raw, *flags, *([] if "-ti" in flags else [inbox])).code == 0
    [(_, whole)] = came(api, inbox)
    assert whole.endswith(b"one\r\n" if ends else b"one\r\n.\r\ntwo\r\n")


def test_the_null_sender_and_harmless_flags(bare: Command, api: Api) -> None:
    flags = (
        "-odb",
        "-oem",
        "-bm",
        "-B8BITMIME",
        "-em",
        "-v",
        "-N",
        "never",
        "-O",
        "x=y",
        "-f",
        "<>",
    )
    assert sent(bare, api, MAIL, *flags, "--", "-null@inbox.example").code == 0
    assert [sender for sender, _ in came(api, "-null@inbox.example")] == [""]


@pytest.mark.parametrize("flag", ["-f", "-r"])
@pytest.mark.parametrize("given", ["", "<>"])
def test_a_report_without_from_is_from_the_user(
    bare: Command, api: Api, monkeypatch: pytest.MonkeyPatch, flag: str, given: str
) -> None:
    monkeypatch.setenv("LOGNAME", "user")
    inbox = f"report{flag}{len(given)}@inbox.example"
    assert sent(bare, api, b"Subject: Hi\n\nHi\n", flag, given, inbox).code == 0
    [(sender, whole)] = came(api, inbox)
    assert sender == "" and b"From: user@inbox.example\r\n" in whole


def test_a_user_without_a_name_is_nobody(
    bare: Command, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")  # as in containers

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert sent(bare, api, b"Hi\n", "nameless@inbox.example").code == 0
    assert [one for one, _ in came(api, "nameless@inbox.example")] == ["nobody@inbox.example"]


@pytest.mark.parametrize(
    ("stated", "sender"),
    [
        ("Shop, Inc. <shop@example.com>", "shop@example.com"),
        ("cron", "cron@inbox.example"),
        ("The Shop of Ann", ""),
    ],
)
def test_without_a_flag_the_sender_is_who_from_names(
    bare: Command, api: Api, monkeypatch: pytest.MonkeyPatch, stated: str, sender: str
) -> None:
    monkeypatch.setenv("LOGNAME", "user")
    inbox = f"from{len(stated)}@inbox.example"
    assert sent(bare, api, f"From: {stated}\n\nHi\n".encode(), inbox).code == 0
    assert [one for one, _ in came(api, inbox)] == [sender or "user@inbox.example"]


def test_an_address_beyond_ascii_is_handed_over(bare: Command, api: Api) -> None:
    done = sent(bare, api, MAIL, "-f", "grüße@example.com", "beyond@inbox.example")
    assert (done.code, done.err) == (0, "")
    assert [sender for sender, _ in came(api, "beyond@inbox.example")] == ["grüße@example.com"]


def test_python_pipes_a_mail_and_a_shell_does_as_php(tmp_path: Path, api: Api) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@b.example", "py@inbox.example", "Hi"
    message.set_content("From Python: grüße\n")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("INBOXKIT_")}
    clean["INBOXKIT_SMTP"] = smtp_of(api)
    program = [sys.executable, "-m", "inboxkit", "sendmail"]
    subprocess.run(
        [*program, "-t", "-oi"], input=bytes(message), cwd=tmp_path, env=clean, check=True
    )
    # What PHP's mail() writes into `sendmail_path` and the flags of its fifth argument.
    piped_mail = b"To: php@inbox.example\nSubject: Hi\nX-PHP-Originating-Script: 0:a.php\r\n"
    piped_mail += b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\n\nFrom PHP\n"
    line = f"{shlex.join(program)} -t -i -f'www@example.com'"
    subprocess.run(["sh", "-c", line], input=piped_mail, cwd=tmp_path, env=clean, check=True)
    assert b"Subject: Hi" in came(api, "py@inbox.example")[0][1]
    [(sender, whole)] = came(api, "php@inbox.example")
    assert sender == "www@example.com" and b"\r\r" not in whole and b"a.php\r\nMIME" in whole


WRONG: dict[str, tuple[tuple[str, ...], bytes, int, str]] = {
    "unknown flag": (("-Z", "a@b.example"), MAIL, 64, "-Z"),
    "another mode": (("-bs",), MAIL, 64, "-bs"),
    "nobody": ((), MAIL, 64, "-t"),
    "nobody in the header": (("-t",), b"To: undisclosed-recipients:;\n\nHi\n", 64, "-t"),
    "no address": (("a b@c",), MAIL, 64, "'a b@c'"),
    "injection": (("a@b.example\r\nDATA",), MAIL, 64, "control characters"),
    "no UTF-8": (("a\udcff@b.example",), MAIL, 64, "not UTF-8"),
    "NUL": (("a\0@b.example",), MAIL, 64, "control characters"),
    "long name": (("x" * 65,), MAIL, 64, "is not a list of addresses"),
    "name of two lines": (("-F", "A\nBcc: b@c", "a@b.example"), MAIL, 64, "-F"),
    "two senders": (("-f", "a@b.example, c@d.example", "x@y.example"), MAIL, 64, "-f"),
    "bad header": (("-t",), b"To: Ann Smith, a@b.example\n\nHi\n", 65, "Ann Smith"),
    "many": (("-t",), b"To: a, b, c, d\n\nHi\n", 69, "max_recipients"),
    "port 0": (("--smtp", "127.0.0.1:0", "a@b.example"), MAIL, 78, "port 0"),
    "no port": (("--smtp", "localhost", "a@b.example"), MAIL, 78, "HOST:PORT"),
}


@pytest.mark.parametrize(("flags", "raw", "code", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_ends_as_sendmail_does(
    bare: Command, api: Api, flags: tuple[str, ...], raw: bytes, code: int, words: str
) -> None:
    done = sent(bare, api, raw, *flags)
    assert (done.code, done.out) == (code, "") and words in done.err


def test_wrong_settings_and_a_url_end_with_78(bare: Command) -> None:
    assert bare("--set", "nonsense=1", "sendmail", "a@b.example", stdin=MAIL).code == 78
    done = bare("--url", "http://127.0.0.1:1", "sendmail", "a@b.example", stdin=MAIL)
    assert done.code == 78 and "--smtp" in done.err


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_nobody_there_means_later(bare: Command, host: str) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))  # bound, and nobody listens
        port = found.getsockname()[1]
        flags = ("--set", "smtp=127.0.0.1:1", "sendmail", "--smtp", f"{host}:{port}")
        done = bare(*flags, "a@b.example", stdin=MAIL)
    assert done.code == 75 and f"127.0.0.1:{port}" in done.err and "later" in done.err


def test_an_unknown_recipient_means_nobody_gets_it(bare: Command) -> None:
    with serving() as api:
        known = api.inbox(username="known")
        done = sent(bare, api, MAIL, known, "who@inbox.example")
        assert done.code == 67 and "who@inbox.example" in done.err
        assert came(api, known) == []


@contextmanager
def answering(*replies: bytes, heard: list[bytes] | None = None) -> Generator[str]:
    """A server that greets, answers each command with the next reply, and then hangs up."""
    told = [] if heard is None else heard
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 here\r\n")
                for reply in replies:
                    told.append(lines.readline())
                    connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(30)


@pytest.mark.parametrize(
    ("replies", "raw", "code", "words"),
    [
        ((b"250 here\r\n",), MAIL + b"\xfc\n", 69, "8BITMIME"),
        ((b"250 here\r\n", b"451 4.3.0 busy\r\n"), MAIL, 75, "451 4.3.0 busy"),
        ((b"250 here\r\n", b"530 5.7.0 Log in first\r\n"), MAIL, 77, "Log in first"),
        ((b"250 here\r\n", b"250 ok\r\n", b"250 ok\r\n", b"554 no\r\n"), MAIL, 69, "554 no"),
        ((b"250 here\r\n",), MAIL, 75, "later"),
        ((b"250 here\r\n", b"500 what\r\n"), MAIL, 69, "500 what"),
        ((b"250 here\r\n", b"300 odd\r\n"), MAIL, 75, "300 odd"),
        ((b"250 here\r\n", b"250 ok\r\n", b"551 moved\r\n"), MAIL, 67, "551 moved"),
        ((b"250 here\r\n", b"250 ok\r\n", b"553 no such name\r\n"), MAIL, 67, "553 no"),
        ((b"250 here\r\n", b"553 no such sender\r\n"), MAIL, 69, "553 no"),
        ((b"250 here\r\n", b"250 ok\r\n", b"552 full\r\n"), MAIL, 69, "552 full"),
    ],
    ids=[
        *("no 8BITMIME", "busy", "login", "no DATA", "hangs up", "unknown command", "odd"),
        *("moved", "no such name", "no such sender", "full"),
    ],
)
def test_what_a_server_says_decides_the_exit_code(
    bare: Command, replies: tuple[bytes, ...], raw: bytes, code: int, words: str
) -> None:
    with answering(*replies) as smtp:
        done = bare("sendmail", "--smtp", smtp, "a@b.example", stdin=raw)
    assert done.code == code and words in done.err


def test_a_server_that_knows_no_smtputf8_is_not_sent_one(bare: Command) -> None:
    with answering(b"250 here\r\n") as smtp:
        done = bare("sendmail", "--smtp", smtp, "grüße@b.example", stdin=MAIL)
    assert done.code == 69 and "SMTPUTF8" in done.err


def test_a_server_is_told_who_asks_and_what_comes(bare: Command) -> None:
    heard: list[bytes] = []
    here = b"250-here\r\n250-SIZE 9\r\n250 8BITMIME\r\n"
    raw = b"From: a@b.example\nDate: today\nMessage-ID: <1@x>\n\n\xfc\n"
    name = ("--set", "hostname=host.example")
    with answering(here, b"552 too large\r\n", heard=heard) as smtp:
        done = bare(*name, "sendmail", "--smtp", smtp, "c@d.example", stdin=raw)
    assert (done.code, "552 too large" in done.err) == (69, True)
    size = len(raw.replace(b"\n", b"\r\n"))
    mail = b"mail FROM:<a@b.example> size=%d BODY=8BITMIME\r\n" % size
    assert [line.lower() for line in heard] == [b"ehlo host.example\r\n", mail.lower()]


def test_a_mail_that_was_taken_was_sent_though_the_server_hangs_up(bare: Command) -> None:
    replies = (b"250 here\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n")
    content = MAIL.count(b"\n") + 2  # Date and Message-ID are added
    with answering(*replies, *[b""] * content, b"250 taken\r\n") as smtp:
        done = bare("sendmail", "--smtp", smtp, "a@b.example", stdin=MAIL)
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"To: a@x.org\nCc: B <b@x.org>\nBCC: d@x.org\n", ["a@x.org", "b@x.org", "d@x.org"]),
        (b"To: a@x.org\nResent-To: r@x.org\nBcc: d@x.org\n\nTo: no@x.org\n", ["r@x.org"]),
        (b"To: root, a@x.org\n", [f"root@{DOMAIN}", "a@x.org"]),
        (
            b'To: "A, B" <a@x.org>, root, Ann <ann>\n',
            ["a@x.org", f"root@{DOMAIN}", f"ann@{DOMAIN}"],
        ),
        (b"To : all: a@x.org, B <b@x.org>;\n", ["a@x.org", "b@x.org"]),
        (b"To: J\xfcrgen <j@x.org>\n", ["j@x.org"]),
        (b"From x Thu Jan 1\nTo: a@x.org\n", ["a@x.org"]),
        (b"\nTo: a@x.org\n", []),
        (b"To: a@x.org (work, or\n home), root\n", [f"root@{DOMAIN}", "a@x.org"]),
        (b"To: a@x.org, all: a@x.org, b@x.org;\n", ["a@x.org", "b@x.org"]),
        (b"To: j\xfc@x.org\n", ["j\xfc@x.org"]),
    ],
    ids=[
        *("all three", "resent", "local", "quoted", "group", "latin-1", "mbox", "no header"),
        *("comment", "twice", "latin-1 address"),
    ],
)
def test_whom_a_header_names(raw: bytes, wanted: list[str]) -> None:
    assert piped.read(raw, dot_ends=False).addressed(DOMAIN) == wanted


def test_whom_a_header_names_is_an_address() -> None:
    mail = piped.read(b'To: "a b"@x.org (work)\n', dot_ends=True)
    with pytest.raises(ValueError, match="is not an address"):
        mail.addressed(DOMAIN)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"A: 1\n\none\rtwo\r\n", b"A: 1\r\n\r\none\r\ntwo\r\n"),
        (b"A: 1\n\none\n\n.\ntwo\n", b"A: 1\r\n\r\none\r\n\r\n"),
        (b".\n", b"\r\n"),
        (b"Resent-Bcc: a@x.org\nBcc: b@x.org\nA: 1\n", b"A: 1\r\n\r\n"),
    ],
    ids=["line ends", "blank line before the dot", "nothing", "bcc"],
)
def test_a_mail_is_written_as_it_was_read(raw: bytes, wanted: bytes) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    mail = piped.read(raw, dot_ends=True)
    whole = piped.completed(mail, sender="a@x.org", name="", domain=DOMAIN, now=now)
    assert piped.wire(whole).endswith(wanted) and b"cc:" not in piped.wire(whole)


@pytest.mark.parametrize("name", ["", "Ann", "Smith, Ann", 'The "Shop"', "J\xfcrgen"])
@pytest.mark.parametrize("sender", ["a@x.org", "j\xfc@x.org"])
def test_a_name_that_is_given_is_that_of_the_sender(name: str, sender: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    bare = piped.read(b"Hi\n", dot_ends=True)
    mail = piped.completed(bare, sender=sender, name=name, domain=DOMAIN, now=now)
    [found] = addresses.parse(next(mail.values("from")))
    assert (found.name, found.email) == (name, sender)

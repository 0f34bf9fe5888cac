"""``inboxkit run``: the ready line, what stops the start, how it ends, what it logs."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import smtplib
import socket
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from .mails import mail, write_handler
from .processes import LIMIT_SECONDS, Serving

if TYPE_CHECKING:
    from .conftest import Command

SLOW = """\
from pathlib import Path

import anyio
from inboxkit import Message, Router

router = Router()


@router.on_message(to="echo@*")
async def slow(message: Message) -> None:
    print("begun", flush=True)
    while not Path("go").exists():
        await anyio.sleep(0.01)
    await message.reply("done")
"""
BROKEN = "from inboxkit import Router\n\nrouter = Router()\nraise LookupError('no such thing')\n"


def test_mail_for_a_known_inbox_is_answered_and_the_ready_line_is_alone(inboxkit: Command) -> None:
    write_handler(inboxkit.folder)
    inboxkit("inbox", "create", "echo@inbox.example")
    with Serving(inboxkit.folder, "run") as server:
        assert re.fullmatch(
            r"ready smtp=127\.0\.0\.1:\d+ http=http://127\.0\.0\.1:\d+", server.ready
        )
        assert urlopen(f"{server.url}/readyz", timeout=LIMIT_SECONDS).read() == b"ok"
        server.send(mail(text="Your code is 482913."), to="echo+tag@inbox.example")
        assert inboxkit("otp", "echo@inbox.example", "--timeout", "20").out == "482913\n"
        with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"550.*5\.1\.1"):
            server.send(mail(), to="nobody@inbox.example")
        until_done(inboxkit)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert server.said["out"] == [server.ready]


def until_done(inboxkit: Command) -> None:
    """Return when the one Run is done; what is only planned waits for the next start."""
    end = time.monotonic() + LIMIT_SECONDS
    while [row["state"] for row in inboxkit.rows("runs")] != ["done"]:
        assert time.monotonic() < end


def test_sigterm_lets_a_handler_and_a_mail_on_its_way_finish(inboxkit: Command) -> None:
    write_handler(inboxkit.folder, SLOW)
    inboxkit("inbox", "create", "echo@inbox.example")
    with Serving(inboxkit.folder, "run") as server:
        server.send(mail(1))
        server.line("begun")
        smtp = smtplib.SMTP("127.0.0.1", server.smtp_port, timeout=LIMIT_SECONDS)
        smtp.ehlo()
        smtp.mail("ann@example.com")
        smtp.rcpt("echo@inbox.example")
        smtp.docmd("DATA")
        server.signal(signal.SIGTERM)
        server.line("stopping (SIGTERM)", "err")
        smtp.send(mail(2) + b"\r\n.\r\n")
        assert smtp.getreply()[0] == 250
        smtp.close()
        (inboxkit.folder / "go").touch()
        assert server.wait() == 0
    assert [row["state"] for row in inboxkit.rows("runs")] == ["done"]
    assert [row["subject"] for row in inboxkit.rows("messages", "-q", "is:sent")] == ["Re: Hello"]
    received = inboxkit.rows("messages", "-q", "is:received")
    assert [row["state"] for row in received] == ["stored", "parsed"]


def test_a_second_signal_ends_it_at_once(inboxkit: Command) -> None:
    write_handler(inboxkit.folder, SLOW)
    inboxkit("inbox", "create", "echo@inbox.example")
    with Serving(inboxkit.folder, "run") as server:
        server.send(mail(1))
        server.line("begun")
        server.signal(signal.SIGINT)
        server.line("stopping (SIGINT)", "err")
        server.signal(signal.SIGTERM)
        assert server.wait() == -signal.SIGTERM
    assert [row["state"] for row in inboxkit.rows("runs")] == ["pending"]


@pytest.mark.long
def test_no_handlers_is_no_error(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "a@inbox.example")
    with Serving(inboxkit.folder, "run") as server:
        server.send(mail(), to="a@inbox.example")
        assert inboxkit("wait", "a@inbox.example").out == "Is anybody there?\n"


@pytest.mark.parametrize(
    ("command", "form"),
    [
        ("run nowhere", "flag"),
        ("dev nowhere", "flag"),
        ("routes --handlers nowhere", "flag"),
        ("run", "variable"),
        ("dev", "variable"),
        ("routes", "variable"),
        ("config check", "variable"),
        ("run", "file"),
        ("dev", "file"),
        ("config check", "file"),
    ],
)
def test_a_named_folder_of_handlers_must_be_there(
    bare: Command, monkeypatch: pytest.MonkeyPatch, command: str, form: str
) -> None:
    if form == "variable":
        monkeypatch.setenv("INBOXKIT_HANDLERS", "nowhere")
    if form == "file":
        (bare.folder / "inboxkit.toml").write_text('handlers = "nowhere"\n')
    done = bare(*command.split())
    assert (done.code, done.out) == (2, "")
    assert f"handlers: there is no folder {bare.folder / 'nowhere'}" in done.err
    assert not (bare.folder / "inboxkit.db").exists()


@pytest.mark.long
def test_a_process_that_calls_no_handlers_needs_no_folder_of_them(inboxkit: Command) -> None:
    with Serving(inboxkit.folder, "run", "nowhere", "--role", "smtp,http") as server:
        assert urlopen(f"{server.url}/livez", timeout=LIMIT_SECONDS).read() == b"ok"


def test_the_log_holds_no_body_no_code_and_no_key(inboxkit: Command) -> None:
    write_handler(inboxkit.folder)
    failing = "raise ValueError(message.text)"
    write_handler(inboxkit.folder, HANDLER.format(body=failing), "failing.py")
    (inboxkit.folder / "inboxkit.toml").write_text(
        'api_key = "canary-api-key-123"\n[mailgun]\ndomain = "mg.example.com"\n'
        'api_key = "canary-mailgun-key"\nsigning_key = "canary-signing-key"\n'
    )
    for name in ("echo", "failing"):
        inboxkit("inbox", "create", f"{name}@inbox.example")
    with Serving(inboxkit.folder, "run") as server:
        for name in ("echo", "failing"):
            server.send(mail(text=CANARIES, subject="canary-subject"), f"{name}@inbox.example")
        server.line("ValueError at", "err")
        with pytest.raises(HTTPError, match="401") as refused:
            urlopen(f"{server.url}/webhooks/mailgun", CANARIES.encode(), timeout=LIMIT_SECONDS)
        refused.value.close()
        server.line("webhook", "err")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    log = "\n".join(server.said["err"])
    assert not re.findall(r"canary|482913", log)


CANARIES = "Your code is 482913. canary-body https://shop.example/verify?token=canary-token"
HANDLER = """\
from inboxkit import Message, Router

router = Router()


@router.on_message(to="failing@*")
async def failing(message: Message) -> None:
    {body}
"""


def test_a_broken_handler_stops_the_start_with_its_traceback(bare: Command) -> None:
    path = write_handler(bare.folder, BROKEN)
    done = bare("run")
    assert (done.code, done.out) == (2, "")
    assert f'File "{path}", line 4' in done.err
    assert "LookupError: no such thing" in done.err
    assert not (bare.folder / "inboxkit.db").exists()


def test_two_handlers_of_the_same_messages_stop_the_start(bare: Command) -> None:
    write_handler(bare.folder)
    write_handler(bare.folder, name="again.py")
    done = bare("run")
    assert (done.code, done.out) == (2, "")
    assert "handlers.again.echo and handlers.echo.echo take the same messages" in done.err
    assert not (bare.folder / "inboxkit.db").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--smtp", "nonsense"], "smtp: 'nonsense' is not HOST:PORT"),
        (["--http", "0.0.0.0:0", "--smtp", "127.0.0.1:0"], "set api_key (INBOXKIT_API_KEY)"),
        (["handlers/echo.py"], "is a file: name the folder"),
        (["nosuch:kit"], "nosuch (of 'nosuch:kit') does not import"),
        (["os:path"], "os:path is no InboxKit"),
    ],
)
def test_wrong_settings_stop_the_start(inboxkit: Command, arguments: list[str], says: str) -> None:
    write_handler(inboxkit.folder)
    done = inboxkit("run", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


@pytest.mark.parametrize("name", ["smtp", "http"])
def test_a_taken_port_is_named(inboxkit: Command, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        ports = {"smtp": "127.0.0.1:0", "http": "127.0.0.1:0", name: bind}
        done = inboxkit("run", "--smtp", ports["smtp"], "--http", ports["http"])
    assert (done.code, done.out) == (2, "")
    why = os.strerror(errno.EADDRINUSE)
    said = f"error: {name}: cannot listen on {bind}: {why}; choose another address or a free port"
    assert done.err.splitlines()[-1] == said
    assert "Traceback" not in done.err


def test_a_handler_that_no_inbox_matches_is_warned_of(inboxkit: Command) -> None:
    write_handler(inboxkit.folder)
    with Serving(inboxkit.folder, "run") as server:
        server.line("inboxkit inbox create echo@inbox.example", "err")


def test_a_kit_of_ones_own_is_run_and_flags_win(bare: Command) -> None:
    (bare.folder / "app.py").write_text(
        "from inboxkit import InboxKit\n"
        "kit = InboxKit(database='sqlite:///app.db', smtp='127.0.0.1:9')\n"
    )
    with Serving(bare.folder, "run", "app:kit") as server:
        assert urlopen(f"{server.url}/livez", timeout=LIMIT_SECONDS).read() == b"ok"
    assert (bare.folder / "app.db").exists()
    assert not (bare.folder / "inboxkit.db").exists()


@pytest.mark.long
def test_a_copy_that_is_made_while_it_runs_takes_the_place_of_what_is_lost(
    inboxkit: Command,
) -> None:
    inboxkit("inbox", "create", "echo@inbox.example")
    large = os.urandom(100_000).hex()  # lies in a file, however well it is packed
    file, files = inboxkit.folder / "inboxkit.db", inboxkit.folder / "inboxkit.db.files"
    copy, copied = inboxkit.folder / "copy.db", inboxkit.folder / "copy.db.files"
    with Serving(inboxkit.folder, "run") as server:
        server.send(mail(text=large))
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        shutil.copytree(files, copied)
        assert any(one.stat().st_size > 64_000 for one in copied.rglob("*"))
        server.send(mail(2, text="Later"))
    for lost in (file, file.with_name("inboxkit.db-wal"), file.with_name("inboxkit.db-shm")):
        lost.unlink(missing_ok=True)
    shutil.rmtree(files)
    copy.rename(file)
    copied.rename(files)
    with Serving(inboxkit.folder, "run") as server:
        server.send(mail(3, text="Anew"))
    first, anew = (row["id"] for row in reversed(inboxkit.rows("messages")))
    assert large in inboxkit("show", first, "--raw").out
    assert "Anew" in inboxkit("show", anew, "--raw").out

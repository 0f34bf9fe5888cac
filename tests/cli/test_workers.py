"""``inboxkit run --workers``: one ready line, shared ports, replacing the dead, ending together."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import signal
import smtplib
import socket
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from inboxkit import ConfigurationError
from inboxkit.cli.supervising import bind
from tests.faults.logs import said

from .mails import mail, write_handler
from .processes import LIMIT_SECONDS, Process, Serving

if TYPE_CHECKING:
    from collections.abc import Generator

    from .conftest import Command

pytestmark = pytest.mark.skipif(os.name == "nt", reason="one process only on Windows")
WHO = """\
import os
from pathlib import Path

import anyio
from inboxkit import Message, Router

router = Router()


@router.on_message(to="echo@*")
async def who(message: Message) -> None:
    print("begun", os.getpid(), flush=True)
    while message.subject == "wait" and not Path("go").exists():
        await anyio.sleep(0.01)
    await message.reply(str(os.getpid()))
"""
FOR_EVER = """\
import os
import threading

print("begun", os.getpid(), flush=True)
threading.Event().wait()
"""
TWO = ("--workers", "2")


def begun(server: Serving) -> int:
    """Return which process the next handler runs in."""
    return int(server.line("begun").split()[1])


def both(server: Serving) -> set[int]:
    """Return the two workers."""
    found: set[int] = set()
    numbers = itertools.count(1)
    while len(found) < 2:
        server.send(mail(next(numbers)))
        found.add(begun(server))
    return found


@contextlib.contextmanager
def begun_mail(port: int) -> Generator[smtplib.SMTP]:
    """Hand in a mail up to its last line, which ``ended`` sends."""
    with closing(smtplib.SMTP("127.0.0.1", port, timeout=LIMIT_SECONDS)) as client:
        client.ehlo()
        client.mail("ann@example.com")
        client.rcpt("echo@inbox.example")
        client.docmd("DATA")
        client.send(mail(1_000_000))
        yield client


def ended(client: smtplib.SMTP) -> tuple[int, bytes]:
    """End the mail and return the answer."""
    client.send("\r\n.\r\n")
    return client.getreply()


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until_gone(process: int) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not is_gone(process):
        assert time.monotonic() < end, f"process {process} does not end"
        time.sleep(0.01)  # nobody tells of the end of a process that is no child


def wait_until_refused(port: int) -> None:
    """Return when nobody listens: "stopping" is said before the ports are closed."""
    end = time.monotonic() + LIMIT_SECONDS
    with contextlib.suppress(ConnectionRefusedError):
        while True:
            assert time.monotonic() < end, f"port {port} stays open"
            socket.create_connection(("127.0.0.1", port), LIMIT_SECONDS).close()
            time.sleep(0.01)


@pytest.mark.long
def test_workers_take_over_from_one_that_dies_and_all_end_together(inboxkit: Command) -> None:
    write_handler(inboxkit.folder, WHO)
    inboxkit("inbox", "create", "echo@inbox.example")
    with Serving(inboxkit.folder, "run", *TWO) as server:
        assert re.fullmatch(
            r"ready smtp=127\.0\.0\.1:\d+ http=http://127\.0\.0\.1:\d+", server.ready
        )
        server.send(mail(1, subject="wait"))
        victim = begun(server)
        os.kill(victim, signal.SIGKILL)
        assert f"(process {victim}) has died (SIGKILL)" in server.line("has died", "err")
        heir = begun(server)  # of the same mail, as its first process has died
        assert heir != victim
        (inboxkit.folder / "go").touch()
        server.line("is process", "err")
        server.send(mail(2))
        begun(server)
        assert urlopen(f"{server.url}/livez", timeout=LIMIT_SECONDS).read() == b"ok"
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert [row["state"] for row in inboxkit.rows("runs")] == ["done", "done"]
    assert len(inboxkit.rows("messages", "-q", "is:sent")) == 2
    assert sum(line.startswith("ready") for line in server.said["out"]) == 1
    assert is_gone(heir)


@pytest.mark.long
def test_sigint_lets_a_handler_finish_and_a_second_signal_does_not(inboxkit: Command) -> None:
    write_handler(inboxkit.folder, WHO)
    inboxkit("inbox", "create", "echo@inbox.example")
    with Serving(inboxkit.folder, "run", *TWO) as server:
        server.send(mail(1, subject="wait"))
        process = begun(server)
        server.signal(signal.SIGINT)
        for _ in range(3):  # the supervisor and both workers
            server.line("stopping", "err")
        wait_until_refused(server.smtp_port)
        assert not is_gone(process)
        server.signal(signal.SIGTERM)
        assert server.wait() == -signal.SIGTERM
        wait_until_gone(process)
    assert [row["state"] for row in inboxkit.rows("runs")] == ["pending"]


@pytest.mark.long
def test_workers_end_when_their_supervisor_is_killed(inboxkit: Command) -> None:
    write_handler(inboxkit.folder, WHO)
    inboxkit("inbox", "create", "echo@inbox.example")
    with Serving(inboxkit.folder, "run", *TWO) as server:
        server.send(mail(1))
        process = begun(server)
        server.signal(signal.SIGKILL)
        wait_until_gone(process)


@pytest.mark.long
def test_a_worker_that_is_being_started_ends_when_its_supervisor_is_killed(
    inboxkit: Command,
) -> None:
    write_handler(inboxkit.folder, FOR_EVER)
    ports = ("--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0")
    with Process(inboxkit.folder, "run", *TWO, *ports) as supervisor:
        process = int(supervisor.line("begun").split()[1])
        supervisor.signal(signal.SIGKILL)
        wait_until_gone(process)


@pytest.mark.long
def test_the_ports_are_free_at_once_while_orphans_finish(inboxkit: Command) -> None:
    write_handler(inboxkit.folder, WHO)
    inboxkit("inbox", "create", "echo@inbox.example")
    with Serving(inboxkit.folder, "run", *TWO) as server:
        ports = ("--smtp", f"127.0.0.1:{server.smtp_port}", "--http", server.url.partition("//")[2])
        with begun_mail(server.smtp_port) as client:
            server.signal(signal.SIGKILL)
            with Process(inboxkit.folder, "run", *TWO, *ports) as heir:
                assert heir.line("ready ") == server.ready
                assert ended(client) == (250, b"2.0.0 Message accepted")
                heir.signal(signal.SIGTERM)
                assert heir.wait() == 0


@pytest.mark.long
def test_a_signal_to_each_process_at_once_cuts_nothing_off(inboxkit: Command) -> None:
    write_handler(inboxkit.folder, WHO)
    inboxkit("inbox", "create", "echo@inbox.example")
    with Serving(inboxkit.folder, "run", *TWO) as server:
        workers = both(server)
        with begun_mail(server.smtp_port) as client:
            for process in workers:
                os.kill(process, signal.SIGTERM)
            server.signal(signal.SIGTERM)
            for _ in range(3):
                server.line("stopping", "err")
            assert ended(client) == (250, b"2.0.0 Message accepted")
        assert server.wait() == 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("router = 7\n", "`router` is no Router but int"),
        ("import os\nos.kill(os.getpid(), 9)\n", ""),
    ],
    ids=["handlers", "killed"],
)
def test_a_worker_that_dies_at_once_ends_the_start(
    inboxkit: Command, source: str, says: str
) -> None:
    write_handler(inboxkit.folder, source)
    ports = ("--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0")
    with Process(inboxkit.folder, "run", *TWO, *ports) as process:
        assert process.wait() == (2 if says else 1)
    assert process.said["out"] == []
    assert sum(says in line for line in process.said["err"] if says) == (1 if says else 0)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--workers", "0"), "workers: "),
        (("--workers", "many"), "workers: "),
        (("--role", "cook"), "role: one or more of smtp, http, worker"),
        (("--role", ""), "role: one or more of smtp, http, worker"),
    ],
    ids=str,
)
def test_wrong_flags_stop_the_start(bare: Command, flags: tuple[str, str], says: str) -> None:
    done = bare("run", *flags)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


@pytest.mark.long
def test_a_taken_port_is_named(bare: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        at = f"127.0.0.1:{other.getsockname()[1]}"
        done = bare("run", *TWO, "--smtp", at)
    assert (done.code, done.out) == (2, "")
    assert f"smtp: cannot listen on {at}" in done.err


async def test_sockets_are_made_as_asyncio_needs_them() -> None:
    one, two = await bind("localhost:0", "", 2)
    assert list(one) == list(two) == ["smtp"]
    with closing(one["smtp"]), closing(two["smtp"]):
        kinds = {(s["smtp"].proto, s["smtp"].family) for s in (one, two)}
        assert kinds == {(socket.IPPROTO_TCP, socket.AF_INET)}
        place = one["smtp"].getsockname()
        assert place == two["smtp"].getsockname()
        with pytest.raises(ConfigurationError, match="smtp: cannot listen"):
            await bind(f"localhost:{place[1]}", "", 2, patience=0)


async def test_a_port_that_is_given_up_in_a_moment_is_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = other.getsockname()
        async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as tasks:
            binding = tasks.create_task(bind("", f"127.0.0.1:{place[1]}", 2, patience=60))
            await said(caplog, "is taken; waiting for it for a moment")
            other.close()
    with closing(binding.result()[0]["http"]) as one, closing(binding.result()[1]["http"]) as two:
        assert one.getsockname() == two.getsockname() == place


@pytest.mark.skipif(sys.platform != "linux", reason="one socket for all elsewhere")
async def test_connections_are_spread_over_the_workers() -> None:
    one, two = (each["smtp"] for each in await bind("127.0.0.1:0", "", 2))
    with contextlib.ExitStack() as opened, closing(one), closing(two):
        for _ in range(60):
            opened.enter_context(socket.create_connection(one.getsockname(), timeout=30))
        assert min(accepted(one), accepted(two)) >= 10


def accepted(listening: socket.socket) -> int:
    """Return how many connections wait at a socket."""
    for count in itertools.count():
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return count
    raise AssertionError

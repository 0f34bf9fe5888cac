"""``inboxkit mcp`` as an agent's program starts it: a process with standard streams."""

from __future__ import annotations

import asyncio
import json
import os
import smtplib
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TextIO

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from tests.cli.processes import LIMIT_SECONDS
from tests.http.api import Api, serving
from tests.mails import DESK, mail

from .agents import HELLO, Agent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping
    from pathlib import Path

KEY = "k" * 20


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key=KEY) as api:
        yield api.of(KEY)


def started(folder: Path, *flags: str, **variables: str) -> StdioServerParameters:
    """Return how to start the command in a folder."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("INBOXKIT_")}
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "inboxkit", "mcp", *flags],
        env=clean | {f"INBOXKIT_{name.upper()}": value for name, value in variables.items()},
        cwd=folder,
    )


@asynccontextmanager
async def running(given: StdioServerParameters, said: TextIO) -> AsyncGenerator[Agent]:
    """Start the command, what it says on standard error going to a file; connect an agent."""
    with anyio.fail_after(LIMIT_SECONDS):
        async with Client(stdio_client(given, errlog=said)) as client:
            yield Agent(client)


def hand_in(port: int, raw: bytes, to: str) -> None:
    """Let a mail come in by SMTP."""
    with smtplib.SMTP("127.0.0.1", port, timeout=LIMIT_SECONDS) as smtp:
        smtp.sendmail("login@shop.example", [to], raw)


def sent_to(api: Api, address: str) -> list[dict[str, Any]]:
    """Return what was sent to an address."""
    found = api.good("GET", f"/v0/messages?query=is:sent%20to:{address}")["messages"]
    return list(found)


async def test_an_agent_reads_a_code_and_answers_once(api: Api, tmp_path: Path) -> None:
    given = started(tmp_path, "--send", "auto", url=api.url, api_key=KEY)
    smtp = api.runner.kit.smtp_address[1]
    with (tmp_path / "said").open("w+") as said:
        async with running(given, said) as asked:
            inbox = (await asked.get("create_inbox", username="agent"))["inbox"]
            raw = mail("Your code is 482913.", to=inbox, sender="login@shop.example")
            coming = asyncio.create_task(asyncio.to_thread(hand_in, smtp, raw, inbox))
            code = await asked.get("wait_for_otp", inbox=inbox, sender="*@shop.example")
            await coming
            asker = code["message"]["message_id"]
            answer = {"message_id": asker, "text": "Thanks", "key": "k1"}
            first = await asked.get("reply_to_message", **answer)
            assert await asked.get("reply_to_message", **answer) == first
    assert code["code"] == "482913" and first["to"] == ["login@shop.example"]
    assert [one["id"] for one in sent_to(api, "login@shop.example")] == [first["message_id"]]
    assert (tmp_path / "said").read_text() == "" and not (tmp_path / "inboxkit.db").exists()


@pytest.mark.long
async def test_on_a_database_it_sends_by_itself(tmp_path: Path) -> None:
    given = started(tmp_path, mcp_send="auto", mcp_allow_to="*@example.com")
    with (tmp_path / "said").open("w+") as said:
        async with running(given, said) as asked:
            await asked.get("create_inbox", username="agent")
            mail = {"inbox": "agent@inbox.example", "subject": "Hi", "text": "Hello", "key": "k"}
            sent = await asked.get("send_message", **mail, to=["ann@example.com"])
            read = await asked.get("get_message", message_id=sent["message_id"])
    assert sent["state"] == read["state"] and sent["state"] not in ("queued", "sending")


def ended(
    folder: Path, *flags: str, lines: tuple[Mapping[str, Any] | str, ...] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Start the command, write lines to it, close its standard input; return how it ended."""
    given = started(folder, *flags, **variables)
    written = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    text = "".join(f"{line}\n" for line in written)
    return subprocess.run(
        [given.command, *given.args],
        check=False,
        input=text,
        capture_output=True,
        text=True,
        env=given.env,
        cwd=folder,
        timeout=LIMIT_SECONDS,
    )


def test_it_ends_with_its_input_and_prints_the_protocol_alone(tmp_path: Path) -> None:
    done = ended(tmp_path, lines=(HELLO,))
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["result"]["serverInfo"]["name"] == "inboxkit"


NO_MESSAGES: list[tuple[str, str | int | None, int]] = [
    ('{"jsonrpc": "2.0", "id": 7, "method": "x", "params": {"half": "\\ud83d"}}', 7, -32700),
    ('{"jsonrpc": "2.0", "id": "\\ud83d", "method": "x"}', None, -32700),
    ('{"jsonrpc": "1.0", "id": "a", "method": "ping"}', "a", -32600),
    (f"[{json.dumps(HELLO)}]", None, -32600),
    ("hello", None, -32700),
    (f'{{"id": {"[" * 5_000}', None, -32700),
]


def test_a_line_that_is_no_message_is_refused_with_its_id(tmp_path: Path) -> None:
    done = ended(tmp_path, lines=(HELLO, "", " ", *(line for line, _, _ in NO_MESSAGES), HELLO))
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum("result" in one for one in answers) == 2
    assert [(one["id"], one["error"]["code"]) for one in answers if "error" in one] == [
        (id, code) for _, id, code in NO_MESSAGES
    ]


@pytest.mark.long
@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (
            ("--inbox", DESK),
            3,
            f"Inbox not found: {DESK}; make it with: inboxkit inbox create {DESK}",
        ),
        (("--allow-to", "ann"), 2, 'mcp_allow_to="ann" can match no address'),
        (("--send", "always"), 2, "'always' is not one of"),
    ],
    ids=["inbox", "allow-to", "send"],
)
def test_what_cannot_be_stops_the_start(
    tmp_path: Path, flags: tuple[str, ...], code: int, said: str
) -> None:
    done = ended(tmp_path, *flags)
    assert (done.returncode, done.stdout) == (code, "") and said in done.stderr


@pytest.mark.long
def test_a_server_that_is_not_there_and_a_wrong_key_stop_the_start(
    api: Api, tmp_path: Path
) -> None:
    away = ended(tmp_path, url="http://127.0.0.1:9")
    assert (away.returncode, away.stdout) == (5, "") and "nobody answers" in away.stderr
    wrong = ended(tmp_path, url=api.url, api_key="x" * 20)
    assert wrong.returncode == 2 and "API key is unknown" in wrong.stderr


def test_without_the_extra_it_names_the_extra(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['mcp'] = None; from inboxkit.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "mcp"],
        check=False,
        input="",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 2 and "pip install 'inboxkit[mcp]'" in done.stderr


@pytest.mark.long
def test_a_signal_ends_it_though_nothing_is_read(tmp_path: Path) -> None:
    given = started(tmp_path)
    with subprocess.Popen(
        [given.command, *given.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=given.env,
        cwd=tmp_path,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{json.dumps(HELLO)}\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.terminate()
        assert process.wait(LIMIT_SECONDS) == 0


@pytest.mark.long
def test_only_who_needs_it_imports_the_package() -> None:
    program = "import sys, inboxkit.kit, inboxkit.cli.serving; print('mcp' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert done.stdout == "False\n"

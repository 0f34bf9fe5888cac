"""Connections: kept, lost, refused, and addresses that are none."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import ConfigurationError, RemoteError
from inboxkit.client import AsyncClient, Client, Unreachable

from .conftest import KEY
from .scripted import Scripted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.http.api import Api

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def free_port() -> Iterator[int]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))  # bound, and nobody listens
        yield found.getsockname()[1]


NOBODY = r"^nobody answers at http://127\.0\.0\.1:\d+: connection refused; `inboxkit run`"


def test_nobody_there(free_port: int) -> None:
    client = Client(f"http://127.0.0.1:{free_port}")
    with client, pytest.raises(Unreachable, match=NOBODY):
        client.message("msg_1")


async def test_nobody_there_for_asyncio(free_port: int) -> None:
    async with AsyncClient(f"http://127.0.0.1:{free_port}") as client:
        with pytest.raises(Unreachable, match=NOBODY):
            await client.message("msg_1")


async def test_a_key_may_end_a_line_as_in_a_file(api: Api) -> None:
    async with AsyncClient(api.url, f"{KEY}\n") as client:
        assert (await client.inbox("line@inbox.example")).address == "line@inbox.example"


@pytest.mark.parametrize("key", [5, "ik_test_1\r\nX-Other: 1", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^api_key: ") as refused:
        Client("http://127.0.0.1:1", key)
    assert str(key) not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8025", "ftp://x", "http://", "http://x:99999", "http://\udcff"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ConfigurationError, match="no HTTP URL"):
        Client(url)


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_a_broken_connection_is_tried_once_more(first: bytes) -> None:
    server = Scripted(first, GOOD)
    with Client(server.url) as client, pytest.raises(RemoteError, match="has no"):  # it was read
        client.message("msg_1")
    server.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<html",
        b"HTTP/1.1 429 Slow\r\nContent-Length: 5\r\n\r\n<html",
        b'HTTP/1.1 418 Tea\r\nContent-Length: 32\r\n\r\n{"code":"teapot","message":"Short"}'[:72],
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["no JSON", "a page", "cut JSON", "a list", "another API"],
)
def test_answers_of_strangers_are_remote_errors(answer: bytes) -> None:
    server = Scripted(answer)
    with Client(server.url) as client, pytest.raises(RemoteError):
        client.message("msg_1")
    server.close()


def test_a_client_is_shared_by_threads(client: Client) -> None:
    inbox = client.inbox("shared@inbox.example")
    threads = [
        threading.Thread(target=inbox.send, args=("ann@example.com", str(n))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {m.subject for m in inbox.search()} == {str(n) for n in range(8)}


async def test_a_client_that_is_not_open_says_so() -> None:
    with pytest.raises(ConfigurationError, match="async with"):
        await AsyncClient().message("msg_1")


def test_neither_a_database_nor_a_server_is_imported() -> None:
    heavy = "{'sqlalchemy', 'sqlmodel', 'aiosmtpd', 'pydantic', 'alembic', 'aiohttp.web'}"
    code = f"import inboxkit.client, sys; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (ran.stdout.strip(), ran.stderr) == ("[]", "")


def test_messages_of_a_blocking_client_work_in_a_loop(client: Client) -> None:
    inbox = client.inbox("loop@inbox.example")
    sent = inbox.send("ann@example.com", "x")
    assert asyncio.run(sent.thread()).inbox == inbox.address

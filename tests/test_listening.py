"""How many connections there are descriptors for, and what is logged when there are none."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from inboxkit.edges import fitting
from inboxkit.listening import Seldom, places, serve
from inboxkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="counts no descriptors")

RAISED = """
import json, resource
from inboxkit.listening import descriptors, raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 3000))
raise_limit()
print(json.dumps([descriptors(), *resource.getrlimit(resource.RLIMIT_NOFILE)]))
"""
STARVED = """
import asyncio, resource, socket, sys
from inboxkit.listening import serve
async def main():
    server = await serve(asyncio.Protocol, ("127.0.0.1", 0))
    client = socket.socket()
    resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, 3000))
    client.connect(server.sockets[0].getsockname())
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    while not told:
        await asyncio.sleep(0)
    print(len(told))
asyncio.run(main())
"""


def printed(script: str, *arguments: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("descriptors", "expected"),
    [(65_536, (1_000, 4_000)), (5_160, (1_000, 4_000)), (1_024, (216, 648)), (64, (16, 48))],
)
def test_connections_fit_into_the_descriptors_of_a_process(
    descriptors: int, expected: Sequence[int]
) -> None:
    assert places(1_000, 4_000, descriptors) == expected
    fitted = fitting(Settings(), descriptors)
    assert (fitted.max_connections, fitted.http_max_connections) == expected


def test_few_connections_of_one_port_leave_the_others_to_the_other() -> None:
    assert places(10, 4_000, 1_024) == (10, 854)


def test_a_process_takes_the_descriptors_that_it_may_have() -> None:
    assert json.loads(printed(RAISED)) == [3000, 3000, 3000]


def test_without_a_descriptor_one_turn_makes_few_errors() -> None:
    assert int(printed(STARVED)) <= 9  # asyncio of 3.14 tries once more than it is told


def line(message: str, created: float) -> logging.LogRecord:
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, message, None, None)
    record.created = created
    return record


def test_that_nothing_can_be_accepted_is_logged_once_a_minute() -> None:
    seldom = Seldom()
    full = "socket.accept() out of system resource\nsocket: 1"
    passed = [second for second in range(150) if seldom.filter(line(full, 1_000.0 + second))]
    assert passed == [0, 60, 120]
    assert seldom.filter(line("Task was destroyed", 1_001.0))


async def test_many_may_wait_to_be_accepted() -> None:
    server = await serve(asyncio.Protocol, ("127.0.0.1", 0))
    where = server.sockets[0].getsockname()
    clients = [socket.create_connection(where, timeout=10) for _ in range(100)]  # or TimeoutError
    assert {client.getpeername() for client in clients} == {where}
    for client in clients:
        client.close()
    server.close()


async def test_a_server_says_seldom_that_it_cannot_accept() -> None:
    (await serve(asyncio.Protocol, ("127.0.0.1", 0))).close()
    assert any(isinstance(one, Seldom) for one in logging.getLogger("asyncio").filters)

"""Connections that hold a place and ask for nothing, and those that must keep theirs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from inboxkit import InboxKit
from inboxkit.http.app import DOOR, HttpServer
from inboxkit.http.door import Door
from inboxkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
WHOLE = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Serving:
    """A server whose requests for ``/wait`` are answered when ``release`` is set."""

    def __init__(self, door: Door, grace: float = 30) -> None:
        self.door = door
        app = web.Application(middlewares=[self.door.attend])
        app[DOOR] = self.door
        app.router.add_get("/", self._at_once)
        app.router.add_get("/wait", self._wait)
        app.router.add_get("/socket", self._socket)
        app.router.add_get("/large", self._large)
        self.server = HttpServer(app, "127.0.0.1:0", grace=grace)
        self.clients: list[Client] = []
        self.reached, self.gone = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self.release = asyncio.Event()

    async def _at_once(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _wait(self, _request: web.Request) -> web.Response:
        self.reached.release()
        await self.release.wait()
        return web.Response(text="waited")

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    async def _large(self, request: web.Request) -> web.Response:
        self.reached.release()
        request.task.add_done_callback(lambda _: self.gone.release())
        return web.Response(body=bytes(64 * 1024 * 1024))

    async def connect(self, first: bytes = b"") -> Client:
        client = await connected(self.server.url)
        self.clients.append(client)
        client.writer.write(first)
        return client

    async def stop(self) -> None:
        self.release.set()
        for client in self.clients:
            await client.close()
        await self.server.stop()


class Client:
    """One connection; every read has a timeout."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    async def status(self) -> int:
        """Return the status of the next answer, 0 when the connection has ended."""
        async with asyncio.timeout(30):
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                head = await self.reader.readuntil(b"\r\n\r\n")
                length = next(x for x in head.split(b"\r\n") if x.startswith(b"Content-Length"))
                await self.reader.readexactly(int(length.partition(b":")[2]))
                return int(head.split()[1])
        return 0


async def connected(url: str) -> Client:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return Client(*await asyncio.open_connection(host, int(port)))


def idle_for(seconds: float, door: Door) -> None:
    for visitor in door.connections:
        visitor.heard_at -= seconds


@asynccontextmanager
async def serving(
    *, stalled_seconds: float = 60, grace: float = 30, **limits: Any
) -> AsyncGenerator[Serving]:
    served = Serving(Door(Settings(**limits), stalled_seconds=stalled_seconds), grace)
    await served.server.start()
    try:
        yield served
    finally:
        await served.stop()


@pytest.mark.parametrize("said", [b"", HALF], ids=["nothing", "half a head"])
async def test_who_asks_for_nothing_is_shown_the_door(said: bytes) -> None:
    async with serving(http_head_seconds=0.05) as served:
        client = await served.connect(said)
        assert await client.status() == 0
        assert len(served.door.connections) == 0


async def test_who_has_asked_may_wait_for_longer() -> None:
    async with serving(http_head_seconds=0.05) as served, aiohttp.ClientSession() as session:
        waiting = await served.connect(WHOLE.replace(b"/ ", b"/wait ", 1))
        async with session.ws_connect(f"{served.server.url}/socket") as socket:
            await served.reached.acquire()
            assert await (await served.connect()).status() == 0  # the time is over
            await socket.send_str("still here")
            assert await socket.receive_str(timeout=30) == "still here"
            served.release.set()
            assert await waiting.status() == 200


async def test_a_client_has_so_many_places_and_others_have_theirs() -> None:
    async with serving(http_max_connections_per_client=2, trusted_networks=()) as served:
        held = [await served.connect(HALF) for _ in range(2)]
        assert await (await served.connect(WHOLE)).status() == 503
        held[0].writer.write(b"x\r\n\r\n")
        assert await held[0].status() == 200


async def test_half_heads_keep_nobody_out() -> None:
    async with serving(http_max_connections=3) as served:
        for _ in range(20):
            await served.connect(HALF)
        async with asyncio.timeout(30):
            while await (await served.connect(WHOLE)).status() != 200:
                pass
        assert len(served.door.visitors) <= 3


async def test_who_waits_for_an_answer_never_gives_way() -> None:
    async with serving(http_max_connections=3) as served:
        waiting = [await served.connect(WHOLE.replace(b"/ ", b"/wait ", 1)) for _ in range(3)]
        for _ in waiting:
            await served.reached.acquire()
        idle_for(10, served.door)
        assert await (await served.connect(WHOLE)).status() == 503
        served.release.set()
        assert [await client.status() for client in waiting] == [200] * 3
        idle_for(10, served.door)
        assert await (await served.connect(WHOLE)).status() == 200


async def test_who_does_not_take_its_answer_is_given_up() -> None:
    async with serving(stalled_seconds=0.05) as served:
        client = await served.connect(WHOLE.replace(b"/ ", b"/large ", 1))
        await served.reached.acquire()
        async with asyncio.timeout(30):
            await served.gone.acquire()
        assert await client.status() == 0


async def test_five_hundred_waits_at_once_of_one_client() -> None:
    async with serving(trusted_networks=()) as served:
        waiting = [await served.connect(WHOLE.replace(b"/ ", b"/wait ", 1)) for _ in range(500)]
        for _ in waiting:
            await served.reached.acquire()
        served.release.set()
        assert {await client.status() for client in waiting} == {200}


async def test_the_server_has_the_limits_of_its_settings(database: str) -> None:
    settings = Settings(database=database, http="127.0.0.1:0", http_head_seconds=0.05)
    async with InboxKit(settings=settings) as kit:
        await kit.runtime.edges.open(smtp="", http="127.0.0.1:0")
        client = await connected(kit.url)
        assert await client.status() == 0
        await client.close()


async def test_a_stop_does_not_wait_for_a_client_that_reads_slowly() -> None:
    async with serving(grace=0.1) as served:
        client = await served.connect(WHOLE.replace(b"/ ", b"/large ", 1))
        assert await client.reader.readexactly(8) == b"HTTP/1.1"
        async with asyncio.timeout(20):
            await served.server.stop()
            await served.gone.acquire()

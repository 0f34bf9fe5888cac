"""Connections to a provider are kept, and one that was closed meanwhile loses nothing."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from inboxkit.egress import Guard
from inboxkit.pipeline.transport import NotDelivered, Transport
from inboxkit.providers.base import HttpRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Server:
    """Remembers the port that each request came from; ``close`` closes after the answer."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.headers: list[dict[str, str]] = []
        self.close = False
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        self.ports.append(request.transport.get_extra_info("peername")[1])
        self.headers.append(dict(request.headers))
        if self.close:
            return web.Response(headers={"Connection": "close"})
        return web.Response(headers={"Set-Cookie": "session=1"})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found, app = Server(), web.Application()
    app.router.add_post("/", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield found
    await runner.cleanup()


async def post(transport: Transport, server: Server, times: int = 2) -> int:
    """Post one after the other; return how many connections that took."""
    for _ in range(times):
        await transport.http(HttpRequest(method="POST", url=server.url, body=b"{}"))
    await transport.close()
    return len(set(server.ports))


async def test_a_connection_is_used_again(server: Server) -> None:
    assert await post(Transport(connections=2), server) == 1


async def test_no_cookie_is_kept_and_nothing_compressed_is_asked_for(server: Server) -> None:
    # A cookie jar keeps none of an address, so it is asked for by a name.
    server.url = server.url.replace("127.0.0.1", "localhost")
    await post(Transport(connections=2), server)
    assert [one["Accept-Encoding"] for one in server.headers] == ["identity"] * 2
    assert not any("Cookie" in one for one in server.headers)


async def test_a_guarded_transport_goes_nowhere_private(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(_host: str, port: int, *_more: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", here)
    transport = Transport(guard=Guard())
    for url in (server.url, server.url.replace("127.0.0.1", "files.example")):
        with pytest.raises(NotDelivered) as caught:
            await transport.http(HttpRequest(method="POST", url=url, body=b"{}"))
        assert not caught.value.request_sent
    await transport.close()
    assert server.ports == []


async def test_downloads_have_a_connection_each(server: Server) -> None:
    assert await post(Transport(), server) == 2


async def test_a_server_that_closes_is_called_anew(server: Server) -> None:
    server.close = True
    assert await post(Transport(connections=2), server, times=3) == 3


async def test_no_connection_means_that_nothing_was_sent() -> None:
    transport = Transport(connections=2)
    with pytest.raises(NotDelivered) as broken:
        await transport.http(HttpRequest(method="POST", url="http://127.0.0.1:9/", body=b"{}"))
    await transport.close()
    assert not broken.value.request_sent

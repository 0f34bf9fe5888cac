"""MCP on the HTTP port: each request stands alone, and acts with the key that it brings.

The package's server speaks ASGI; it is asked here from aiohttp, and answers in JSON.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
from aiohttp import web

from ..http.api.app import API, guarded
from ..http.api.envelope import ApiError
from ..http.api.inside import Inside
from ..http.intake import BodyRefused
from ..parsing.extraction import FileReader
from .desk import desk
from .server import make_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, MutableMapping

    from mcp.server.mcpserver import Context

    from ..http.api.app import Api
    from .desk import Desk
    from .policy import Policy

_MOST_BYTES = 4 * 1024 * 1024
_CODES = {413: "payload_too_large", 415: "unsupported_media_type"}
_DESK = "inboxkit.desk"
_LEFT_OUT = frozenset({"content-length", "transfer-encoding", "connection"})


def serving(path: str, policy: Policy) -> Callable[[web.Application], None]:
    """Return what hangs the tools into an application, at this path."""

    def add(app: web.Application) -> None:
        served = Served(app[API], policy)
        app.router.add_post(path, guarded(served.answer))
        app.cleanup_ctx.append(served.running)

    return add


class Served:
    """The tools of one application."""

    def __init__(self, api: Api, policy: Policy) -> None:
        self._api = api
        self._policy = policy
        self._files = FileReader()  # one for all: each request has a desk of its own
        server = make_server(policy, _desk_of)
        server.streamable_http_app(
            json_response=True,
            stateless_http=True,
            host="",  # who may ask without a key is told by ``Access``, stricter than there
            max_request_body_size=_MOST_BYTES,
        )
        self._manager = server.session_manager

    async def running(self, _app: web.Application) -> AsyncGenerator[None]:
        """Keep the package's server running, in a task of its own: aiohttp ends it in another."""
        started, over = asyncio.Event(), asyncio.Event()

        async def run() -> None:
            async with self._manager.run():
                started.set()
                await over.wait()

        task = asyncio.create_task(run(), name="inboxkit-mcp")
        task.add_done_callback(lambda _: started.set())  # one that failed says so at the end
        await started.wait()
        yield
        over.set()
        await task

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request; raise ApiError for one that nobody may make."""
        who = await self._api.access.identify(request)
        inside = Inside(self._api, who, request.transport)
        found = desk(inside, self._policy, files=self._files)
        try:
            async with self._api.parts.intake.of(request, most=_MOST_BYTES) as body:
                return await self._asked(_scope(request, found), body)
        except BodyRefused as refused:
            raise ApiError(
                _CODES.get(refused.status, "service_unavailable"), str(refused)
            ) from None

    async def _asked(self, scope: dict[str, Any], body: bytes) -> web.Response:
        """Ask the package's server, as ASGI has it."""
        unread = [{"type": "http.request", "body": body, "more_body": False}]
        head: MutableMapping[str, Any] = {}
        pieces: list[bytes] = []

        async def receive() -> MutableMapping[str, Any]:
            if not unread:
                await anyio.sleep_forever()  # who hangs up is noticed by the waits themselves
            return unread.pop()

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
            else:
                pieces.append(message.get("body", b""))

        await self._manager.handle_request(scope, receive, send)
        given = {name.decode("latin-1"): value.decode("latin-1") for name, value in head["headers"]}
        headers = {name: value for name, value in given.items() if name.lower() not in _LEFT_OUT}
        return web.Response(status=head["status"], headers=headers, body=b"".join(pieces))


def _scope(request: web.Request, found: Desk) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.scheme,
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query_string.encode(),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "client": None,
        "server": None,
        _DESK: found,
    }


def _desk_of(context: Context[Any, Any]) -> Desk:
    """Return the desk of the request that a tool is called by."""
    request: Any = context.request_context.request
    found: Desk = request.scope[_DESK]
    return found

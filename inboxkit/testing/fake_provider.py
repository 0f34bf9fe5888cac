"""A provider's Fake behind a real HTTP port on loopback, with the faults that real ones have."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Self

import aiohttp
import anyio
from aiohttp import web

from ..providers.base import HttpRequest, HttpResponse, WebhookRequest

if TYPE_CHECKING:
    from ..providers.fake import Fake

_MOST_BODY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Drop:
    """Instead of an answer: the connection breaks, after the Fake has taken the request or not."""

    taken: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """A request that is kept waiting: ``reached`` says that it came, ``release`` lets it go on."""

    reached: anyio.Event = field(default_factory=anyio.Event)
    release: anyio.Event = field(default_factory=anyio.Event)


class FakeProvider:
    """Serves a Fake while it is entered, and posts its webhooks.

    ``requests`` are those that came, each read to its end, whatever they were answered with.
    """

    def __init__(self, fake: Fake) -> None:
        self.requests: list[HttpRequest] = []
        self._fake = fake
        self._next: deque[HttpResponse | _Drop | Hold] = deque()
        app = web.Application(client_max_size=_MOST_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The base URL to give to the provider's settings."""
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    def answer_next(self, *answers: HttpResponse) -> None:
        """Give these answers to the next requests, and do nothing else with them."""
        self._next.extend(answers)

    def drop_next(self, *, taken: bool) -> None:
        """Break the connection after the next request; ``taken``: its message goes out anyway."""
        self._next.append(_Drop(taken))

    def hold_next(self) -> Hold:
        """Let the next request wait for its answer until the Hold is released."""
        held = Hold()
        self._next.append(held)
        return held

    async def post(self, webhook: WebhookRequest, url: str) -> int:
        """Post a webhook as the vendor does; return the status it was answered with."""
        headers, body = dict(webhook.headers), BytesIO(webhook.body)
        async with (
            aiohttp.ClientSession() as session,
            session.request(webhook.method, url, data=body, headers=headers) as answer,
        ):
            await answer.read()
            return answer.status

    async def _handle(self, request: web.Request) -> web.Response:
        asked = HttpRequest(
            method=request.method,
            url=f"{self.url}{request.path_qs}",
            headers=dict(request.headers),
            body=await request.read(),
        )
        self.requests.append(asked)
        answer = self._next.popleft() if self._next else self._fake.handle(asked)
        if isinstance(answer, _Drop):
            return self._drop(request, asked, taken=answer.taken)
        if isinstance(answer, Hold):
            answer.reached.set()
            await answer.release.wait()
            answer = self._fake.handle(asked)
        return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)

    def _drop(self, request: web.Request, asked: HttpRequest, *, taken: bool) -> web.Response:
        if taken:
            self._fake.handle(asked)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)  # nobody hears it

"""A provider's Fake behind a real HTTP port on loopback, with the faults that real ones have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import aiohttp
from aiohttp import web

from .desk import Desk, Fault, Hold
from .posting import post

if TYPE_CHECKING:
    from ..providers.base import HttpRequest, HttpResponse, WebhookRequest
    from ..providers.fakes.fake import Fake

MOST_BODY_BYTES = 64 * 1024 * 1024
STOP_SECONDS = 1.0  # requests that hang on purpose would hold up the end of a test


class FakeProvider:
    """Serves a Fake while it is entered, and posts its webhooks.

    ``requests`` are those that came, each read to its end, whatever they were answered with.
    """

    def __init__(self, fake: Fake) -> None:
        self.requests: list[HttpRequest] = []
        self._desk = Desk(fake, self.requests)
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=STOP_SECONDS
        )

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
        self._desk.next.extend(answers)

    def drop_next(self, *, taken: bool) -> None:
        """Break the connection after the next request; ``taken``: its message goes out anyway."""
        self._desk.next.append(Fault("drop", taken=taken))

    def hold_next(self) -> Hold:
        """Let the next request wait for its answer until the Hold is released."""
        held = Hold()
        self._desk.next.append(held)
        return held

    async def post(self, webhook: WebhookRequest, url: str) -> int:
        """Post a webhook as the vendor does; return the status it was answered with."""
        async with aiohttp.ClientSession() as session:
            return await post(session, webhook, url)

    async def _handle(self, request: web.Request) -> web.Response:
        return await self._desk.answer(request, f"{self.url}{request.path_qs}")

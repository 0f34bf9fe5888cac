"""Requests of this process: the API answers them as those that come by HTTP, without a connection.

Who asks is told apart before, so permissions, scopes and checks are the same ones.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import anyio
from aiohttp import web

from ...blocking import in_thread
from ...client.transport import Answer
from . import downloads, input
from .app import Origin, enveloped

if TYPE_CHECKING:
    from asyncio import BaseTransport

    from ...client.transport import Question
    from .access import Identity
    from .app import Api

_DOWNLOAD = "/download/"


class Inside:
    """Carries the requests of one caller, as ``client.transport.Transport`` says.

    ``line`` is the connection of whoever waits for the answers in the end: once it is closed,
    waits are given up.
    """

    def __init__(self, api: Api, who: Identity, line: BaseTransport | None = None) -> None:
        self._api = api
        self._who = who
        self._line = line

    async def ask(self, question: Question) -> Answer:
        """Return the answer; errors are in the envelope, as over HTTP."""
        path = question.target.partition("?")[0]
        response = await enveloped(self._answer(question), f"{question.method} {path}")
        body = response.body
        assert body is None or isinstance(body, (bytes, bytearray))
        return Answer(response.status, bytes(body or b""), response.headers.get("ETag", ""))

    async def _answer(self, question: Question) -> web.Response:
        if question.target.startswith(_DOWNLOAD):
            return await self._download(question.target.removeprefix(_DOWNLOAD))
        found = self._api.table.find(question.method, question.target)

        async def body() -> Any:
            kind = question.headers.get("Content-Type", "")
            return await input.checked(question.body or b"", kind, found.route.takes)

        origin = Origin(self._who, question.headers, "", self._line)
        return await self._api.answer(found, origin, body)

    async def _download(self, grant: str) -> web.Response:
        file = await downloads.opened(self._api.parts, grant)
        data = file.data
        return web.Response(body=data if isinstance(data, bytes) else await in_thread(_read, data))

    async def pause(self, seconds: float) -> None:
        """Return after so many seconds."""
        await anyio.sleep(seconds)


def _read(file: IO[bytes]) -> bytes:
    with file:
        return file.read()

"""A database that falls silent: its connections stay, and nothing comes any more."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_SOCKET = ".s.PGSQL.5432"


class Line:
    """The way to a PostgreSQL server, which passes everything on until it is cut."""

    def __init__(self, url: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="inboxkit-line-"))
        parsed = make_url(url)
        self._server = str(Path(str(parsed.query["host"])) / _SOCKET)
        self.url = parsed.update_query_dict({"host": str(self._folder)}).render_as_string(False)
        self._passed_on: set[asyncio.Task[Any]] = set()
        self._passing = asyncio.Event()
        self._passing.set()

    def cut(self) -> None:
        self._passing.clear()

    def mend(self) -> None:
        self._passing.set()

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        listener = await asyncio.start_unix_server(self._connected, self._folder / _SOCKET)
        try:
            async with listener:
                yield
                await self._hang_up()
        finally:
            shutil.rmtree(self._folder)

    async def _hang_up(self) -> None:
        """End what nobody has ended: a connection of whoever gave up may live until the next gc."""
        for task in self._passed_on:
            task.cancel()
        await asyncio.gather(*self._passed_on, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._server)
        both = ((reader, back), (there, writer))
        tasks = [asyncio.create_task(self._pass_on(*ways)) for ways in both]
        self._passed_on.update(tasks)
        await asyncio.wait(tasks)

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                await self._passing.wait()
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass
        finally:
            target.close()

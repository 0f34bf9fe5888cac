"""The real runtime in a thread and an event loop of its own, for tests of any kind."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from ..clock import Clock
from ..kit import InboxKit
from ..settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

T = TypeVar("T")
_START_SECONDS = 30.0


class Runner:
    """Starts a kit with a temporary database and free ports; ``call`` reaches into its loop."""

    def __init__(self, **settings: Any) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="inboxkit-")
        database = f"sqlite:///{Path(self._folder.name) / 'test.db'}"
        given = {"database": database, "smtp": "127.0.0.1:0", "http": "127.0.0.1:0"}
        self.clock = Clock()
        self.kit = InboxKit(settings=Settings(**{**given, **settings}), clock=self.clock)
        self.kit.plan_messages()
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="inboxkit-test", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start; raise what stopped the start."""
        self._thread.start()
        self._ready.result(_START_SECONDS)

    def stop(self) -> None:
        """Stop the kit and its loop, and delete the database."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.kit.stop)
        self._thread.join(_START_SECONDS)
        self._folder.cleanup()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        try:
            async with self.kit:
                self._loop = asyncio.get_running_loop()
                await self.kit.runtime.edges.open(
                    smtp=self.kit.settings.smtp, http=self.kit.settings.http
                )
                self._ready.set_result(None)
                await self.kit.serve()
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    def call(self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Run a coroutine function in the kit's loop and wait for it, blocking."""
        return self._submit(function, *args, **kwargs).result()

    async def acall(self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """The same from an event loop of asyncio or trio, without blocking it."""
        future = self._submit(function, *args, **kwargs)
        try:
            return await anyio.to_thread.run_sync(future.result, abandon_on_cancel=True)
        except anyio.get_cancelled_exc_class():
            future.cancel()
            raise

    def _submit(
        self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any
    ) -> Future[T]:
        if self._loop is None:
            raise RuntimeError("the sandbox is not running")

        async def work() -> T:
            return await function(*args, **kwargs)

        coroutine: Coroutine[Any, Any, T] = work()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

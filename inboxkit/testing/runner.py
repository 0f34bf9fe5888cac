"""The real runtime in a thread and an event loop of its own, for tests of any kind."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from ..clock import Clock
from ..kit import InboxKit
from ..settings import Settings
from .call import Call
from .template import fresh_database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
_START_SECONDS, _STOP_SECONDS = 30.0, 45.0  # a kit that is closed waits 30 for its calls
_ANY_PORT = "127.0.0.1:0"


class Runner:
    """Starts a kit with a temporary database and free ports; ``call`` reaches into its loop."""

    def __init__(self, *, clock: Clock | None = None, **settings: Any) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="inboxkit-")
        database = fresh_database(Path(self._folder.name) / "test.db")
        given: dict[str, Any] = {"database": database, "smtp": _ANY_PORT, "http": _ANY_PORT}
        self.clock = clock or Clock()
        self.kit = InboxKit(settings=Settings(**given | settings), clock=self.clock)
        self.kit.plan_messages()
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="inboxkit-test", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._lock = threading.Lock()  # of the two below
        self._calls: set[Call[Any]] = set()  # those that are not answered
        self._has_ended = False

    def start(self) -> None:
        """Start; raise what stopped the start."""
        self._thread.start()
        try:
            self._ready.result(_START_SECONDS)
        except BaseException:
            self._folder.cleanup()
            raise

    def stop(self) -> None:
        """Stop the kit and its loop, and delete the database; raise what broke meanwhile."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended, perhaps just now
                self._loop.call_soon_threadsafe(self._end)  # one call: after it, it may be gone
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            raise RuntimeError("the runtime does not stop; does a handler block its event loop?")
        self._folder.cleanup()
        if self._failure is not None:
            raise self._failure

    def _end(self) -> None:
        assert self._over is not None
        self.kit.stop()
        self._over.set()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        try:
            async with self.kit:
                self._loop = asyncio.get_running_loop()
                settings, edges = self.kit.settings, self.kit.runtime.edges
                await edges.open(smtp=settings.smtp, http=settings.http)
                self._ready.set_result(None)
                await self.kit.serve()
        except Exception as failure:  # noqa: BLE001 - told to the thread that started or calls us
            if not self._ready.done():
                self._ready.set_exception(failure)
                return
            self._failure = failure
            await self._over.wait()  # whoever calls meanwhile is told of the failure
        finally:
            self._refuse()

    def _refuse(self) -> None:
        """Take no call any more, and answer those that nobody would: the loop is about to end."""
        with self._lock:
            self._has_ended, left = True, list(self._calls)
        for call in left:
            call.refuse(_not_running())

    def call(self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Run a coroutine function in the kit's loop and wait for it, blocking."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("called from a handler, whose loop would wait for itself")
        return self._begin(function, *args, **kwargs).answer.result()

    async def acall(
        self,
        function: Callable[..., Awaitable[T]],
        *args: Any,
        undo: Callable[[T], Awaitable[None]] | None = None,
        **kwargs: Any,
    ) -> T:
        """The same from an event loop of asyncio or trio, without blocking it.

        When the caller is cancelled, the call is too; a result that came too late goes to ``undo``.
        """
        begun = self._begin(function, *args, **kwargs)
        alone = anyio.CapacityLimiter(1)  # or forty waits would be all there can be at once
        try:
            return await anyio.to_thread.run_sync(
                begun.answer.result, abandon_on_cancel=True, limiter=alone
            )
        except anyio.get_cancelled_exc_class():
            begun.abandon(undo)
            raise

    def _begin(self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> Call[T]:
        if self._failure is not None:
            raise self._failure

        async def work() -> T:
            return await function(*args, **kwargs)

        with self._lock:
            if self._loop is None or self._has_ended:
                raise _not_running()
            begun = Call(self._loop, work())
            self._calls.add(begun)
        begun.answer.add_done_callback(lambda _: self._forget(begun))
        return begun

    def _forget(self, call: Call[Any]) -> None:
        with self._lock:
            self._calls.discard(call)


def _not_running() -> RuntimeError:
    return RuntimeError("the sandbox is not running")

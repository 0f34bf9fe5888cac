"""Wake-ups between processes on one PostgreSQL: LISTEN and NOTIFY, on a connection of their own.

A notice that is lost with the connection costs nothing: once it is back, every topic is rung.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from .postgres import own_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Engine

log = logging.getLogger("inboxkit.notices")
_CHANNEL = "inboxkit"
_SETTLING_SECONDS = 0.005
_LONGEST_PAUSE = 2.0
_TELL = "SELECT pg_notify(%s, %s)"
_IS_HELD_UP = "SELECT EXISTS (SELECT FROM inboxkit_event WHERE seq >= inboxkit_event_horizon())"


class Notices:
    """Tells the other processes what a commit made ready, and hears them; in a thread of its own.

    Entries of the event log can be read once no older transaction is open. Their readers are told
    at once, and again when that has come: nobody else would tell them.
    """

    def __init__(self, engine: Engine, topics: Sequence[str]) -> None:
        self._engine = engine
        self._topics = topics
        self._pending: deque[str] = deque()
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._begun = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="inboxkit-notices", daemon=True)
        self._heard: Callable[[Iterable[str]], None]

    def listen(self, heard: Callable[[Iterable[str]], None]) -> None:
        """Begin; ``heard`` is called from another thread with the topics of each notice.

        Return once notices are heard, or the first attempt to hear them has failed.
        """
        self._heard = heard
        self._thread.start()
        self._begun.wait()

    def ring(self, topics: Iterable[str]) -> None:
        """Tell every process of these topics; from any thread, without waiting."""
        self._pending.extend(topics)
        with contextlib.suppress(BlockingIOError):  # it is full of wake-ups already
            self._waker.send(b"!")

    def close(self) -> None:
        """Tell what is pending, then stop."""
        self._stopping.set()
        self.ring(())
        if self._thread.is_alive():
            self._thread.join()
        self._woken.close()
        self._waker.close()

    def _work(self) -> None:
        pause = 0.1
        while True:
            try:
                with own_connection(self._engine) as connection:
                    connection.add_notify_handler(self._receive)
                    connection.execute(f"LISTEN {_CHANNEL}")
                    if self._begun.is_set():
                        self._heard(self._topics)  # what was said while nobody listened
                    self._begun.set()
                    pause = 0.1
                    self._serve(connection)
                return
            except (SQLAlchemyError, OSError) as error:
                self._begun.set()
                if self._stopping.wait(pause):
                    return
                log.warning("notices of PostgreSQL: %s; trying again", error)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _serve(self, connection: Any) -> None:
        held_up = False
        while True:
            ready, _, _ = select.select(
                [self._woken, connection], [], [], _SETTLING_SECONDS if held_up else None
            )
            if connection in ready:
                self._take(connection)
            topics = self._drain()
            if topics:
                connection.execute(_TELL, (_CHANNEL, " ".join(sorted(topics))))
            if "event" in topics or held_up:
                before, held_up = held_up, self._is_held_up(connection)
                if before:
                    self._heard(("event",))
            if self._stopping.is_set() and not self._pending:
                return

    def _is_held_up(self, connection: Any) -> bool:
        return bool(connection.execute(_IS_HELD_UP).fetchone()[0])

    def _drain(self) -> set[str]:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        topics = set[str]()
        with contextlib.suppress(IndexError):
            while True:
                topics.add(self._pending.popleft())
        return topics

    def _take(self, connection: Any) -> None:
        """Hear what came while no statement of ours was under way."""
        connection.pgconn.consume_input()
        while (notice := connection.pgconn.notifies()) is not None:
            if notice.be_pid != connection.pgconn.backend_pid:
                self._heard(notice.extra.decode("ascii", "replace").split())

    def _receive(self, notice: Any) -> None:
        """Hear what came along with the answer to a statement."""
        self._heard(notice.payload.split())

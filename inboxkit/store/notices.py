"""Wake-ups between processes on one PostgreSQL: LISTEN and NOTIFY, on a connection of their own.

A notice that is lost with the connection costs nothing: once it is back, every topic is rung.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from ..complaints import Complaint
from ..errors import StoreError
from .postgres import own_connection
from .refusals import words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from sqlalchemy import Engine

log = logging.getLogger("inboxkit.notices")
_CHANNEL = "inboxkit"
_SETTLING_SECONDS = 0.005
_LONGEST_SETTLING = 0.5  # while a transaction stays open, whosever it is
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_LAST_SECONDS = 1.0  # for entries that are held up as this process ends
_TELL = "SELECT pg_notify(%s, %s)"
_LOOK = (
    "SELECT horizon, EXISTS (SELECT FROM inboxkit_event WHERE seq >= horizon){and_more}"
    " FROM inboxkit_event_horizon() AS horizon"
)
_ONLY_LOOK = _LOOK.format(and_more="")
# Looked before it is told: an entry that was held up then is told of again, whoever was quicker.
_LOOK_AND_TELL = _LOOK.format(and_more=", pg_notify(%s, %s)")


class Notices:
    """Tells the other processes what a commit made ready, and hears them; in a thread of its own.

    Entries of the event log can be read once no older transaction is open. Their readers are told
    at once, and again when that has come, those of all processes: nobody else would tell them.
    """

    def __init__(self, engine: Engine, topics: Sequence[str]) -> None:
        self._engine = engine
        self._topics = topics
        self._pending = set[str]()
        self._lock = threading.Lock()  # of what is pending
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._begun = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="inboxkit-notices", daemon=True)
        self._leaves_at = 0.0
        self._horizon = -1
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
        with self._lock:
            self._pending.update(topics)
        with contextlib.suppress(BlockingIOError):  # it is full of wake-ups already
            self._waker.send(b"!")

    def stop(self) -> None:
        """Hear nothing more once the connection is lost."""
        self._stopping.set()

    def close(self) -> None:
        """Tell what is pending, then stop; entries that are held up get a moment.

        Whoever is not told of them finds them two seconds later, by the beat of the store.
        """
        self._leaves_at = time.monotonic() + _LAST_SECONDS
        self._stopping.set()
        self.ring(())
        if self._thread.is_alive():
            self._thread.join()
        self._woken.close()
        self._waker.close()

    def _work(self) -> None:
        pause, complaint = _FIRST_PAUSE, Complaint(log, logging.WARNING)
        while True:
            begun = time.monotonic()
            try:
                with own_connection(self._engine) as connection:
                    connection.add_notify_handler(self._receive)
                    connection.execute(f"LISTEN {_CHANNEL}")
                    if self._begun.is_set():
                        self._heard(self._topics)  # what was said while nobody listened
                    self._begun.set()
                    complaint.over()
                    self._serve(connection)
                return
            except Exception as error:
                self._begun.set()
                if time.monotonic() - begun > _LONGEST_PAUSE:  # it went well for a time
                    pause = _FIRST_PAUSE
                if self._stopping.wait(pause):
                    return
                said = f"notices of PostgreSQL: {words(error)}; trying again"
                if isinstance(error, SQLAlchemyError | OSError | StoreError):
                    complaint.say(said)
                else:
                    log.warning("%s", said, exc_info=True)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _serve(self, connection: Any) -> None:
        with selectors.DefaultSelector() as selector:  # select() takes no file above 1,024
            for source in (self._woken, connection):
                selector.register(source, selectors.EVENT_READ)
            self._serve_with(selector, connection)

    def _serve_with(self, selector: selectors.BaseSelector, connection: Any) -> None:
        pause: float | None = None
        while True:
            ready = selector.select(pause)
            if any(key.fileobj is connection for key, _ in ready):
                self._take(connection)
            topics = self._drain()
            if "event" in topics or pause is not None:
                pause = self.rest(connection, pause, topics)
            elif topics:
                self._tell(connection, _TELL, topics)
            if self._has_ended(pause):
                return

    def _has_ended(self, pause: float | None) -> bool:
        if not self._stopping.is_set() or self._pending:
            return False
        return pause is None or time.monotonic() >= self._leaves_at

    def _tell(self, connection: Any, statement: str, topics: Collection[str]) -> Any:
        try:
            return connection.execute(statement, (_CHANNEL, " ".join(sorted(topics)))).fetchone()
        except BaseException:
            self.ring(topics)  # by the next connection
            raise

    def rest(
        self, connection: Any, pause: float | None, topics: Collection[str] = ()
    ) -> float | None:
        """Look whether entries are held up; return when to look again, ever later, or None.

        Every process is told of ``topics``, and whoever reads of each entry that can be read now.
        """
        if topics:
            horizon, is_held_up, _ = self._tell(connection, _LOOK_AND_TELL, topics)
        else:
            horizon, is_held_up = connection.execute(_ONLY_LOOK).fetchone()
        has_moved, self._horizon = horizon != self._horizon, horizon
        if pause is not None and has_moved:
            self._heard(("event",))
        if not is_held_up:
            if pause is not None:
                self.ring(("event",))  # the other processes wait for it as well
            return None
        if pause is None or has_moved:
            return _SETTLING_SECONDS
        return min(2 * pause, _LONGEST_SETTLING)

    def _drain(self) -> set[str]:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        with self._lock:
            topics, self._pending = self._pending, set[str]()
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

"""The socket ``/v0``: a client subscribes, and is told of events as they come.

It speaks as AgentMail does; beside that a client may give ``after`` to go on where it stopped.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import ValidationError

from ...errors import InboxKitError
from ...store import events, pods
from .envelope import CODES, ApiError, invalid, malformed, not_found, refusal
from .events import inbox_rows, place
from .live import Wish
from .schemas.events import Place, SocketError, Subscribe, Subscribed, frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Connection

    from ...store.reach import Reach
    from ..parts import Parts
    from .access import Access
    from .schemas.wire import Wire

log = logging.getLogger("inboxkit.socket")
_MOST_FRAME_BYTES = 64 * 1024
_HEARTBEAT_SECONDS = 30
_SEND_SECONDS = 30
_LOOK_SECONDS = 1
_CLOSE_SECONDS = 2  # for the client to say goodbye as well
_PAGE = 100
_LONGEST_WAIT = 300.0
_HANDSHAKE = ("Sec-WebSocket-Key", "Sec-WebSocket-Version")
PERMISSION = "message_read"


def route(parts: Parts, access: Access) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of the socket; raise ApiError before there is one."""

    async def serve(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise ApiError("not_found", "This is a WebSocket", fix="see /docs for other routes")
        for name in _HANDSHAKE:  # aiohttp reads them as ASCII
            if not request.headers.get(name, "").isascii():
                raise invalid("is not ASCII", name)

        async def reach() -> Reach:
            who = await access.identify(request)
            if not who.allows(PERMISSION):
                raise ApiError("missing_permission", f"The key lacks the permission {PERMISSION}")
            return who.reach()

        now = await reach()
        socket = web.WebSocketResponse(
            timeout=_CLOSE_SECONDS, heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_MOST_FRAME_BYTES
        )
        await socket.prepare(request)
        await Session(parts, socket, now, reach).run()
        return socket

    return serve


class Session:
    """One socket: what it wants, and how far it was told.

    ``again`` returns what its key reaches now; it raises ApiError once that may not listen.
    """

    def __init__(
        self,
        parts: Parts,
        socket: web.WebSocketResponse,
        reach: Reach,
        again: Callable[[], Awaitable[Reach]],
    ) -> None:
        self._parts = parts
        self._live = parts.live
        self._socket = socket
        self._reach = reach
        self._again = again
        self._looked_at = anyio.current_time()
        self._wish: Wish | None = None
        self._cursor = 0
        self._subscribed = anyio.Event()

    async def run(self) -> None:
        """Serve until either side closes."""
        with suppress(ApiError), self._live.listeners.entered(None):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._tell)
                await self._listen()
                tasks.cancel_scope.cancel()
        await self._socket.close(code=WSCloseCode.GOING_AWAY)

    async def _listen(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                await self._refuse(ApiError("validation_error", "Send text frames with JSON"))
                continue
            try:
                await self._subscribe(Subscribe.model_validate(frame(message.data)))
            except ValidationError as error:
                await self._refuse(malformed(error))
            except ValueError:
                await self._refuse(ApiError("validation_error", "The frame is not a JSON object"))
            except ApiError as error:
                await self._refuse(error)
            except InboxKitError as error:
                await self._refuse(refusal(error))

    async def _subscribe(self, asked: Subscribe) -> None:
        """Take a wish in place of the one before; raise ApiError."""
        await self._look_again()
        rows = await self._parts.store.read(inbox_rows, self._reach, asked.inbox_ids)
        await self._parts.store.read(check_pods, self._reach, asked.pod_ids)
        again = asked.after is not None or self._wish is None
        cursor = place(asked.after, self._live) if again else self._cursor
        said = Subscribed(
            event_types=asked.event_types or None,
            inbox_ids=asked.inbox_ids or None,
            pod_ids=asked.pod_ids or None,
            inboxkit=Place(cursor=events.cursor_id(cursor)),
        )
        await self._send(said)
        types = frozenset(asked.event_types) or None
        self._wish = Wish(self._reach, types, frozenset(rows), frozenset(asked.pod_ids))
        self._cursor = cursor
        self._subscribed.set()

    async def _tell(self) -> None:
        """Tell what comes; when the database refuses, the client is to come again and resume."""
        await self._subscribed.wait()
        try:
            await self._follow()
        except ApiError as error:  # its key has ended
            await self._refuse(error)
            await self._socket.close(code=WSCloseCode.POLICY_VIOLATION)
        except InboxKitError as error:
            log.warning("a socket is closed: %s", error)
            await self._socket.close(code=WSCloseCode.TRY_AGAIN_LATER)

    async def _follow(self) -> None:
        while not self._socket.closed:
            seen, begun = self._live.seen(), self._cursor
            assert self._wish is not None
            told, cursor, more = await self._live.after(begun, self._wish, limit=_PAGE)
            if told:
                await self._look_again()
            for one in told:
                if not one.is_within(self._reach):
                    continue
                event = await self._live.event(one)
                if event is not None:
                    await self._send(event)
            if self._cursor == begun:  # unless it was set back meanwhile
                self._cursor = cursor
                if not more:
                    await self._live.more(seen, timeout=_LONGEST_WAIT)

    async def _look_again(self) -> None:
        """Raise ApiError when the key may not listen any more; asks once a second at most."""
        now = anyio.current_time()
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._reach = await self._again()
        self._looked_at = now
        if self._wish is not None:
            self._wish = replace(self._wish, reach=self._reach)

    async def _refuse(self, error: ApiError) -> None:
        await self._send(SocketError(name=CODES[error.code][1], message=error.message))

    async def _send(self, said: Wire) -> None:
        """Send; a client that takes nothing for half a minute is let go, and can resume."""
        try:
            with anyio.fail_after(_SEND_SECONDS):
                await self._socket.send_str(said.dumped().decode())
        except (TimeoutError, ConnectionError):
            log.info("a socket takes nothing any more")
            await self._socket.close(code=WSCloseCode.TRY_AGAIN_LATER)


def check_pods(connection: Connection, reach: Reach, ids: Sequence[str]) -> None:
    """Raise ApiError for a pod that is not within reach."""
    for name in ids:
        found = pods.find(connection, name)
        if found is None or not reach.holds(found.id, None):
            raise not_found("Pod", name)

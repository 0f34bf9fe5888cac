"""A stream of events that says that something is new, and not what: the page asks for that itself.

Its caller is looked at again each time, so that it ends with a session or a key.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import anyio
from aiohttp import web

from ...errors import InboxKitError
from ..api.envelope import ApiError
from ..api.live import Wish
from ..api.schemas.events import TYPES
from ..api.websocket import PERMISSION
from .rendering import HEADERS
from .signing_in import check_same_origin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..api.live import Live
    from .look import Look

log = logging.getLogger("inboxkit.pages")
_MOST_STREAMS = 100  # in one process: each looks into the log whenever something happens
_MOST_OF_ONE = 25  # with one key; without a stored one, from one address
_SILENT_SECONDS = 15.0  # proxies close what is silent for longer, and a session may have ended
_PAUSE_SECONDS = 1.0  # a flood of mail is one piece of news a second
_PAGE = 500
_HEADERS = {**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
_BEGIN = b"retry: 5000\n\n"
_NEWS = b"event: news\ndata: 1\n\n"
_NOTHING = b": nothing new\n\n"


class News:
    """The streams of one server. ``again`` looks at who asks, as when it began."""

    def __init__(self, live: Live, again: Callable[[web.Request], Awaitable[Look]]) -> None:
        self._live = live
        self._again = again
        self._streams: Counter[int | str] = Counter()  # by who listens

    async def stream(self, look: Look) -> web.StreamResponse:
        """Tell of news until the client leaves, may see nothing any more, or the server stops."""
        check_same_origin(look.request)
        _check_permission(look)
        who = _listener(look)
        if self._streams[who] >= _MOST_OF_ONE:
            raise _busy(f"{_MOST_OF_ONE} pages are open with this key, or from this address")
        if self._streams.total() >= _MOST_STREAMS:
            raise _busy("Too many pages are open")
        self._streams[who] += 1
        try:
            return await self._told(look)
        finally:
            self._streams[who] -= 1
            self._streams += Counter()  # drops who has none any more

    async def _told(self, look: Look) -> web.StreamResponse:
        answer = web.StreamResponse(headers=_HEADERS)
        cursor = self._live.end  # what happens from the moment that the client hears of it
        await answer.prepare(look.request)
        try:
            with self._live.listeners.entered(look.request.transport):
                await answer.write(_BEGIN)
                await self._tell(look.request, answer, cursor)
        except InboxKitError as error:
            log.warning("a stream of news ends: %s", error)
        except (ApiError, ConnectionError) as end:
            # The session has ended, the server is stopping, or nobody is there any more.
            log.debug("a stream of news ends: %s", end)
        return answer

    async def _tell(self, request: web.Request, answer: web.StreamResponse, cursor: int) -> None:
        written_at = anyio.current_time()
        while True:
            seen = self._live.seen()
            look = await self._again(request)
            _check_permission(look)
            wish = Wish(look.who.reach(), TYPES)
            told, cursor, more = await self._live.after(cursor, wish, limit=_PAGE)
            is_silent = anyio.current_time() - written_at >= _SILENT_SECONDS
            if told or is_silent:
                await answer.write(_NEWS if told else _NOTHING)
                written_at = anyio.current_time()
            await anyio.sleep(_PAUSE_SECONDS)
            if not more:
                await self._live.more(seen, timeout=_SILENT_SECONDS)


def _listener(look: Look) -> int | str:
    """Return whose share a stream is of: a key's, so that no reader takes the places of all."""
    return look.request.remote or "" if look.who.key is None else look.who.key.id


def _busy(why: str) -> ApiError:
    return ApiError("service_unavailable", why, headers={"Retry-After": "30"})


def _check_permission(look: Look) -> None:
    if not look.who.allows(PERMISSION):
        raise ApiError("missing_permission", f"The key lacks the permission {PERMISSION}")

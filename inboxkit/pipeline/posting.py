"""One post to a URL that somebody else named: guarded, not redirected, over within 20 seconds.

Whoever posts decides what an answer means, and when the next attempt is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import aiohttp

from .. import __version__, signatures
from ..egress import BlockedTarget, GuardedConnector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..egress import Guard

_SECONDS = 20
_LONGEST_PAUSE = timedelta(hours=10)  # what a receiver can ask for at most
_NONE = timedelta(0)
_ASKS_FOR_PAUSE = (429, 503)  # RFC 6585 section 4, RFC 9110 section 15.6.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver said: a status, or 0 and why there was none.

    ``blocked``: the URL leads where no post may go, whenever it is tried. ``pause`` is how long the
    receiver asks to be left alone.
    """

    status: int = 0
    error: str = ""
    blocked: bool = False
    pause: timedelta = _NONE

    @property
    def is_good(self) -> bool:
        """Whether the post was taken."""
        return 200 <= self.status < 300


def signed(keys: Sequence[signatures.Key], id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a webhook of ours; Standard Webhooks and Svix name them otherwise."""
    return {
        "Content-Type": "application/json",
        "User-Agent": f"inboxkit/{__version__}",
        **signatures.headers(keys, id, at, body, prefix="svix"),
        **signatures.headers(keys, id, at, body, prefix="webhook"),
    }


class Poster:
    """Posts over a session of its own, which opens with the first post."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> Answer:
        """Post, and return what was answered; nothing of this kind raises."""
        try:
            self._guard.check_url(url)
            async with self._open().post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
            ) as response:
                return _answer(response.status, response.headers.get("Retry-After", ""), now)
        except TimeoutError:
            return Answer(error=f"no answer within {_SECONDS} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _failed(error)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=GuardedConnector(self._guard, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # the answer's body is not read
            )
        return self._session


def _answer(status: int, retry_after: str, now: datetime) -> Answer:
    if 200 <= status < 300:
        return Answer(status=status)
    words = f"answered {status}" + (", redirects are not followed" if 300 <= status < 400 else "")
    asks = status in _ASKS_FOR_PAUSE
    return Answer(status=status, error=words, pause=pause(retry_after, now) if asks else _NONE)


def pause(retry_after: str, now: datetime) -> timedelta:
    """Return what a Retry-After asks for, seconds or a date (RFC 9110 section 10.2.3).

    At most ten hours, and nothing for what is neither.
    """
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), _LONGEST_PAUSE)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return _NONE
    wanted = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    return max(_NONE, min(wanted, _LONGEST_PAUSE))


def _failed(error: Exception) -> Answer:
    """Return an error in one line; what the guard said stands behind aiohttp's words."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, BlockedTarget):
        return Answer(error=str(cause), blocked=True)
    name = type(error).__name__
    return Answer(error=f"{name}: {error}" if str(error) else name)

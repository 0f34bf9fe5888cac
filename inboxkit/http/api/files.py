"""Files to send: given in base64, or fetched from the URL that a request names.

A URL leads to public addresses only, as others say where it goes; time, size and number have
bounds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from ...blocking import in_thread
from ...egress import BlockedTarget, Guard, GuardedConnector
from ..intake import BodyRefused
from .envelope import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...values import File
    from ..intake import Intake
    from .call import Call
    from .schemas.attachments import SendAttachment

MOST_BYTES = 25 * 1024 * 1024  # of all files of a mail together
_QUICKLY_DECODED = 64 * 1024  # characters
_MOST_URLS = 20
_MOST_REDIRECTS = 5
_SECONDS = 30
_FIX = "give a public URL that needs no key, or the file itself as content, in base64"


async def files(call: Call[Any], asked: Sequence[SendAttachment]) -> list[File]:
    """Return the files to send, in their order; raise ApiError for one that cannot be had."""
    given = [(place, one) for place, one in enumerate(asked) if one.url is None]
    size = sum(len(one.content or "") for _, one in given)
    found = await in_thread(_decoded, given) if size > _QUICKLY_DECODED else _decoded(given)
    named = [(place, one) for place, one in enumerate(asked) if one.url is not None]
    if len(named) > _MOST_URLS:
        raise invalid(f"has more than {_MOST_URLS} files by url", "attachments")
    if named:
        parts = call.parts
        fetcher = Fetcher(Guard(parts.settings.egress_networks), parts.intake)
        found |= await fetcher.fetch(named, MOST_BYTES - sum(len(f.data) for f in found.values()))
    return [found[place] for place in sorted(found)]


def _decoded(given: Sequence[tuple[int, SendAttachment]]) -> dict[int, File]:
    return {place: _given(place, one) for place, one in given}


def _given(place: int, one: SendAttachment) -> File:
    try:
        return one.file()
    except ValueError as error:
        raise invalid(str(error), "attachments", place) from None


class Fetcher:
    """Fetches the files of one request."""

    def __init__(self, guard: Guard, intake: Intake, *, seconds: float = _SECONDS) -> None:
        self._guard = guard
        self._intake = intake
        self._seconds = seconds

    async def fetch(
        self, named: Sequence[tuple[int, SendAttachment]], most: int
    ) -> dict[int, File]:
        """Return files by their place, at most so many bytes together; raise ApiError."""
        found: dict[int, File] = {}
        async with self._session() as session:
            end = asyncio.get_running_loop().time() + self._seconds
            for place, one in named:
                try:
                    async with asyncio.timeout_at(end):
                        found[place] = await self._one(session, place, one, most)
                except TimeoutError:
                    why = f"was not there within {self._seconds:g} s"
                    raise _unfetched(place, why) from None
                most -= len(found[place].data)
        return found

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=GuardedConnector(self._guard),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,  # a small answer must not become a large one
            headers={"Accept-Encoding": "identity"},
        )

    async def _one(
        self, session: aiohttp.ClientSession, place: int, one: SendAttachment, most: int
    ) -> File:
        try:
            self._guard.check_url(one.url or "")
            async with session.get(_target(one.url or ""), max_redirects=_MOST_REDIRECTS) as answer:
                _check(place, answer)
                pieces = answer.content.iter_any()
                async with self._intake.body(pieces, most=most) as data:
                    return one.fetched(data, answer.content_type if _is_typed(answer) else "")
        except BodyRefused as refused:
            raise _too_much(refused) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if type(error) is TimeoutError:
                raise
            raise _unfetched(place, _shown(error)) from None


def _target(url: str) -> URL:
    """Return a URL as it was written, as a signature in it covers its spelling."""
    return URL(url, encoded=url.isascii() and " " not in url)


def _check(place: int, answer: aiohttp.ClientResponse) -> None:
    if not 200 <= answer.status < 300:
        raise _unfetched(place, f"answered {answer.status}")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _unfetched(place, "answered with a compressed file that was not asked for")


def _is_typed(answer: aiohttp.ClientResponse) -> bool:
    return "Content-Type" in answer.headers


def too_large() -> ApiError:
    """Return the answer for files that are too large together."""
    return ApiError("payload_too_large", f"The files are larger than {MOST_BYTES} bytes together")


def _too_much(refused: BodyRefused) -> ApiError:
    if refused.status == 413:
        return too_large()
    return ApiError("service_unavailable", str(refused))


def _unfetched(place: int, why: str) -> ApiError:
    return ApiError("unprocessable", f"attachments.{place}.url: {why}", fix=_FIX)


def _shown(error: BaseException) -> str:
    """Return an error in one line; what the guard said stands behind aiohttp's words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BlockedTarget):
            return str(cause)
        cause = getattr(cause, "os_error", None) or cause.__cause__
    if isinstance(error, aiohttp.TooManyRedirects):
        return f"leads through more than {_MOST_REDIRECTS} redirects"
    return f"cannot be fetched: {type(error).__name__}"

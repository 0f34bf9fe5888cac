"""The API of one server, asked in JSON: keys, repeats that are safe, and errors as ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

from ..errors import (
    ConfigurationError,
    InboxKitError,
    KeyReused,
    NotFound,
    RemoteError,
    SendError,
    StoreError,
    Suppressed,
    UnsupportedFeature,
)
from ..values import check_text, is_unicode
from .transport import Question, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .transport import Answer, Transport


class Invalid(ConfigurationError):
    """The request is not well-formed; the message names the field."""


class Outdated(SendError):
    """What was to be done with one version of a thing is not done: it is another one now."""


# By the code of the error envelope.
_ERRORS: dict[str, type[InboxKitError]] = {
    "not_found": NotFound,
    "conflict": KeyReused,
    "suppressed": Suppressed,
    "unsupported_feature": UnsupportedFeature,
    "message_rejected": SendError,
    "not_scheduled": SendError,
    "inbox_paused": SendError,
    "precondition_failed": Outdated,
    "validation_error": Invalid,
    "missing_authorization": ConfigurationError,
    "unknown_api_key": ConfigurationError,
    "missing_permission": ConfigurationError,
    "forbidden": ConfigurationError,
    "resource_taken": ConfigurationError,
    "service_unavailable": StoreError,
}

_NOBODY_BEHIND = (502, 503, 504)
_MOST_TARGET = 8_000  # servers and proxies refuse a longer line of a request, ours at 8,190

Asked: TypeAlias = "str | float | list[str] | None"  # a value of a query


def _key(given: Any) -> str:
    """Return a key as it may stand in a header; of a file or a variable it often ends a line."""
    key = given or ""
    if not isinstance(key, str) or not key.strip().isascii() or not key.strip().isprintable():
        raise ConfigurationError("api_key: a key of the server is wanted: text of ASCII letters")
    return key.strip()


class Server:
    """Asks one server with one key; ``has_answered`` once it was there."""

    def __init__(self, transport: Transport, api_key: str | None) -> None:
        self.has_answered = False
        self._transport = transport
        self._headers = {"Accept": "application/json", "User-Agent": "inboxkit"}
        if key := _key(api_key):
            self._headers["Authorization"] = f"Bearer {key}"

    async def get(
        self, path: str, query: Mapping[str, Asked] | None = None, *, timeout: float = 30.0
    ) -> Any:
        """Return the JSON of a resource; list values are repeated, None is left out."""
        question = self._question("GET", target(path, query or {}), timeout=timeout)
        return _json(await self._asked(question))

    async def get_version(self, path: str) -> tuple[Any, str]:
        """Return the JSON of a resource and its version, "" for what has none."""
        answer = await self._asked(self._question("GET", path))
        return _json(answer), answer.etag.removeprefix("W/").strip('"')

    async def poll(
        self, path: str, query: Mapping[str, Asked], *, timeout: float, key: str = ""
    ) -> Any:
        """Return the JSON of what takes its time, asked once; ``key`` is that of a wait."""
        extra = _keyed(key)
        question = self._question("GET", target(path, query), extra=extra, timeout=timeout)
        return _json(await self._once(question))

    async def download(self, url: str) -> bytes:
        """Return the bytes behind a ``download_url``, fetched where this client reaches the server.

        Only the path is taken: behind a proxy the server may know its own address wrongly.
        """
        return (await self._asked(Question(method="GET", target=urlsplit(url).path))).body

    async def post(
        self, path: str, body: Mapping[str, Any], *, key: str = "", version: str = ""
    ) -> Any:
        """Make something; ``key`` makes a repeated request do it once.

        With ``version`` only while it is that one: raise Outdated.
        """
        extra = _keyed(key) | ({"If-Match": f'"{version}"'} if version else {})
        return _json(await self._asked(self._question("POST", path, body, extra)))

    async def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change something; to repeat it changes nothing more."""
        return _json(await self._asked(self._question("PATCH", path, body)))

    async def delete(self, path: str) -> None:
        """Delete something."""
        await self._asked(self._question("DELETE", path))

    def _question(
        self,
        method: str,
        target: str,
        body: Mapping[str, Any] | None = None,
        extra: Mapping[str, str] | None = None,
        *,
        timeout: float = 30.0,
    ) -> Question:
        if len(target) > _MOST_TARGET:
            told = f"{len(target)} characters of path and query, encoded; {_MOST_TARGET} at most"
            raise Invalid(f"the request is too long: {told}, so shorten what it names or looks for")
        headers = {**self._headers, **(extra or {})}
        if body is None:
            return Question(method=method, target=target, headers=headers, timeout=timeout)
        headers["Content-Type"] = "application/json"
        data = json.dumps(body, allow_nan=False).encode()
        return Question(method=method, target=target, body=data, headers=headers, timeout=timeout)

    async def _asked(self, question: Question) -> Answer:
        """Ask, once more when the connection broke: no request of ours does harm twice."""
        try:
            return await self._once(question)
        except Unreachable as first:
            try:
                return await self._once(question)
            except Unreachable as second:
                second.is_unheard &= first.is_unheard
                raise

    async def _once(self, question: Question) -> Answer:
        answer = await self._transport.ask(question)
        if 200 <= answer.status < 300:
            self.has_answered = True
            return answer
        error = failure(answer)
        self.has_answered |= not isinstance(error, Unreachable)
        raise error

    async def pause(self, seconds: float) -> None:
        """Return after so many seconds, blocking or not as the requests do."""
        await self._transport.pause(seconds)


def _keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key} if key else {}


def target(path: str, query: Mapping[str, Asked]) -> str:
    """Return a path with its query; the items of a list one by one, without what is None.

    Raise ConfigurationError for a text that is none.
    """
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        several = value if isinstance(value, list) else [value]
        for one in several:
            if isinstance(one, str):
                check_text(name, one)
        pairs += [(name, _text(one)) for one in several if one is not None]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def _text(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def piece(id: str) -> str:
    """Return an id as a piece of a path; raise NotFound for what no id can be."""
    given: Any = id
    if not isinstance(given, str) or not is_unicode(given):
        raise NotFound(f"nothing has the id {given!r}")
    return quote(id, safe="@")


class Failure(RemoteError):
    """An answer that no error of ours stands for; ``code`` is that of its envelope."""

    def __init__(self, message: str, code: str, body: Any) -> None:
        super().__init__(message)
        self.code = code
        self.body = body


def failure(answer: Answer) -> InboxKitError:
    """Return the error that an answer stands for."""
    try:
        said = json.loads(answer.body)
        code, words = str(said["code"]), str(said["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return _foreign(answer.status)
    told = "; " in words  # the way out, as errors of ours say it: more to the point than `fix`
    fix = f"; {said['fix']}" if isinstance(said, dict) and said.get("fix") and not told else ""  # pyright: ignore[reportUnknownMemberType] - JSON
    kind = _ERRORS.get(code)
    if kind is None:
        return Failure(f"the server answered {answer.status}: {words}{fix}", code, said)
    return kind(f"{words}{fix}")


def _foreign(status: int) -> InboxKitError:
    """Return the error for an answer that no server of ours has given."""
    if status in _NOBODY_BEHIND:
        return Unreachable(f"nobody answers: what stands before the server, a proxy, says {status}")
    said = f"the server answered {status}, not as this API does; look at its URL, and at proxies"
    return Failure(said, "", None)


class _Said(dict[str, Any]):
    """An object of an answer. What is not an inboxkit server may leave out what ours have."""

    def __missing__(self, name: str) -> Any:
        raise RemoteError(f"the server's answer has no {name!r}: is it an inboxkit server?")


def _json(answer: Answer) -> Any:
    try:
        said = json.loads(answer.body) if answer.body else None
    except (ValueError, RecursionError):
        raise RemoteError(f"the server answered {answer.status} with what is no JSON") from None
    if said is not None and not isinstance(said, dict):
        raise RemoteError(f"the server answered {answer.status} with what is no JSON object")
    return None if said is None else _Said(said)  # pyright: ignore[reportUnknownArgumentType] - JSON

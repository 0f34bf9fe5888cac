"""A look: one request for a page, which asks the API for what its caller may see or have done.

A page has no rules of its own about that: it gets what a program with the same key would get.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ...blocking import in_thread
from ...errors import InboxKitError
from ..api.app import require
from ..api.envelope import ApiError, refusal
from ..api.routing import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from ..api.access import Identity
    from ..api.app import Api
    from ..api.routing import Found
    from ..parts import Parts


@dataclass(frozen=True, slots=True)
class Look:
    """A request of somebody who was let in; ``signed_in`` when that was by a cookie."""

    request: web.Request
    who: Identity
    api: Api
    parts: Parts
    signed_in: bool = False

    async def get(self, *path: str, **query: object) -> Any:
        """Return what the API answers; raise ApiError. What is None or "" is not asked for."""
        asked = {name: value for name, value in query.items() if value not in (None, "")}
        target = f"{_target(path)}{'?' if asked else ''}{urlencode(asked)}"
        try:
            return await self.api.shown(self.request, self.who, target)
        except InboxKitError as error:
            raise refusal(error) from error

    async def get_if_allowed(self, *path: str, **query: object) -> Any:
        """Return the same, or None when the key may not ask for it."""
        try:
            return await self.get(*path, **query)
        except ApiError as error:
            if error.code == "missing_permission":
                return None
            raise

    def may(self, method: str, *path: str) -> bool:
        """Whether the key has the permission for a route of the API."""
        return self.who.allows(self._found(method, path).route.permission)

    def require(self, method: str, *path: str) -> None:
        """Raise ApiError when the key lacks the permission for a route of the API."""
        require(self.who, self._found(method, path).route)

    async def do(
        self,
        method: str,
        *path: str,
        given: object = None,
        key: str = "",
        if_match: str = "",
    ) -> Any:
        """Change something as the API does, and return what it answers; raise ApiError.

        ``given`` is what the route takes; ``key`` makes a repeated request one;
        ``if_match`` is the version that the caller has seen.
        """
        found = self._found(method, path)
        body = await in_thread(_dumped, given)
        try:
            return await self.api.done(
                self.request, self.who, found=found, given=body, key=key, if_match=if_match
            )
        except InboxKitError as error:
            raise refusal(error) from error

    def _found(self, method: str, path: Sequence[str]) -> Found:
        return self.api.table.find(method, _target(path))

    def name(self, id: str) -> str:
        """Return an id of the path."""
        return self.request.match_info[id]

    def said(self, name: str) -> str:
        """Return a value of the query, "" when it is not there."""
        return self.request.query.get(name, "").strip()


def _target(path: Sequence[str]) -> str:
    return f"/{VERSION}/{'/'.join(quote(piece, safe='') for piece in path)}"


def _dumped(given: object) -> bytes:
    return json.dumps(given).encode()

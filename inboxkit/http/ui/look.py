"""A look: one request for a page, which asks the API for what its caller may see.

A page has no rules of its own about that: it gets what a program with the same key would get.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ...errors import InboxKitError
from ..api.envelope import ApiError, refusal
from ..api.routing import VERSION

if TYPE_CHECKING:
    from aiohttp import web

    from ..api.access import Identity
    from ..api.app import Api
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
        pieces = "/".join(quote(piece, safe="") for piece in path)
        target = f"/{VERSION}/{pieces}{'?' if asked else ''}{urlencode(asked)}"
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

    def name(self, id: str) -> str:
        """Return an id of the path."""
        return self.request.match_info[id]

    def said(self, name: str) -> str:
        """Return a value of the query, "" when it is not there."""
        return self.request.query.get(name, "").strip()

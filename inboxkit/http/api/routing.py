"""The route table: one row an operation. It routes, guards, validates and documents."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from . import targets
from .call import Call, In
from .envelope import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from .schemas.wire import Wire

VERSION = "v0"
_SMALL_BYTES = 1024 * 1024
Answer: TypeAlias = "Wire | None"  # None: 204


class At(Flag):
    """Where a route is mounted: for all, within one pod, within one inbox."""

    ORG = auto()
    POD = auto()
    INBOX = auto()


EVERYWHERE = At.ORG | At.POD | At.INBOX
PREFIXES = {At.ORG: "", At.POD: "/pods/{pod_id}", At.INBOX: "/inboxes/{inbox_id}"}


@dataclass(frozen=True, slots=True)
class Route(Generic[In]):
    """One operation. ``handler`` gets a Call with a checked ``takes`` and returns a ``gives``.

    GET takes it from the query, other methods from a JSON body. ``permission`` "" asks for any
    key. ``is_conditional``: it heeds If-Match. The docstring of the handler is the operation's
    description.
    """

    method: str
    path: str
    handler: Callable[[Call[In]], Awaitable[Answer]]
    takes: type[In]
    gives: type[Wire] | None
    permission: str
    at: At = At.ORG
    most_bytes: int = _SMALL_BYTES
    is_conditional: bool = False


@dataclass(frozen=True, slots=True)
class Mounted:
    """A route at one of its places."""

    route: Route[Any]
    at: At
    path: str  # with the version, as OpenAPI shows it

    @property
    def template(self) -> tuple[str, ...]:
        """The path in pieces."""
        return tuple(self.path.strip("/").split("/"))


@dataclass(frozen=True, slots=True)
class Found:
    """What a request's target means."""

    route: Route[Any]
    ids: dict[str, str]
    query: str


class Table:
    """All routes at all their places."""

    def __init__(self, routes: Sequence[Route[Any]]) -> None:
        places = [
            Mounted(route, at, f"/{VERSION}{PREFIXES[at]}{route.path}")
            for route in routes
            for at in route.at
        ]
        # "/inboxes/search" goes before "/inboxes/{inbox_id}".
        self.mounted = sorted(places, key=lambda m: _literals(m.template), reverse=True)
        self._templates = [(m.template, m.route) for m in self.mounted]

    def find(self, method: str, raw: str) -> Found:
        """Return the route of a request; raise ApiError 404, or 405 with Allow."""
        target = targets.read(raw)
        wanted = "GET" if method == "HEAD" else method
        for route, ids in self._at(target):
            if route.method == wanted:
                return Found(route, ids, target.query)
        methods = self.allowed(raw)
        raise ApiError("method_not_allowed", f"Only {methods} here", headers={"Allow": methods})

    def allowed(self, raw: str) -> str:
        """Return the methods that a path takes, as Allow has them; raise ApiError 404."""
        found = {route.method for route, _ in self._at(targets.read(raw))}
        if not found:
            raise ApiError("not_found", "There is no such route", fix="see /docs")
        also = {"HEAD", "OPTIONS"} if "GET" in found else {"OPTIONS"}
        return ", ".join(sorted(found | also))

    def _at(self, target: targets.Target) -> Iterator[tuple[Route[Any], dict[str, str]]]:
        """Yield the routes of a path with its ids, one a method; "search" is never an id."""
        best: tuple[str, ...] = ()
        for template, route in self._templates:
            ids = None if best and template != best else targets.match(template, target.pieces)
            if ids is not None:
                best = template
                yield route, ids


def _literals(template: Sequence[str]) -> int:
    return sum(not piece.startswith("{") for piece in template)

"""The API in an aiohttp application: one door for requests, one form for errors."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from ...blocking import in_thread
from ...errors import InboxKitError
from ...outbound_parts import joined
from ...store import inboxes, pods
from ...store.reach import Reach
from . import docs, downloads, input, metrics, openapi, polling, websocket
from .access import Access
from .call import Call
from .envelope import ApiError, not_found, refusal
from .resources import ROUTES
from .routing import VERSION, Found, Table
from .targets import names

if TYPE_CHECKING:
    from asyncio import BaseTransport
    from collections.abc import Awaitable, Callable, Mapping

    from sqlalchemy import Connection

    from ...store.inboxes import InboxRecord
    from ...store.pods import PodRecord
    from ..parts import Parts
    from .access import Identity
    from .routing import Answer, Route
    from .schemas.wire import Wire

log = logging.getLogger("inboxkit.api")
ACCESS = web.AppKey("access", Access)
R = TypeVar("R")
_QUICKLY_WRITTEN = 64 * 1024  # characters
_PIECE_BYTES = 512 * 1024


def add_api(app: web.Application, parts: Parts) -> None:
    """Hang the API into an application."""
    api = Api(parts)
    app[API], app[ACCESS] = api, api.access
    app.router.add_get(f"/{VERSION}{polling.PATH}", guarded(polling.route(parts)))
    app.router.add_route("*", f"/{VERSION}/{{rest:[\\s\\S]*}}", guarded(api.serve))
    app.router.add_get(f"/{VERSION}", guarded(websocket.route(parts, api.access)))
    app.on_shutdown.append(parts.live.stopping)
    app.router.add_get("/metrics", guarded(metrics.prometheus(parts, api.access)))
    app.router.add_get("/openapi.json", openapi.route(api.table))
    app.router.add_get("/docs", docs.route(api.table))
    app.router.add_get("/download/{grant}", guarded(downloads.route(parts)))
    app.router.add_get("/download/{grant}/text", guarded(downloads.text_route(parts)))


@cache
def _table() -> Table:
    """Return what all servers of the process share: it takes a good part of a start to make."""
    return Table(ROUTES)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks, with which headers, and over what; see the fields of ``Call``."""

    who: Identity
    headers: Mapping[str, str]
    base: str
    line: BaseTransport | None = None


class Api:
    """Finds the route of a request, lets it in, checks it, and calls its handler."""

    def __init__(self, parts: Parts) -> None:
        self.table = _table()
        self.access = Access(parts.settings, parts.store)
        self.parts = parts

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a request; raise ApiError or InboxKitError."""
        if request.method == "OPTIONS":  # whoever may read /docs may know this
            return web.Response(status=204, headers={"Allow": self.table.allowed(request.raw_path)})
        found = self.table.find(request.method, request.raw_path)
        who = await self.access.identify(request)
        origin = Origin(who, request.headers, base(request), request.transport)

        async def body() -> Any:
            route = found.route
            return await input.body(request, route.takes, self.parts.intake, route.most_bytes)

        return in_pieces(await self.answer(found, origin, body))

    async def shown(self, request: web.Request, who: Identity, target: str) -> Any:
        """Return what GET of a target gives to a caller, for a page that answers its request.

        Raise ApiError or InboxKitError.
        """
        origin = Origin(who, request.headers, base(request), request.transport)
        return await self._answered(self.table.find("GET", target), origin, _no_body)

    async def done(
        self,
        request: web.Request,
        who: Identity,
        *,
        found: Found,
        given: bytes,
        key: str = "",
        if_match: str = "",
    ) -> Any:
        """Return what a route that changes something gives to a caller, for a form of a page.

        ``given`` is the JSON of the route, ``key`` makes a repeated request one, ``if_match`` is
        the version of what was shown. Raise ApiError or InboxKitError.
        """
        asked = {"Idempotency-Key": key, "If-Match": if_match}
        headers = {name: value for name, value in asked.items() if value}
        origin = Origin(who, headers, base(request), request.transport)

        async def body() -> Any:
            return await input.checked(given, "application/json", found.route.takes)

        return await self._answered(found, origin, body)

    async def answer(
        self, found: Found, origin: Origin, body: Callable[[], Awaitable[Any]]
    ) -> web.Response:
        """Answer what a caller asks of a route; ``body`` reads what came with it."""
        answer = await self._answered(found, origin, body)
        if answer is None:
            return web.Response(status=204)
        return web.Response(
            body=await written(answer),
            content_type=answer.media_type,
            headers=answer.http_headers(),
        )

    async def _answered(
        self, found: Found, origin: Origin, body: Callable[[], Awaitable[Any]]
    ) -> Answer:
        require(origin.who, found.route)
        answer: Answer = await found.route.handler(await self._call(found, origin, body))
        return answer

    async def _call(
        self, found: Found, origin: Origin, body: Callable[[], Awaitable[Any]]
    ) -> Call[Any]:
        route, reach = found.route, origin.who.reach()
        pod, named = await self.parts.store.read(_places, reach, found.ids)
        is_read = route.method == "GET"
        return Call(
            parts=self.parts,
            who=origin.who,
            reach=_narrowed(reach, pod, named),
            given=input.query(found.query, route.takes) if is_read else await body(),
            ids=found.ids,
            headers=origin.headers,
            base=origin.base,
            pod=pod,
            named=named,
            line=origin.line,
        )


API = web.AppKey("api", Api)


async def written(answer: Wire) -> bytes:
    """Return the JSON of an answer; one with long words is written in a thread."""
    if answer.characters() > _QUICKLY_WRITTEN:
        return await in_thread(lambda: joined(answer.pieces()))
    return answer.dumped()


def in_pieces(response: web.Response) -> web.Response:
    """Return the same answer; a long one is handed to the connection as fast as that takes it."""
    if isinstance(response.body, bytes) and len(response.body) > _PIECE_BYTES:
        response.body = BytesIO(response.body)
    return response


async def _no_body() -> None:
    """A request that reads brings none."""


def require(who: Identity, route: Route[Any]) -> None:
    """Raise ApiError for a caller whose key may not ask this of the server."""
    if not who.allows(route.permission):
        raise ApiError(
            "missing_permission",
            f"The key lacks the permission {route.permission}",
            fix="use a key that has it",
        )


def guarded(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler with its errors in the envelope; only our own defects are logged."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await enveloped(handler(request), f"{request.method} {request.rel_url.raw_path}")

    return answer


async def enveloped(work: Awaitable[R], what: str) -> R | web.Response:
    """Return what the work returns, or its error in the envelope."""
    try:
        return await work
    except ApiError as error:
        return error.response()
    except InboxKitError as error:
        refused = refusal(error)
        if refused.status >= 500:
            log.error("%s: %s", what, error)
        return refused.response()
    except web.HTTPException:
        raise
    except Exception:  # foreign input meets our code here
        log.exception("%s failed", what)
        return ApiError("internal_error", "The server failed; its log says why").response()


def base(request: web.Request) -> str:
    """Return where the client reached this server; behind TLS a proxy says so."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").lower()
    scheme = forwarded if forwarded in ("http", "https") else request.scheme
    return f"{scheme}://{request.host}"


def _places(
    connection: Connection, reach: Reach, ids: dict[str, str]
) -> tuple[PodRecord | None, InboxRecord | None]:
    """Return the pod and the inbox of a path; raise ApiError 404 for one out of reach."""
    return _pod(connection, reach, ids), _inbox(connection, reach, ids)


def _pod(connection: Connection, reach: Reach, ids: dict[str, str]) -> PodRecord | None:
    if "pod_id" not in ids:
        return None
    name = names(ids["pod_id"])[0]
    found = pods.find(connection, name)
    # A key that is bound to an inbox reaches no pod.
    if found is None or not reach.holds(found.id, None):
        raise not_found("Pod", name)
    return found


def _inbox(connection: Connection, reach: Reach, ids: dict[str, str]) -> InboxRecord | None:
    if "inbox_id" not in ids:
        return None
    wanted = names(ids["inbox_id"])
    for name in wanted:
        found = inboxes.within(connection, _in_pod(reach, ids), name)
        if found is not None:
            return found
    raise not_found("Inbox", wanted[0])


def _in_pod(reach: Reach, ids: dict[str, str]) -> Reach:
    if "pod_id" not in ids:
        return reach
    return Reach(names(ids["pod_id"])[0], reach.inbox_id, reach.forbidden)


def _narrowed(reach: Reach, pod: PodRecord | None, named: InboxRecord | None) -> Reach:
    return Reach(
        pod.id if pod is not None else reach.pod_id,
        named.id if named is not None else reach.inbox_id,
        reach.forbidden,
    )

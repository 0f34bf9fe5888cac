"""The API in an aiohttp application: one door for requests, one form for errors."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ...errors import InboxKitError
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
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection

    from ...store.inboxes import InboxRecord
    from ...store.pods import PodRecord
    from ..parts import Parts
    from .access import Identity

log = logging.getLogger("inboxkit.api")
ACCESS = web.AppKey("access", Access)


def add_api(app: web.Application, parts: Parts) -> None:
    """Hang the API into an application."""
    api = Api(parts)
    app[ACCESS] = api.access
    app.router.add_get(f"/{VERSION}{polling.PATH}", guarded(polling.route(parts)))
    app.router.add_route("*", f"/{VERSION}/{{rest:[\\s\\S]*}}", guarded(api.serve))
    app.router.add_get(f"/{VERSION}", guarded(websocket.route(parts, api.access)))
    app.on_shutdown.append(parts.live.stopping)
    app.router.add_get("/metrics", guarded(metrics.prometheus(parts, api.access)))
    app.router.add_get("/openapi.json", openapi.route(api.table))
    app.router.add_get("/docs", docs.route(api.table))
    app.router.add_get("/download/{grant}", guarded(downloads.route(parts)))
    app.router.add_get("/download/{grant}/text", guarded(downloads.text_route(parts)))


class Api:
    """Finds the route of a request, lets it in, checks it, and calls its handler."""

    def __init__(self, parts: Parts) -> None:
        self.table = Table(ROUTES)
        self.access = Access(parts.settings, parts.store)
        self._parts = parts

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a request; raise ApiError or InboxKitError."""
        found = self.table.find(request.method, request.raw_path)
        who = await self.access.identify(request)
        if not who.allows(found.route.permission):
            raise ApiError(
                "missing_permission",
                f"The key lacks the permission {found.route.permission}",
                fix="use a key that has it",
            )
        call = await self._call(request, found, who)
        answer = await found.route.handler(call)
        if answer is None:
            return web.Response(status=204)
        return web.Response(body=answer.dumped(), content_type=answer.media_type)

    async def _call(self, request: web.Request, found: Found, who: Identity) -> Call[Any]:
        pod, named = await self._parts.store.read(_places, who.reach(), found.ids)
        return Call(
            parts=self._parts,
            who=who,
            reach=_narrowed(who.reach(), pod, named),
            given=await self._given(request, found),
            ids=found.ids,
            headers=request.headers,
            base=base(request),
            pod=pod,
            named=named,
            line=request.transport,
        )

    async def _given(self, request: web.Request, found: Found) -> Any:
        route = found.route
        if route.method == "GET":
            return input.query(found.query, route.takes)
        return await input.body(request, route.takes, self._parts.intake, route.most_bytes)


def guarded(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler with its errors in the envelope; only our own defects are logged."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiError as error:
            return error.response()
        except InboxKitError as error:
            refused = refusal(error)
            if refused.status >= 500:
                log.error("%s %s: %s", request.method, request.path, error)
            return refused.response()
        except web.HTTPException:
            raise
        except Exception:  # foreign input meets our code here
            log.exception("%s %s failed", request.method, request.path)
            return ApiError("internal_error", "The server failed; its log says why").response()

    return answer


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
    if found is None or reach.inbox_id is not None or not reach.holds(found.id, None):
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

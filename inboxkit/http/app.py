"""The HTTP edge: one port for webhooks and health; what else is served hangs in beside them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol, cast

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from ..blocking import uninterrupted
from ..errors import ConfigurationError, InboxKitError
from ..listening import cannot_listen, serve
from ..providers.registry import PROVIDERS, try_again
from ..settings import Settings, host_port, is_loopback
from .api.app import ACCESS, add_api
from .api.envelope import ApiError
from .door import Door, Visitor
from .intake import MOST_BYTES, BodyRefused
from .mailgun.app import add_mailgun

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from .parts import Parts

log = logging.getLogger("inboxkit.http")
_MOST_LINE_BYTES = 64 * 1024  # of a request; hundreds of ids may be asked for in one
_KEPT_SECONDS = 75  # an idle connection; longer than proxies keep theirs
_GRACE = 24.0  # seconds for requests under way; with the rest of a stop less than 30
_LATER = {"Retry-After": "10"}
_IDENTIFY_SECONDS = 2.0

# Mail and secrets: no proxy or browser is to keep them, or to take them for what they are not.
_PRIVATE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

DOOR = web.AppKey("door", Door)


class Health(Protocol):
    """Says whether this process can take mail."""

    async def problem(self) -> str:
        """Return what is wrong, "" when nothing is."""
        ...


def make_app(parts: Parts, health: Health) -> web.Application:
    """Return the application; nothing listens yet."""
    door = Door(parts.settings)
    app = web.Application(client_max_size=MOST_BYTES, middlewares=[door.attend, _quiet, _addressed])
    app[DOOR] = door
    app.on_response_prepare.append(_private)
    webhook = _webhook(parts)
    app.router.add_route("*", "/webhooks/{provider}", webhook)
    app.router.add_route("*", "/webhooks/{provider}/mime", webhook)  # for Mailgun: it looks at this
    app.router.add_get("/livez", _alive)
    app.router.add_get("/readyz", _ready(health))
    add_api(app, parts)
    add_mailgun(app, parts)
    if parts.settings.http_pages:
        from .ui.app import add_pages  # most servers show none, and need not read the templates

        add_pages(app, parts)
    return app


@web.middleware
async def _quiet(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer 500 without a word of what broke; the log has it, with the path and nothing else."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:  # foreign input meets our code here
        log.exception("%s %s failed", request.method, request.rel_url.raw_path)
        return web.Response(status=500, text="internal error")


@web.middleware
async def _addressed(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse a Host that is none (RFC 9112 section 3.2): URLs that are stored begin with it."""
    try:
        _ = request.url
    except ValueError:
        return web.Response(status=400, text="the header Host is no host")
    return await handler(request)


async def _private(_request: web.Request, answer: web.StreamResponse) -> None:
    """Say of every answer that says nothing else that it is for nobody but who asked."""
    for name, value in _PRIVATE.items():
        answer.headers.setdefault(name, value)


def _webhook(parts: Parts) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def webhook(request: web.Request) -> web.Response:
        name = request.match_info["provider"]
        try:
            answer = parts.feedback.refusal(name, request.method)
            if answer is None:  # only then a body is worth its memory
                async with parts.webhook_intake.of(request) as body:
                    answer = await parts.feedback.receive(
                        name,
                        request.method,
                        dict(request.headers),
                        request.query_string,
                        body,
                        str(request.url.with_query(None)),
                    )
        except BodyRefused as refused:
            passes = refused.status in (408, 503)  # by then the provider is a known one
            status = try_again(PROVIDERS[name]) if passes else refused.status
            return web.Response(status=status, headers=_LATER, text=str(refused))
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    return webhook


async def _alive(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


def _ready(health: Health) -> Callable[[web.Request], Awaitable[web.Response]]:
    logged = ""

    async def ready(request: web.Request) -> web.Response:
        nonlocal logged
        problem = await health.problem()
        if problem and problem != logged:  # probes ask every few seconds
            log.error("not ready: %s", problem)
        logged = problem
        if not problem:
            return web.Response(text="ok")
        # In front of the colon stands what fails, in our words; behind it what a database said of
        # it, which may name hosts and users.
        told = problem if await _runs_it(request) else problem.partition(":")[0]
        return web.Response(status=503, text=told)

    return ready


async def _runs_it(request: web.Request) -> bool:
    """Whether who asks has a key to everything, or is on this machine where no key is needed."""
    try:
        async with asyncio.timeout(_IDENTIFY_SECONDS):
            who = await request.app[ACCESS].identify(request)
    except (ApiError, InboxKitError, TimeoutError):  # also when the database cannot tell
        return False
    return who.pod_id is None and who.inbox_id is None


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a line is worth the log: a scanner that speaks no HTTP would fill it."""
    return not (record.exc_info and isinstance(record.exc_info[1], BadHttpMessage))


class HttpServer:
    """An application that listens on one port."""

    def __init__(
        self,
        app: web.Application,
        bind: str,
        listening: socket.socket | None = None,
        *,
        grace: float = _GRACE,
    ) -> None:
        server_log = logging.getLogger("inboxkit.http.server")
        server_log.addFilter(_is_ours)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            logger=server_log,
            max_line_size=_MOST_LINE_BYTES,
            auto_decompress=False,  # else a small body keeps the loop busy for seconds
            keepalive_timeout=_KEPT_SECONDS,
            shutdown_timeout=grace / 2,  # aiohttp waits for so long, breaks off bodies, waits again
        )
        self._host, self._port = host_port(bind)
        self._listening = listening
        self._door = app[DOOR]
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; raise ConfigurationError when the port is taken."""
        try:
            await self._runner.setup()
            make = cast("Callable[[], asyncio.Protocol]", self._runner.server)
            self._server = await serve(
                lambda: Visitor(self._door, make), self._listening or (self._host, self._port)
            )
        except BaseException as error:
            await uninterrupted(self._runner.cleanup())
            if not isinstance(error, OSError):
                raise
            raise ConfigurationError(
                cannot_listen("http", f"{self._host}:{self._port}", error)
            ) from None

    @property
    def url(self) -> str:
        """Where it listens, such as ``http://127.0.0.1:8025``."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def stop(self) -> None:
        """Finish the requests under way, within ``grace``, and close."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()


def check_bind(settings: Settings, *, has_keys: bool = False) -> None:
    """Refuse a bind that others can reach without an API key."""
    guarded = settings.api_key or has_keys
    if settings.http and not guarded and not is_loopback(host_port(settings.http)[0]):
        raise ConfigurationError(
            f"http: {settings.http} can be reached from outside; set api_key (INBOXKIT_API_KEY), "
            "make a key with `inboxkit key create NAME`, or bind to 127.0.0.1"
        )

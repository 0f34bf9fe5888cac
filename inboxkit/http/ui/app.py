"""The pages in an application that has the API: who is let in, and what is said to the others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp import web

from ...errors import InboxKitError
from ..api.app import API
from ..api.envelope import ApiError, refusal
from . import arriving, drafts, frames, messages, runs, writing
from .look import Look
from .news import News
from .rendering import page, static
from .sessions import Sessions
from .signing_in import SigningIn, asked, check_same_origin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..api.app import Api
    from ..parts import Parts

log = logging.getLogger("inboxkit.pages")
_STATIC = ("style.css", "page.js", "icon.svg")
_MESSAGE = "/mail/messages/{message_id}"
_DRAFT = "/mail/drafts/{draft_id}"
# A form is good for its key, whichever session sends it.
_SIGNED_OUT = (
    "Nothing was done: you are not signed in any more. Sign in in another tab, and reload this "
    "page to send what you have typed."
)
_SHOWN = (
    ("/", messages.newest),
    ("/mail/inboxes", messages.inboxes),
    ("/mail/threads/{thread_id}", messages.thread),
    (_MESSAGE, messages.message),
    (f"{_MESSAGE}/html", frames.frame),
    (f"{_MESSAGE}/source", messages.source),
    (f"{_MESSAGE}/raw", messages.raw),
    (f"{_MESSAGE}/attachments/{{attachment_id}}", messages.attachment),
    (f"{_MESSAGE}/reply", writing.reply),
    ("/mail/compose", writing.compose),
    ("/mail/drafts", drafts.listed),
    (_DRAFT, drafts.shown),
    (f"{_DRAFT}/html", drafts.frame),
    (f"{_DRAFT}/attachments/{{attachment_id}}", drafts.attachment),
    ("/mail/runs", runs.runs),
    ("/mail/arrive", arriving.arrive),
)
_ACTED = (
    (f"{_MESSAGE}/reply", writing.send_reply),
    ("/mail/compose", writing.send_new),
    (f"{_DRAFT}/send", drafts.send),
    (f"{_DRAFT}/delete", drafts.delete),
    ("/mail/arrive", arriving.take),
)


def add_pages(app: web.Application, parts: Parts) -> None:
    """Hang the pages into an application."""
    pages = Pages(parts, app[API])
    news = News(parts.live, pages.look)
    for path, look in _SHOWN:
        app.router.add_get(path, pages.shown(look))
    for path, act in _ACTED:
        app.router.add_post(path, pages.acted(act))
    # For HEAD a stream would never end.
    app.router.add_get("/mail/news", pages.shown(news.stream), allow_head=False)
    signing_in = SigningIn(app[API].access, pages.sessions, parts.webhook_intake)
    app.router.add_get("/mail/sign-in", pages.answered(signing_in.lead))
    app.router.add_post("/mail/sign-in", pages.answered(signing_in.begin))
    app.router.add_post("/mail/sign-out", pages.answered(signing_in.end))
    for name in _STATIC:
        app.router.add_get(f"/mail/{name}", static(name))


class Pages:
    """Lets callers in, by a cookie or as the API does, and says what is wrong as a page."""

    def __init__(self, parts: Parts, api: Api) -> None:
        self.sessions = Sessions(parts.store, api.access)
        self._parts = parts
        self._api = api

    def shown(
        self, handler: Callable[[Look], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return a page's handler for everybody, which lets in only some."""

        async def answer(request: web.Request) -> web.StreamResponse:
            return await handler(await self.look(request))

        return self.answered(answer)

    def acted(
        self, handler: Callable[[Look], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return the handler of a form for everybody: no other site sends it in their name."""

        async def answer(request: web.Request) -> web.StreamResponse:
            look = await self.look(request)
            check_same_origin(request)
            return await handler(look)

        return self.answered(answer)

    def answered(
        self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return a handler with its errors as pages; only our own defects are logged."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except (ApiError, InboxKitError) as error:
                refused = refusal(error) if isinstance(error, InboxKitError) else error
                if refused.status >= 500:
                    log.error("%s: %s", _asked_for(request), error.__cause__ or error)
                return await _refused(request, refused)
            except web.HTTPException:
                raise
            except Exception:  # foreign input meets our code here
                log.exception("%s failed", _asked_for(request))
                failed = ApiError("internal_error", "The server failed; its log says why")
                return await _refused(request, failed)

        return answer

    async def look(self, request: web.Request) -> Look:
        """Return what a caller may see; raise ApiError for one who may see nothing."""
        cookie = request.cookies.get(self.sessions.name, "")
        holder = await self.sessions.holder(cookie) if cookie else None
        who = holder or await self._api.access.identify(request)
        return Look(request, who, self._api, self._parts, signed_in=holder is not None)


def _asked_for(request: web.Request) -> str:
    return f"{request.method} {request.rel_url.raw_path}"


async def _refused(request: web.Request, error: ApiError) -> web.Response:
    if error.status == 401:
        if request.method != "POST":
            return await asked(request.rel_url.raw_path_qs)
        return await asked("/", problem=_SIGNED_OUT)
    answer = await page("refused.html", status=error.status, error=error)
    answer.headers.update(error.headers)
    return answer

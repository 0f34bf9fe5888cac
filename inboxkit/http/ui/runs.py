"""The page of Runs: what handlers were called with, and how it ended. What failed comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .rendering import next_page, page

if TYPE_CHECKING:
    from aiohttp import web

    from .look import Look

_RUNS = 25
_TROUBLED = ("failed", "retrying")
_STATES = ("failed", "retrying", "pending", "done", "rejected", "skipped", "withheld")


async def runs(look: Look) -> web.Response:
    """Show Runs, of one state or of one handler if that is asked for."""
    state, handler, token = (look.said(name) for name in ("state", "handler", "page_token"))
    parts: list[tuple[str, Any, str]] = []
    for troubled in () if state or token else _TROUBLED:
        found = await look.get("runs", state=troubled, handler=handler, limit=_RUNS)
        if found.runs:
            parts.append((troubled, found.runs, _next(found, troubled, handler)))
    newest = await look.get("runs", state=state, handler=handler, limit=_RUNS, page_token=token)
    parts.append((state or "newest", newest.runs, _next(newest, state, handler)))
    return await page(
        "runs.html", look=look, state=state, handler=handler, states=_STATES, parts=parts
    )


def _next(listed: Any, state: str, handler: str) -> str:
    return next_page("/mail/runs", listed, state=state, handler=handler)

"""Pages from templates: all that comes from outside is escaped, and nothing is loaded from afar."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...blocking import in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ..api.envelope import ApiError

_HERE = Path(__file__).parent
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_STATIC = {
    "style.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
MOST_CHARACTERS = 200_000  # of one text; the rest is in the bytes to download
_JOINERS = "\u200c\u200d"  # which some scripts cannot be written without
_THREAD_REASONS = {
    "new": "Nothing leads to an earlier message: it begins a thread.",
    "token": "It was sent to an address with our signed token.",
    "in_reply_to": "Its In-Reply-To names a message of the thread.",
    "references": "Its References name a message of the thread.",
    "alias": "It names an id that a provider gave to a message of the thread.",
    "own_id": "A message of the thread has the same Message-ID.",
    "thread_index": "Its Thread-Index (Outlook) continues that of the thread.",
    "quoted": "It quotes what was written in the thread.",
    "send": "It was written here, in this thread.",
    "subject": "Its subject answers that of the thread, between the same people.",
}


async def page(template: str, *, status: int = 200, **given: Any) -> web.Response:
    """Return a page; what is long is rendered in a thread."""
    text = await in_thread(_rendered, template, given)
    return web.Response(
        status=status,
        headers={**HEADERS, "Cross-Origin-Opener-Policy": "same-origin"},
        body=text.encode("utf-8", "replace"),
        content_type="text/html",
        charset="utf-8",
    )


async def form_page(template: str, problem: ApiError | None, **given: Any) -> web.Response:
    """Return a page with a form to send, once more when there is a problem with what was sent."""
    status = 200 if problem is None else problem.status
    answer = await page(template, status=status, problem=problem, **given)
    answer.headers.update({} if problem is None else problem.headers)
    return sendable(answer)


def sendable(answer: web.Response) -> web.Response:
    """Return a page whose form can be sent.

    Without any referrer browsers send the form with "Origin: null" (Fetch, section 3.2).
    """
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


def static(name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of a file that is part of the pages."""
    data = (_HERE / "static" / name).read_bytes()

    async def answer(_request: web.Request) -> web.Response:
        headers = {**HEADERS, "Cache-Control": "no-cache"}
        return web.Response(headers=headers, body=data, content_type=_STATIC[name], charset="utf-8")

    return answer


def see_other(place: str) -> web.Response:
    """Return the way to another page of ours."""
    return web.Response(status=303, headers={**HEADERS, "Location": place})


def next_page(place: str, listed: Any, **query: str) -> str:
    """Return where the next page of a list of the API's is shown, "" on the last."""
    token = None if listed is None else listed.next_page_token
    if token is None:
        return ""
    asked = {name: value for name, value in query.items() if value}
    return f"{place}?{urlencode({**asked, 'page_token': token})}"


def _rendered(template: str, given: dict[str, Any]) -> str:
    return _environment().get_template(template).render(given)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters: dict[str, Callable[..., Any]] = {
        "line": line,
        "size": _size,
        "moment": _moment,
        "stamp": _stamp,
        "cut": _cut,
        "because": _because,
    }
    made.filters |= filters
    tests: dict[str, Callable[..., bool]] = {"web": is_web}
    made.tests |= tests
    return made


def line(text: object) -> str:
    """Return a text on one line, without control signs and those that turn its direction."""
    kept = (
        c if c in _JOINERS or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else " "
        for c in str(text)
    )
    return " ".join("".join(kept).split())


def is_web(url: str) -> bool:
    """Whether a URL is one to follow: of a mail's links never a script, a file or the like."""
    try:
        found = urlsplit(url)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and bool(found.netloc) and url.isprintable()


def _size(count: int) -> str:
    if count < 1_000:
        return f"{count} B"
    return f"{count / 1e3:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _cut(text: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}\n[{len(text) - MOST_CHARACTERS} characters more]"


def _because(reason: str) -> str:
    word, _, what = reason.partition(" ")
    said = _THREAD_REASONS.get(word, word)
    return f"{said} ({what})" if what else said

"""The HTML of a mail, for a frame without scripts, and as harmless when it is opened by itself.

The mail is shown as it came; what it may do is said by its headers, which browsers hold it to.
Only what no policy stops is taken out: a link element connects to its host whatever that says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from aiohttp import web

from ..api import downloads
from ..api.app import base
from .rendering import HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..api.schemas.whole import WholeMessage
    from .look import Look

_CITED = re.compile(r"cid:([^\s\"'<>()]{1,998})", re.IGNORECASE)
_DOCTYPE = re.compile(r"\s*<!doctype[^>]{0,300}>", re.IGNORECASE)
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,300}")  # nothing that ends a policy's term
# ``rel=preconnect`` and ``dns-prefetch`` tell a host that the mail is read; in an iframe, which may
# hold a whole page in an attribute, they do too. Neither element could show anything here.
_CONNECTING = re.compile(r"<(?=(?:link|iframe)[\s/>])", re.IGNORECASE)
_INERT = "<x-"
# Links leave the frame; a mail that has a base of its own comes too late.
_BASE = '<base target="_blank">'
_MOST_CITED = 1_000


async def frame(look: Look) -> web.Response:
    """Answer with the HTML of a message; with ``remote=1`` its images may be loaded from afar."""
    found: WholeMessage = await look.get("messages", look.name("message_id"))
    return framed(look, found.html, await _images(look, found, base(look.request)))


def framed(look: Look, html: str, images: Mapping[str, str]) -> web.Response:
    """Answer with HTML for a frame; ``images`` are those that it cites, by their Content-ID."""
    origin = base(look.request)
    # A path and not 'self': the sandbox does not keep a mail from images of this host.
    sources = ["data:"]
    if images and _ORIGIN.fullmatch(origin):
        sources.append(f"{origin}/download/")
    if look.said("remote") == "1":
        sources.append("https:")  # not http: that would reach into the reader's own network
    return web.Response(
        headers={
            **HEADERS,
            "Content-Security-Policy": policy(sources, alone=_is_alone(look.request)),
            "X-DNS-Prefetch-Control": "off",  # of the hosts that its links name
        },
        body=_prepared(html, images).encode("utf-8", "replace"),
        content_type="text/html",
        charset="utf-8",
    )


def policy(images: list[str], *, alone: bool = False) -> str:
    """Return what the HTML of a mail may do: be read, and open links in new windows.

    ``alone``, without a page around it, not even that: the page behind a link with a target of its
    own could lead the window that it was opened from somewhere else, such as to a false form.
    """
    popups = "" if alone else " allow-popups allow-popups-to-escape-sandbox"
    return "; ".join(
        (
            f"sandbox{popups}",
            "default-src 'none'",
            "style-src 'unsafe-inline'",
            f"img-src {' '.join(images)}",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'self'",
        )
    )


def _is_alone(request: web.Request) -> bool:
    return request.headers.get("Sec-Fetch-Dest") == "document"


async def _images(look: Look, found: WholeMessage, origin: str) -> Mapping[str, str]:
    """Return where the images are that the mail cites, by their Content-ID, for an hour.

    The signed address takes the place of a cookie, which a sandboxed frame does not send.
    """
    if "cid:" not in found.html.lower():
        return {}
    parts = look.parts
    message = await parts.actions.message(found.id)
    until = downloads.expiry(parts.store.clock.now())
    return {
        file.content_id: downloads.file_url(origin, parts.store.secret, file, until)
        for file in message.attachments
        if file.content_id
    }


def _prepared(html: str, images: Mapping[str, str]) -> str:
    def cited(match: re.Match[str]) -> str:
        return images.get(match[1]) or images.get(unquote(match[1])) or match[0]

    doctype = _DOCTYPE.match(html)
    begin = doctype.end() if doctype else 0
    shown = _CITED.sub(cited, html[begin:], count=_MOST_CITED)
    return html[:begin] + _BASE + _CONNECTING.sub(_INERT, shown)

"""Downloads without a key: a signed address that names one file and an hour."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from ...errors import ConfigurationError, NotFound
from ...parsing.attachments import safe_name
from ...store import drafts
from ...tokens import public_id, row_id
from .envelope import ApiError
from .page_tokens import micros, moment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...models import Attachment, Message
    from ..parts import Parts

LIFETIME = timedelta(hours=1)
# The words of these are offered beside the file; others may hold some, but nobody expects them.
_WITH_WORDS = (
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
_NAMES_WITH_WORDS = (".pdf", ".docx", ".xlsx")
_MOST_CHARACTERS = 1_000_000
_MAC_BYTES = 16
_NO_MESSAGE = public_id("msg", 0)  # in the grant of a draft's file
# Served as they are: a browser that shows them runs nothing.
_HARMLESS = ("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Download:
    """A file to serve: in memory, or open in a temporary place, to be closed by whoever reads."""

    data: bytes | IO[bytes]
    content_type: str
    name: str


def expiry(now: datetime) -> datetime:
    """Return until when an address that is made now is good."""
    return now + LIFETIME


def raw_url(base: str, secret: bytes, message: Message, expires_at: datetime) -> str:
    """Return where a message's bytes can be downloaded."""
    return f"{base}/download/{_grant(secret, message.id, '', expires_at)}"


def file_url(base: str, secret: bytes, file: Attachment, expires_at: datetime) -> str:
    """Return where a file of a message can be downloaded."""
    return f"{base}/download/{_grant(secret, file.message.id, file.id, expires_at)}"


def text_url(download_url: str, file: Attachment) -> str | None:
    """Return where the words of a file can be had, None for a file of no such kind."""
    named = file.safe_name.lower().endswith(_NAMES_WITH_WORDS)
    return f"{download_url}/text" if named or file.content_type in _WITH_WORDS else None


def draft_file_url(base: str, secret: bytes, file_id: int, expires_at: datetime) -> str:
    """Return where a file of a draft can be downloaded."""
    grant = _grant(secret, _NO_MESSAGE, public_id("att", file_id), expires_at)
    return f"{base}/download/{grant}"


def route(parts: Parts) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of ``/download/{grant}``."""

    async def answer(request: web.Request) -> web.Response:
        return served(await opened(parts, request.match_info["grant"]))

    return answer


async def opened(parts: Parts, grant: str) -> Download:
    """Return what an address is good for; raise ApiError or NotFound."""
    message_id, file_id = _granted(parts, grant)
    if message_id == _NO_MESSAGE:
        return await _draft_file(parts, file_id)
    if not file_id:
        message = await parts.actions.message(message_id)
        whole = await parts.actions.open_raw(message)
        return Download(whole, "message/rfc822", f"{message.id}.eml")
    file = await _file(parts, message_id, file_id)
    data = await parts.actions.open_attachment(file)
    return Download(data, file.content_type, file.safe_name)


def text_route(parts: Parts) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of ``/download/{grant}/text``."""

    async def answer(request: web.Request) -> web.Response:
        file = await _file(parts, *_granted(parts, request.match_info["grant"]))
        try:
            words = await parts.actions.attachment_text(file, _MOST_CHARACTERS)
        except ConfigurationError as error:
            raise ApiError("unprocessable", str(error)) from None
        if words is None:
            raise ApiError("unprocessable", f"No text can be read from {file.safe_name}")
        headers = {**_HEADERS, "Content-Type": "text/plain; charset=utf-8"}
        return web.Response(body=words.encode("utf-8", "replace"), headers=headers)

    return answer


def _granted(parts: Parts, grant: str) -> tuple[str, str]:
    """Return which message and file an address is good for; raise ApiError."""
    return _read(parts.store.secret, grant, parts.store.clock.now())


async def _file(parts: Parts, message_id: str, file_id: str) -> Attachment:
    message = await parts.actions.message(message_id)
    file = next((f for f in message.attachments if f.id == file_id), None)
    if file is None:
        raise NotFound(f"no attachment {file_id}")
    return file


async def _draft_file(parts: Parts, file_id: str) -> Download:
    found = await parts.store.read(drafts.file, row_id("att", file_id))
    if found is None:
        raise NotFound(f"no attachment {file_id}")
    return Download(found.data, found.content_type, safe_name(found.filename))


def served(file: Download) -> web.Response:
    """Return the answer that brings a file: saved by a browser, never shown."""
    kind = file.content_type
    harmless = kind if kind in _HARMLESS else "application/octet-stream"
    shown = "message/rfc822" if kind == "message/rfc822" else harmless
    name = quote(file.name, safe="")
    disposition = f"attachment; filename*=UTF-8''{name}"  # RFC 6266 section 4.3
    headers = {**_HEADERS, "Content-Type": shown, "Content-Disposition": disposition}
    return web.Response(body=file.data, headers=headers)


def _grant(secret: bytes, message_id: str, file_id: str, expires_at: datetime) -> str:
    numbers = (row_id("msg", message_id), row_id("att", file_id) if file_id else 0)
    body = b"".join(n.to_bytes(8, "big") for n in (*numbers, micros(expires_at)))
    return urlsafe_b64encode(body + _mac(secret, body)).rstrip(b"=").decode()


def _read(secret: bytes, grant: str, now: datetime) -> tuple[str, str]:
    """Return which message and file are meant; raise ApiError for what was not made here."""
    try:
        data = urlsafe_b64decode(grant.encode("ascii") + b"=" * (-len(grant) % 4))
    except ValueError:
        data = b""
    body, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
    if len(body) != 24 or not hmac.compare_digest(mac, _mac(secret, body)):
        raise ApiError("not_found", "There is no such download")
    message, file, until = (int.from_bytes(body[i : i + 8], "big") for i in (0, 8, 16))
    if moment(until) < now:
        raise ApiError("forbidden", "The address has expired", fix="ask for the file again")
    return public_id("msg", message), public_id("att", file) if file else ""


def _mac(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, b"download:" + body, hashlib.sha256)[:_MAC_BYTES]

"""The I/O that providers do not do: a request out, the answer back, and whether it was sent."""

from __future__ import annotations

import re
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
import aiosmtplib

from ..blocking import in_thread
from ..egress import GuardedConnector
from ..outbound_parts import has_bare_line_ends
from ..providers.base import FetchPlan, HttpRequest, HttpResponse, SmtpRequest, SmtpResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..egress import Guard

_MOST_ANSWER_BYTES = 1024 * 1024
_PIECE_BYTES = 512 * 1024
_CONNECT_SECONDS = 10
_QUIT_SECONDS = 5
_IDLE_SECONDS = 1.0
_SLOWEST_BYTES = 50_000  # a second: how fast a mail must at least leave
_LINE_ENDS = re.compile(rb"\r\n|\r|\n")
_READY_FOR_DATA = 354


class NotDelivered(Exception):
    """The connection failed; ``request_sent`` says whether the other side may have acted.

    ``shared``: it broke the request of another message too, which counts it.
    """

    def __init__(self, reason: str, *, request_sent: bool, shared: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.request_sent = request_sent
        self.shared = shared


@dataclass(slots=True)
class _Progress:
    """How far a conversation has come: from here on the other side may act on it."""

    sent: bool = False


_of_request: ContextVar[_Progress] = ContextVar("_of_request")


class Transport:
    """Makes requests; ``connections`` of them may be kept open between two requests.

    When a kept connection breaks, nobody can say whether the server had closed it before the
    request or after. So one that was idle for longer than a second is not used again: servers close
    idle connections after five seconds or more, and announce it where they count requests.
    With a ``guard``, HTTP goes only where it permits.
    """

    def __init__(
        self, hostname: str = "", *, connections: int = 0, guard: Guard | None = None
    ) -> None:
        self._guard = guard
        self._hostname = hostname if "." in hostname else ""  # EHLO wants a full name
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def http(self, request: HttpRequest, *, most: int = _MOST_ANSWER_BYTES) -> HttpResponse:
        """Make an HTTP request; redirects are not followed. Raise NotDelivered.

        Of the answer's body at most ``most`` bytes are read, and one more where there is more.
        """
        progress = _Progress()
        _of_request.set(progress)
        try:
            async with self._open().request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=_payload(request.body),
                allow_redirects=False,
                timeout=_timeout(request.timeout),
            ) as response:
                body = await _read(response.content, most + 1)
                return HttpResponse(response.status, dict(response.headers), body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise NotDelivered(_shown(error), request_sent=progress.sent) from error

    async def fetch(self, plan: FetchPlan) -> HttpResponse:
        """Download what a webhook calls for; raise NotDelivered.

        The caller has checked that the plan is allowed.
        """
        request = HttpRequest(
            method=plan.method, url=plan.url, headers=plan.headers, body=plan.body
        )
        return await self.http(request, most=plan.max_bytes)

    async def smtp(self, request: SmtpRequest) -> SmtpResponse:
        """Hand a message to an SMTP server. Raise NotDelivered.

        The server may have the message only once it has asked for the content with a 354 (RFC
        5321 section 4.1.1.4); whatever breaks before that has certainly sent nothing.
        """
        client = aiosmtplib.SMTP(
            hostname=request.host,
            port=request.port,
            timeout=request.timeout,
            use_tls=request.tls == "tls",
            start_tls=request.tls == "starttls",
            local_hostname=self._hostname or None,
        )
        progress = _Progress()
        try:
            refused = await _sign_in(client, request)
            response = refused or await _transaction(client, request, progress)
            await _quit(client)
            return response
        except (aiosmtplib.SMTPException, TimeoutError, OSError, ValueError) as error:
            raise NotDelivered(_shown(error), request_sent=progress.sent) from error
        finally:
            client.close()

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity"},
            )
        return self._session

    def _connector(self) -> aiohttp.TCPConnector:
        if self._guard is not None:
            return _GuardedConnector(self._guard)
        if not self._connections:
            return _Connector(force_close=True)
        return _Connector(limit=0, keepalive_timeout=_IDLE_SECONDS)


class _Connector(aiohttp.TCPConnector):
    """Notes when a request has its connection: until then it cannot have been sent.

    aiohttp's own tracing tells it too, and takes a tenth of the time of a request.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.connector.Connection:
        """Return a connection, a new one or one that was kept."""
        connection = await super().connect(req, traces, timeout)
        _of_request.get().sent = True
        return connection


class _GuardedConnector(_Connector, GuardedConnector):
    """The same, and goes only where it may."""


@lru_cache(maxsize=16)
def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS)


def _payload(body: bytes) -> bytes | BytesIO | None:
    """Return a large body as a file: aiohttp writes bytes in one piece and warns of it."""
    return body or None if len(body) <= _PIECE_BYTES else BytesIO(body)


async def _read(content: aiohttp.StreamReader, most: int) -> bytes:
    """Read to the end, or as far as ``most`` bytes; one read may give but a piece."""
    body = bytearray()
    while len(body) < most:
        piece = await content.read(most - len(body))
        if not piece:
            break
        body += piece
    return bytes(body)


async def _sign_in(client: aiosmtplib.SMTP, request: SmtpRequest) -> SmtpResponse | None:
    """Connect and sign in; return the reply that refuses the credentials, if one does.

    Any other refusal up to here is the server's state, not the message's: it is to be tried again.
    """
    await client.connect()
    try:
        if request.username:
            await client.login(request.username, request.password)
    except aiosmtplib.SMTPAuthenticationError as error:
        if error.code < 400:
            raise
        code = 535 if error.code >= 500 else error.code  # RFC 4954 section 6
        return SmtpResponse(code, f"{error.code} {error.message}")
    if client.is_ehlo_or_helo_needed:
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError:  # a server of old (RFC 5321 section 3.2)
            await client.helo()
    return None


async def _transaction(
    client: aiosmtplib.SMTP, request: SmtpRequest, progress: _Progress
) -> SmtpResponse:
    """Say MAIL, RCPT and DATA (RFC 5321 section 3.3); return the last reply."""
    content = await _aside(_with_line_ends, request.mime)
    wide = not (request.mail_from + "".join(request.rcpt_to)).isascii()
    if wide and not client.supports_extension("smtputf8"):
        return SmtpResponse(553, "5.6.7 the server takes no address that is not ASCII (RFC 6531)")
    encoding = "utf-8" if wide else "ascii"
    options = _mail_options(client, content, wide)
    try:
        await client.mail(request.mail_from, options=options, encoding=encoding)
    except aiosmtplib.SMTPSenderRefused as error:
        if error.code >= 400:
            return SmtpResponse(error.code, error.message)
        if not _is_positive(error.code):
            raise
    refused = await _recipients(client, request.rcpt_to, encoding)
    if len(refused) == len(request.rcpt_to):
        return SmtpResponse(0, "every recipient was refused", refused)
    return await _data(client, content, refused, progress)


def _with_line_ends(mime: bytes) -> bytes:
    """Return a mail in which every line, the last one too, ends with CRLF."""
    if has_bare_line_ends(mime):
        mime = _LINE_ENDS.sub(b"\r\n", mime)
    return mime if mime.endswith(b"\r\n") else mime + b"\r\n"


def _mail_options(client: aiosmtplib.SMTP, content: bytes, wide: bool) -> list[str]:
    options = [f"SIZE={len(content)}"] if client.supports_extension("size") else []  # RFC 1870
    if not content.isascii() and client.supports_extension("8bitmime"):
        options.append("BODY=8BITMIME")  # RFC 6152
    return [*options, "SMTPUTF8"] if wide else options


def _is_positive(code: int) -> bool:
    """Whether a reply says yes (RFC 5321 section 4.2.1), be it with a code nobody expects."""
    return 200 <= code < 300


async def _recipients(
    client: aiosmtplib.SMTP, recipients: Sequence[str], encoding: str
) -> dict[str, tuple[int, str]]:
    refused: dict[str, tuple[int, str]] = {}
    for recipient in recipients:
        try:
            await client.rcpt(recipient, encoding=encoding)
        except aiosmtplib.SMTPRecipientRefused as error:
            if not _is_positive(error.code):
                refused[recipient] = (error.code, error.message)
    return refused


async def _data(
    client: aiosmtplib.SMTP,
    content: bytes,
    refused: dict[str, tuple[int, str]],
    progress: _Progress,
) -> SmtpResponse:
    reply = await client.execute_command(b"DATA")
    if reply.code >= 400:
        return SmtpResponse(reply.code, reply.message, refused)
    if reply.code != _READY_FOR_DATA or client.protocol is None:
        raise aiosmtplib.SMTPResponseException(reply.code, f"in answer to DATA: {reply.message}")
    progress.sent = True
    client.protocol.write(await _aside(_stuffed, content))
    patience = (client.timeout or 0) + len(content) / _SLOWEST_BYTES
    reply = await client.protocol.read_response(timeout=patience)
    return SmtpResponse(reply.code, reply.message, refused)


def _stuffed(content: bytes) -> bytes:
    """Return a mail as it follows DATA, with the dot that ends it (RFC 5321 section 4.5.2)."""
    dotted = b"." + content if content.startswith(b".") else content
    return b"".join((dotted.replace(b"\r\n.", b"\r\n.."), b".\r\n"))


async def _aside(work: Callable[[bytes], bytes], content: bytes) -> bytes:
    """Return what becomes of a mail; of a large one in a thread."""
    return await in_thread(work, content) if len(content) > _PIECE_BYTES else work(content)


async def _quit(client: aiosmtplib.SMTP) -> None:
    """Say goodbye; the server has answered, so one that hangs up first does no harm."""
    with suppress(aiosmtplib.SMTPException, TimeoutError, OSError):
        await client.quit(timeout=_QUIT_SECONDS)


def _shown(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

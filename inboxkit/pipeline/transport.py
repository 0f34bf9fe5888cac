"""The I/O that providers do not do: a request out, the answer back, and whether it was sent."""

from __future__ import annotations

from typing import Any

import aiohttp
import aiosmtplib

from ..providers.base import HttpRequest, HttpResponse, SmtpRequest, SmtpResponse

_MOST_ANSWER_BYTES = 1024 * 1024


class NotDelivered(Exception):
    """The connection failed; ``request_sent`` says whether the other side may have acted."""

    def __init__(self, reason: str, *, request_sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.request_sent = request_sent


class Transport:
    """Sends requests; one HTTP session with keep-alive for the life of the runtime."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def http(self, request: HttpRequest) -> HttpResponse:
        """Make a HTTP request; redirects are not followed. Raise NotDelivered."""
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=True)
        try:
            async with self._session.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=request.body,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=request.timeout, sock_connect=10),
            ) as response:
                body = await response.content.read(_MOST_ANSWER_BYTES)
                return HttpResponse(response.status, dict(response.headers), body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotDelivered(_shown(error), request_sent=False) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotDelivered(_shown(error), request_sent=True) from error

    async def smtp(self, request: SmtpRequest) -> SmtpResponse:
        """Hand a message to an SMTP server. Raise NotDelivered."""
        client = aiosmtplib.SMTP(
            hostname=request.host,
            port=request.port,
            timeout=request.timeout,
            use_tls=request.tls == "tls",
            start_tls=request.tls == "starttls",
        )
        began = False
        try:
            await client.connect()
            if request.username:
                await client.login(request.username, request.password)
            began = True
            refused, text = await client.sendmail(
                request.mail_from, list(request.rcpt_to), request.mime
            )
            await _quit(client)
            replies = {k: (int(v[0]), str(v[1])) for k, v in refused.items()}
            return SmtpResponse(250, text, replies)
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = {e.recipient: (e.code, e.message) for e in error.recipients}
            return SmtpResponse(0, "every recipient was refused", refused)
        except aiosmtplib.SMTPResponseException as error:
            return SmtpResponse(error.code, error.message)
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            raise NotDelivered(_shown(error), request_sent=began) from error
        finally:
            client.close()

    async def close(self) -> None:
        """Close what is kept alive."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _quit(client: Any) -> None:
    """Say goodbye; the message is taken, so a server that hangs up first does no harm."""
    try:
        await client.quit()
    except (aiosmtplib.SMTPException, OSError):
        client.close()


def _shown(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

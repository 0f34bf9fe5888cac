"""The two edges of a runtime, SMTP and HTTP: opened when asked for, closed gracefully."""

from __future__ import annotations

import errno
import logging
import re
import ssl
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio

from .errors import ConfigurationError, StoreError
from .http.api.app import ACCESS
from .http.app import Health, HttpServer, check_bind, make_app
from .listening import cannot_listen, descriptors, places
from .pipeline.accept import Accept, Arriving, UnknownRecipient
from .settings import Settings, host_port
from .smtp.listener import Listener
from .smtp.replies import SmtpRefused
from .smtp.settings import SmtpSettings
from .store import api_keys

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from aiohttp.web import Application

    from .http.parts import Parts
    from .smtp.incoming import Incoming

log = logging.getLogger("inboxkit.edges")
_GRACE = 30.0  # seconds
_REFUSED = re.compile(r"refuse-([45]\d\d)(?:\+[^@]*)?@", re.IGNORECASE)  # for tests of senders


@dataclass(frozen=True, slots=True)
class Shared:
    """Sockets that listen already and that other processes accept from too; None: make one."""

    smtp: socket | None = None
    http: socket | None = None


class Edges:
    """Where mail and webhooks come in."""

    def __init__(self, accept: Accept, parts: Parts, health: Health) -> None:
        self._settings = fitting(parts.settings, descriptors())
        self._accept = accept
        self._store = parts.store
        self._app = make_app(replace(parts, settings=self._settings), health)
        self._listener: Listener | None = None
        self._server: HttpServer | None = None
        self._failures: list[int] = []

    def mount(self, add: Callable[[Application], None]) -> None:
        """Serve more on the HTTP port, before it is open."""
        add(self._app)

    def fail_next(self, code: int, times: int) -> None:
        """Refuse the next recipients with this SMTP code; for tests of what sends to us."""
        if not 400 <= code <= 599:
            raise ConfigurationError(f"fail_next: {code} is no SMTP refusal; give 400 to 599")
        self._failures += [code] * times

    def fail_no_more(self) -> None:
        """Forget the refusals that ``fail_next`` asked for and nobody met."""
        self._failures.clear()

    async def open(self, *, smtp: str, http: str, shared: Shared | None = None) -> None:
        """Listen where it is asked and this process has the role; what is open already stays.

        Raise ConfigurationError.
        """
        given, roles = shared or Shared(), self._settings.role
        if http and "http" in roles and self._server is None:
            asked = self._settings.model_copy(update={"http": http})
            check_bind(asked, has_keys=await self._store.read(api_keys.were_made))
            self._app[ACCESS].bound(http)
            server = HttpServer(self._app, http, given.http)
            await server.start()
            self._server = server
        if smtp and "smtp" in roles and self._listener is None:
            listener = Listener(
                smtp_settings(self._settings, smtp), self._take, self._check, self._store.clock
            )
            try:
                await listener.start(given.smtp)
            except OSError as error:
                raise ConfigurationError(cannot_listen("smtp", smtp, error)) from None
            self._listener = listener

    async def close(self, grace: float = _GRACE) -> None:
        """Stop listening, on both ports at once; what is under way may take ``grace`` s more."""
        listener, self._listener = self._listener, None
        server, self._server = self._server, None
        async with anyio.create_task_group() as tasks:
            if listener is not None:
                tasks.start_soon(listener.stop, grace)
            if server is not None:
                tasks.start_soon(server.stop)

    @property
    def smtp_address(self) -> tuple[str, int]:
        """Host and port of the SMTP listener; raise ConfigurationError when there is none."""
        if self._listener is None:
            raise ConfigurationError('no SMTP listener: give smtp="127.0.0.1:1025", or port 0')
        return host_port(self._listener.address)

    @property
    def url(self) -> str:
        """Where HTTP is served; raise ConfigurationError when it is not."""
        if self._server is None:
            raise ConfigurationError('no HTTP server: give http="127.0.0.1:8025", or port 0')
        return self._server.url

    async def _check(self, address: str) -> None:
        code = self._failures.pop(0) if self._failures else self._wished(address)
        if code:
            raise SmtpRefused(code, f"{code // 100}.0.0", "Refused, as the test asked")
        try:
            await self._accept.check(address)
        except UnknownRecipient:
            raise SmtpRefused(550, "5.1.1", f"No inbox {address} here") from None
        except StoreError as error:
            log.error("a recipient could not be looked up: %s", error)
            raise SmtpRefused(451, "4.3.0", "Storage is not available, try again later") from error

    def _wished(self, address: str) -> int:
        """Return the code that an address itself asks to be refused with, where any is taken."""
        found = _REFUSED.match(address) if self._settings.any_recipient else None
        return int(found[1]) if found else 0

    async def _take(self, incoming: Incoming) -> None:
        trace = {
            "peer": incoming.peer,
            "helo": incoming.helo,
            "protocol": incoming.protocol,
            "auth_user": incoming.auth_user,
        }
        mail = Arriving(
            raw=incoming.body,
            mail_from=incoming.mail_from,
            rcpt_to=incoming.rcpt_to,
            size=incoming.size,
            sha256=incoming.sha256,
            trace=trace,
        )
        try:
            await self._accept.take(mail)
        except UnknownRecipient as error:
            raise SmtpRefused(550, "5.1.1", f"No inbox {error.address} here") from None
        except StoreError as error:
            log.error("mail from %s: %s", incoming.peer, error)
            if _is_full(error):
                raise SmtpRefused(452, "4.3.1", "Out of storage, try again later") from error
            raise SmtpRefused(451, "4.3.0", "Storage is not available, try again later") from error


def _is_full(error: StoreError) -> bool:
    """Whether room is what lacks (RFC 3463 section 3.4, X.3.1), and not the database."""
    cause = error.__cause__
    no_room = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
    return no_room or "full" in str(error)


def fitting(settings: Settings, descriptors: int) -> Settings:
    """Return the settings with no more connections than there are file descriptors for."""
    smtp, http = places(settings.max_connections, settings.http_max_connections, descriptors)
    return settings.model_copy(update={"max_connections": smtp, "http_max_connections": http})


def smtp_settings(settings: Settings, bind: str) -> SmtpSettings:
    """Return the listener's settings; raise ConfigurationError that names the key."""
    host, port = host_port(bind)
    check_auth(settings)
    return SmtpSettings(
        host=host,
        port=port,
        hostname=settings.hostname,
        max_message_bytes=settings.max_message_bytes,
        max_recipients=settings.max_recipients,
        max_connections=settings.max_connections,
        max_connections_per_client=settings.max_connections_per_client,
        trusted_networks=tuple(settings.trusted_networks),
        tls_context=_tls(settings),
        auth=settings.smtp_users or None,
        auth_without_tls=settings.smtp_auth_without_tls,
        any_login=settings.smtp_any_login,
        require_auth=settings.smtp_require_auth,
        idle_seconds=settings.smtp_idle_seconds,
        data_seconds=settings.smtp_data_seconds,
        min_data_rate=settings.smtp_min_data_rate,
        data_rate_seconds=settings.smtp_data_rate_seconds,
        max_auth_failures=settings.smtp_max_auth_failures,
        max_errors=settings.smtp_max_errors,
        max_commands=settings.smtp_max_commands,
        bare_newline="refuse" if settings.smtp_bare_newline == "refuse" else "normalise",
        proxy_protocol=settings.smtp_proxy_protocol,
    )


def check_auth(settings: Settings) -> None:
    """Raise ConfigurationError, by the keys that users set, for AUTH that cannot work."""
    if settings.smtp_any_login:
        if settings.smtp_users:
            raise ConfigurationError("smtp_any_login: smtp_users would mean nothing; set one")
        return
    if settings.smtp_require_auth and not settings.smtp_users:
        raise ConfigurationError("smtp_require_auth: needs smtp_users; name at least one user")
    protected = settings.tls_certificate or settings.smtp_auth_without_tls
    if settings.smtp_users and not protected:
        raise ConfigurationError(
            "smtp_users: passwords need TLS; set tls_certificate and tls_key, "
            "or smtp_auth_without_tls where the network is trusted"
        )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.tls_certificate:
        if settings.tls_key:
            raise ConfigurationError("tls_key: is of no use alone; set tls_certificate too")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"tls_certificate: {settings.tls_certificate}: {error}") from None
    return context

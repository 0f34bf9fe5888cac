"""The SMTP commands that we answer ourselves (RFC 5321 section 4.1.1)."""

from __future__ import annotations

import errno
import hashlib
import hmac
import logging
import re
from typing import TYPE_CHECKING, Any, cast

from aiosmtpd.smtp import AuthResult, TLSSetupException

from . import replies
from .connection import Connection
from .data import DataDecoder
from .incoming import Incoming, Protocol
from .paths import forward_path, reverse_path
from .replies import SmtpRefused
from .spool import Spool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias, TypeVar

    from aiosmtpd.smtp import Envelope, LoginPassword
    from aiosmtpd.smtp import Session as Dialogue

    from .connection import Service

    T = TypeVar("T")
    Mechanism: TypeAlias = Callable[[None, list[str]], Awaitable[AuthResult]]

log = logging.getLogger("inboxkit.smtp")

_UNSAFE_NAME = re.compile(r"[^A-Za-z0-9._:\[\]\-]")
_MAX_NAME = 255
_ENDLESS_LINE = 1024 * 1024  # once over the limit, nobody waits for the end of such a line
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MECHANISMS = ("PLAIN", "LOGIN")


class Session(Connection):
    """Collect an envelope and a message, and hand both over."""

    AuthLoginUsernameChallenge = "Username:"  # what Outlook waits for, letter for letter
    AuthLoginPasswordChallenge = "Password:"

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._auth_failures_left = self.settings.max_auth_failures

    @property
    def _dialogue(self) -> Dialogue:
        return cast("Dialogue", self.session)

    @property
    def _envelope(self) -> Envelope:
        return cast("Envelope", self.envelope)

    async def smtp_HELO(self, hostname: str) -> None:
        """Greet, without extensions."""
        self._begin(hostname, extended=False)
        await self.answer(f"250 {self.hostname}\r\n".encode())

    async def smtp_EHLO(self, hostname: str) -> None:
        """Greet, and list the extensions in one write."""
        self._begin(hostname, extended=True)
        lines = [self.hostname, "PIPELINING", f"SIZE {self.settings.max_message_bytes}"]
        lines += ["8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        if self.settings.tls_context and not self._is_secure:
            lines.append("STARTTLS")
        if self._offers_auth:
            lines.append("AUTH " + " ".join(_MECHANISMS))
        reply = [f"250-{line}\r\n" for line in lines] + ["250 HELP\r\n"]
        await self.answer("".join(reply).encode())

    def _begin(self, hostname: str, *, extended: bool) -> None:
        if self.input:  # the last command of a group: RFC 2920 section 3.1
            self.end(replies.SPOKE_TOO_SOON)
        if not hostname:
            raise SmtpRefused(501, "5.5.4", "Say your host name")
        self.forget_envelope()
        self._dialogue.extended_smtp = extended
        self._dialogue.host_name = _UNSAFE_NAME.sub("?", hostname.split()[0][:_MAX_NAME])

    @property
    def _is_secure(self) -> bool:
        return self._tls_protocol is not None

    @property
    def _offers_auth(self) -> bool:
        protected = self._is_secure or self.settings.auth_without_tls
        return self.settings.any_login or (bool(self.settings.auth) and protected)

    async def smtp_STARTTLS(self, arg: str) -> None:
        """Go on under TLS; what was sent ahead in the clear is dropped (RFC 3207 section 4.2)."""
        if not self.settings.tls_context:
            raise SmtpRefused(502, "5.5.1", "STARTTLS is not offered")
        if self._is_secure:
            raise SmtpRefused(503, "5.5.1", "TLS is already in use")
        if arg:
            raise SmtpRefused(501, "5.5.4", "STARTTLS takes no argument")
        self.is_shaking = True
        try:
            await super().smtp_STARTTLS(arg)
        except TLSSetupException:
            log.info("session %d: the TLS handshake failed", self.serial)
        finally:
            self.is_shaking = False
        if self._dialogue.ssl is None:  # asyncio reports no loss of a connection not yet made
            self.connection_lost(None)
            raise EOFError

    async def smtp_AUTH(self, arg: str | None) -> None:
        """Log in by PLAIN or LOGIN (RFC 4954)."""
        mechanism, *initial = (arg or "-").split()
        if not (self.settings.auth or self.settings.any_login):
            raise SmtpRefused(502, "5.5.1", "AUTH is not offered")
        if not self._offers_auth:
            raise SmtpRefused(538, "5.7.11", "Use STARTTLS first")
        if self._dialogue.authenticated or self._envelope.mail_from is not None:
            raise SmtpRefused(503, "5.5.1", "Not now")
        if mechanism.upper() not in _MECHANISMS:
            raise SmtpRefused(504, "5.5.4", "Only PLAIN and LOGIN are known")
        method = cast("Mechanism", getattr(self, f"auth_{mechanism.upper()}"))
        result = await method(None, [mechanism, *initial[:1]])
        if result.success:
            self._dialogue.authenticated = True
            self._dialogue.auth_data = result.auth_data
            await self.answer(b"235 2.7.0 Logged in\r\n")
            return
        self._auth_failures_left -= 1
        if self._auth_failures_left <= 0:
            self.end(replies.TOO_MANY_AUTH_FAILURES)
        if not result.handled:
            raise SmtpRefused(535, "5.7.8", "Wrong user or password")

    def _authenticate(self, mechanism: str, auth_data: Any) -> AuthResult:
        guesses, given = self.service.guesses, cast("LoginPassword", auth_data)
        if self.settings.any_login:
            user = given.login.decode("utf-8", "replace")
            return AuthResult(success=True, handled=False, auth_data=user)
        if guesses.must_wait(self.peer):
            self.end(replies.TOO_MANY_GUESSES)
        user = given.login.decode("utf-8", "replace")
        password = (self.settings.auth or {}).get(user)
        same = hmac.compare_digest(
            hashlib.sha256((password or "").encode()).digest(),
            hashlib.sha256(given.password).digest(),
        )
        success = same and password is not None
        if not success:
            guesses.failed(self.peer)
        return AuthResult(success=success, handled=False, auth_data=user)

    async def smtp_MAIL(self, arg: str | None) -> None:
        """Begin a message: the sender, "" for a bounce, and its parameters."""
        self._check_turn()
        if self._envelope.mail_from is not None:
            raise SmtpRefused(503, "5.5.1", "One sender at a time; RSET begins anew")
        address, parameters = reverse_path(_after("FROM:", arg), self._getaddr)
        self._envelope.smtp_utf8 = False
        self._read_mail_parameters(parameters)
        self._check_ascii(address)
        self._envelope.mail_from = address
        await self.answer(replies.SENDER_OK, hold=True)

    def _check_turn(self) -> None:
        if self._dialogue.host_name is None:
            raise SmtpRefused(503, "5.5.1", "Send EHLO first")
        if self.settings.require_auth and not self._dialogue.authenticated:
            raise SmtpRefused(530, "5.7.0", "Log in first")

    def _read_mail_parameters(self, parameters: str) -> None:
        for parameter in parameters.upper().split():
            name, _, value = parameter.partition("=")
            if name == "SIZE" and value.isascii() and value.isdigit():
                if int(value[:20]) > self.settings.max_message_bytes:
                    raise self._too_big()
            elif parameter == "SMTPUTF8":
                self._envelope.smtp_utf8 = True
            elif parameter not in ("BODY=7BIT", "BODY=8BITMIME") and name != "AUTH":
                raise SmtpRefused(555, "5.5.4", "A parameter of MAIL is unknown or wrong")

    def _check_ascii(self, address: str) -> None:
        if not address.isascii() and not self._envelope.smtp_utf8:  # RFC 6531 section 3.5
            raise SmtpRefused(553, "5.6.7", "Say SMTPUTF8 for an address beyond ASCII")

    def _too_big(self) -> SmtpRefused:
        limit = self.settings.max_message_bytes
        return SmtpRefused(552, "5.3.4", f"A message may have {limit} bytes")

    async def smtp_RCPT(self, arg: str | None) -> None:
        """Add a recipient, if our own side knows it."""
        self._check_turn()
        if self._envelope.mail_from is None:
            raise SmtpRefused(503, "5.5.1", "Send MAIL first")
        address, parameters = forward_path(
            _after("TO:", arg), self._getaddr, hostname=self.hostname
        )
        if parameters:
            raise SmtpRefused(555, "5.5.4", "RCPT takes no parameters here")
        self._check_ascii(address)
        recipients = self._envelope.rcpt_tos
        if address not in recipients:
            if len(recipients) >= self.settings.max_recipients:
                raise SmtpRefused(452, "4.5.3", "Too many recipients; send the rest separately")
            await self.ask(self.service.check_recipient(address))
            recipients.append(address)
        await self.answer(replies.RECIPIENT_OK, hold=True)

    async def smtp_RSET(self, arg: str) -> None:
        """Forget the envelope."""
        self.forget_envelope()
        await self.answer(replies.OK, hold=True)

    async def smtp_DATA(self, arg: str) -> None:
        """Take the content and hand the message over; the reply is its fate."""
        self._check_turn()
        if not self._envelope.rcpt_tos:
            raise SmtpRefused(503, "5.5.1", "Send MAIL and RCPT first")
        if self.input:  # before our 354 nobody may know that content follows
            self.end(replies.SPOKE_TOO_SOON)
        await self.answer(replies.START_DATA)
        spool = Spool(self.settings.spool_bytes, self.settings.spool_folder, self.service.threads)
        self.begin_data()
        try:
            await self._take(spool)
            self.end_data()
            await self.ask(self.service.accept(await self._incoming(spool)))
        finally:
            self.end_data()
            spool.close()
            self.forget_envelope()
        self.commands_left = self.settings.max_commands
        await self.answer(replies.ACCEPTED)

    async def _take(self, spool: Spool) -> None:
        try:
            await self._receive(spool)
        except (SmtpRefused, EOFError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 what follows is content: it must not be obeyed
            self.report(error)
            self.end(replies.LOST_TRACK)

    async def _receive(self, spool: Spool) -> None:
        """Read to the end of data; what must be refused is dropped at once, refused at the end."""
        decoder = DataDecoder(normalise=self.settings.bare_newline == "normalise")
        begun, refusal = self.input.received - len(self.input), None
        while not decoder.done:
            content = decoder.feed(await self.input.chunk())
            if refusal is None:
                refusal = await self._store(content, spool, decoder)
            octets = self.input.received - begun
            if refusal is not None and not decoder.done and self._is_endless(octets, decoder):
                self.end(refusal.reply)
        self.input.give_back(decoder.rest)
        if refusal is not None:
            raise refusal

    async def _store(
        self, content: bytes, spool: Spool, decoder: DataDecoder
    ) -> SmtpRefused | None:
        """Write a piece; if that cannot be, drop all of it and return the refusal."""
        refusal = None
        if spool.size + len(content) > self.settings.max_message_bytes:
            refusal = self._too_big()
        elif decoder.has_bare and self.settings.bare_newline == "refuse":
            refusal = SmtpRefused(550, "5.5.2", "CR and LF must not stand alone")
        else:
            try:
                await self._on_disk(spool.write(content))
            except SmtpRefused as refused:
                refusal = refused
        if refusal is not None:
            spool.close()
        return refusal

    async def _on_disk(self, step: Awaitable[T]) -> T:
        try:
            return await step
        except OSError as error:
            log.error("session %d: spool: %s", self.serial, error.strerror)
            status = "4.3.1" if error.errno in _DISK_FULL else "4.3.0"
            raise SmtpRefused(452, status, "No room to store the message now") from error

    def _is_endless(self, octets: int, decoder: DataDecoder) -> bool:
        limit = self.settings.max_message_bytes
        return octets > 2 * limit or (octets > limit and decoder.line_length > _ENDLESS_LINE)

    async def _incoming(self, spool: Spool) -> Incoming:
        size = spool.size
        body, sha256 = await self._on_disk(spool.finish())
        dialogue, envelope = self._dialogue, self._envelope
        return Incoming(
            mail_from=envelope.mail_from or "",
            rcpt_to=tuple(envelope.rcpt_tos),
            body=body,
            size=size,
            sha256=sha256,
            peer=self.peer,
            helo=dialogue.host_name or "",
            protocol=self._protocol(),
            auth_user=dialogue.auth_data or "",
            smtputf8=envelope.smtp_utf8,
        )

    def _protocol(self) -> Protocol:
        if not self._dialogue.extended_smtp:
            return "SMTP"
        if self._dialogue.authenticated:
            return "ESMTPSA" if self._is_secure else "ESMTPA"
        return "ESMTPS" if self._is_secure else "ESMTP"

    async def smtp_NOOP(self, arg: str) -> None:
        """Do nothing."""
        await self.answer(replies.OK)

    async def smtp_HELP(self, arg: str) -> None:
        """Name the commands."""
        await self.answer(b"214 2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP VRFY QUIT\r\n")

    async def smtp_VRFY(self, arg: str) -> None:
        """Tell nobody who has an inbox (RFC 5321 section 7.3)."""
        await self.answer(replies.CANNOT_VERIFY)

    async def smtp_QUIT(self, arg: str) -> None:
        """Say goodbye."""
        self.end(replies.GOODBYE)


def _after(keyword: str, argument: str | None) -> str:
    text = argument or ""
    if text[: len(keyword)].upper() != keyword:
        raise SmtpRefused(501, "5.5.4", f"Syntax: {keyword}<address>")
    return text[len(keyword) :].strip()

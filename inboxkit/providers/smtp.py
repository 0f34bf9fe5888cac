"""Sends through any SMTP server: a relay of one's own or a vendor's (RFC 5321, RFC 6409)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from ..parsing.reasons import judge
from .answers import lost
from .base import (
    Feature,
    HttpResponse,
    Refused,
    Retry,
    Sent,
    SmtpRequest,
    Tls,
    Transport,
    Unknown,
    Unverified,
    refuse_unsupported,
)
from .hosts import is_local
from .options import Options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .base import InboundMail, Outgoing, ProviderEvent, Response, SendOutcome, WebhookRequest

_PORTS: dict[str, int] = {"starttls": 587, "tls": 465, "none": 25}  # RFC 6409, RFC 8314
_CREDENTIALS = frozenset({530, 534, 535, 538})  # RFC 4954 section 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """Where the server is and how to sign in."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = "starttls"
    timeout: float = 60.0


class Smtp:
    """Hands messages to an SMTP server. It has no webhooks: bounces come back as mail."""

    name = "smtp"
    transport: Transport = "smtp"
    capabilities = frozenset(
        {
            Feature.RAW_MIME,
            Feature.MESSAGE_ID,
            Feature.CC,
            Feature.BCC,
            Feature.REPLY_TO,
            Feature.HEADERS,
            Feature.ATTACHMENTS,
            Feature.INLINE_IMAGES,
        }
    )

    def configure(self, options: Mapping[str, str]) -> SmtpConfig:
        """Check host, port, username, password, tls (starttls, tls, none) and timeout (s)."""
        read = Options(self.name, options)
        host = read.required("host")
        tls: Tls = read.choice("tls", get_args(Tls), "none" if is_local(host) else "starttls")
        username, password = read.text("username"), read.text("password")
        if bool(username) != bool(password):
            raise read.error("username" if password else "password", "is missing")
        if username and tls == "none" and not is_local(host):
            raise read.error("tls", "must not be none: the password would cross the net in clear")
        config = SmtpConfig(
            host=host,
            port=read.number("port", _PORTS[tls], least=1, most=65_535),
            username=username,
            password=password,
            tls=tls,
            timeout=read.number("timeout", 60, least=1, most=600),
        )
        read.done()
        return config

    def build_send(self, message: Outgoing, config: SmtpConfig, now: datetime) -> SmtpRequest:
        """Return the session to hold; raise UnsupportedFeature."""
        refuse_unsupported(self.name, message, self.capabilities)
        return SmtpRequest(
            host=config.host,
            port=config.port,
            mail_from=message.mail_from,
            rcpt_to=message.rcpt_to,
            mime=message.mime,
            username=config.username,
            password=config.password,
            tls=config.tls,
            timeout=config.timeout,
        )

    def parse_send(self, response: Response, message: Outgoing, config: SmtpConfig) -> SendOutcome:
        """Read the last reply and the refusals of single recipients (RFC 5321 section 4.2.1)."""
        if isinstance(response, HttpResponse):
            return Unknown("an HTTP answer to an SMTP session")
        refused = {to: f"{code} {text}".strip() for to, (code, text) in response.refused.items()}
        later = {to: refused[to] for to, (code, _) in response.refused.items() if code < 500}
        if refused and set(message.rcpt_to) <= set(refused):
            return _all_refused(refused, later)
        if 200 <= response.code < 300:
            never = {to: reason for to, reason in refused.items() if to not in later}
            return Sent(message.message_id, recipients=never, deferred=later)
        return _reply(response.code, f"{response.code} {response.text}".strip())

    def transport_error(self, request_sent: bool, reason: str) -> Retry | Unknown:
        """Say what a broken connection means; ``request_sent``: the final dot went out."""
        return lost(request_sent, reason)

    def verify(self, request: WebhookRequest, config: SmtpConfig, now: datetime) -> Unverified:
        """Refuse: an SMTP server does not call."""
        return Unverified("provider smtp has no webhooks", 404)

    def parse_events(
        self, request: WebhookRequest, config: SmtpConfig
    ) -> tuple[ProviderEvent, ...]:
        """Return nothing."""
        return ()

    def parse_inbound(self, request: WebhookRequest, config: SmtpConfig) -> tuple[InboundMail, ...]:
        """Return nothing."""
        return ()


def _all_refused(refused: Mapping[str, str], later: Mapping[str, str]) -> Retry | Refused:
    if later:
        return Retry(reason="; ".join(sorted(set(later.values()))))
    return Refused("; ".join(sorted(set(refused.values()))), "recipient")


def _reply(code: int, reason: str) -> SendOutcome:
    if 400 <= code < 500:
        return Retry(reason=reason)
    if code in _CREDENTIALS:
        return Refused(reason, "credentials")
    if 500 <= code < 600:
        verdict = judge(reason)
        return Refused(reason, "recipient" if verdict.hard else "message")
    return Unknown(reason or "no reply")

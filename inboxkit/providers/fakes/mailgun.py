"""Mailgun's half of the wire: answers sends and event queries, posts signed events and mail."""

from __future__ import annotations

import email
import re
import secrets
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from ...parsing import parse
from ...values import EventType
from .. import mailgun_posts, mailgun_requests
from ..base import HttpResponse
from ..mailgun_posts import About
from ..mailgun_requests import Refusal
from .account import FakeAccount, json_answer
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ..base import HttpRequest, WebhookRequest
    from ..mailgun import MailgunConfig

_CLIENT = {"client-type": "browser", "device-type": "desktop", "user-agent": "Mozilla/5.0"}
_READER: dict[str, Any] = {"ip": "192.0.2.7", "client-info": _CLIENT, "geolocation": {}}
_DELIVERED = {"code": 250, "message": "OK", "description": "", "attempt-no": 1, "tls": True}
_DETAILS: Mapping[EventType, dict[str, Any]] = {
    EventType.ACCEPTED: {"method": "HTTP"},
    EventType.DELIVERED: {"delivery-status": _DELIVERED},
    EventType.REJECTED: {"reject": {"reason": "Not an authorised recipient", "description": ""}},
    EventType.OPENED: _READER,
    EventType.CLICKED: {**_READER, "url": "https://example.com/"},
    EventType.UNSUBSCRIBED: _READER,
    EventType.COMPLAINED: {},
    EventType.DEFERRED: {
        "severity": "temporary",
        "reason": "generic",
        "delivery-status": {
            "code": 451,
            "enhanced-code": "4.3.0",
            "message": "4.3.0 Temporary server error, try again later",
            "description": "",
            "attempt-no": 1,
            "retry-seconds": 600,
        },
    },
}
_HARD = {
    "severity": "permanent",
    "reason": "bounce",
    "delivery-status": {
        "code": 550,
        "enhanced-code": "5.1.1",
        "message": "5.1.1 The email account that you tried to reach does not exist",
        "description": "",
        "attempt-no": 1,
    },
}
_SOFT = {
    "severity": "permanent",
    "reason": "old",
    "delivery-status": {"code": 602, "message": "Too old", "description": "", "attempt-no": 8},
}


class MailgunFake(FakeAccount):
    """Mailgun for one account, in memory."""

    def __init__(self, config: MailgunConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._config = config
        self._log: list[dict[str, Any]] = []

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.header("authorization") != self._config.authorization:
            return HttpResponse(401, {"content-type": "text/plain"}, b"Forbidden")
        parts = urlsplit(request.url)
        domain, _, resource = parts.path.partition("/v3/")[2].partition("/")
        try:
            if unquote(domain) != self._config.domain:
                raise Refusal(404, f"Domain not found: {unquote(domain)}")
            if request.method == "POST" and resource in ("messages", "messages.mime"):
                return self._send(request, is_mime=resource == "messages.mime")
        except Refusal as refusal:
            return json_answer(refusal.status, {"message": refusal.message})
        if request.method == "GET" and resource == "events":
            return self._events(parse_qs(parts.query))
        return HttpResponse(200, {"content-type": "text/plain"}, b"Mailgun Magnificent API")

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed webhook of an event; raise UnsupportedFeature for what has none."""
        data = self._event_data(kind, message, recipient, hard=hard)
        self._log.append(data)
        return mailgun_posts.event_post(data, self._signature())

    def inbound(
        self, raw: bytes, *, recipient: str, mail_from: str, mime: bool = True
    ) -> WebhookRequest:
        """Return the post of a route: to a URL that ends in ``mime``, or parsed."""
        signed = self._signature()
        return mailgun_posts.mail_post(
            parse(raw), raw, recipient=recipient, mail_from=mail_from, signed=signed, mime=mime
        )

    def _send(self, request: HttpRequest, *, is_mime: bool) -> HttpResponse:
        asked = mailgun_requests.read(request.header("content-type"), request.body, is_mime=is_mime)
        message = _caught(asked, domain=self._config.domain, now=self._now())
        self.caught.append(message)
        self._log += [
            self._event_data(EventType.ACCEPTED, message, to, hard=False) for to in message.rcpt_to
        ]
        return json_answer(200, {"id": message.id, "message": "Queued. Thank you."})

    def _events(self, query: Mapping[str, list[str]]) -> HttpResponse:
        wanted, kinds = query.get("message-id", []), query.get("event", [])
        people = [address.lower() for address in query.get("recipient", [])]
        items = [
            item
            for item in self._log
            if (not wanted or item["message"]["headers"]["message-id"] in wanted)
            and (not kinds or item["event"] in kinds)
            and (not people or item["recipient"].lower() in people)
        ]
        return json_answer(200, {"items": items[:300], "paging": {}})

    def _event_data(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool
    ) -> dict[str, Any]:
        mail = email.message_from_bytes(message.mime)
        about = About(
            sender=str(mail.get("from", "")),
            to=str(mail.get("to", "")),
            subject=str(mail.get("subject", "")),
            message_id=message.message_id.strip("<>"),
            size=len(message.mime),
            tags=message.tags,
            metadata=message.metadata,
            is_test="o:testmode" in message.options,
        )
        bounced = _HARD if hard else _SOFT
        return mailgun_posts.event_data(
            kind,
            about,
            recipient,
            id=secrets.token_urlsafe(16),
            at=self._now(),
            details=bounced if kind is EventType.BOUNCED else _DETAILS.get(kind, {}),
        )

    def _signature(self) -> dict[str, str]:
        return mailgun_posts.signature(self._config.signing_key, self._now())

    def _failed(self, status: int) -> HttpResponse:
        if status != 429:
            return json_answer(status, {"message": "Internal Server Error"})
        until = self._now() + timedelta(minutes=2)
        text = f"request limit exceeded, try again after {until:%a, %d %b %Y %H:%M:%S} UTC"
        message = f"Domain {self._config.domain} is not allowed to send: {text}"
        return json_answer(429, {"message": message}, {"date": format_datetime(self._now())})


def _caught(asked: mailgun_requests.SendRequest, *, domain: str, now: datetime) -> Caught:
    mime = mailgun_requests.composed(asked, now)
    mail = email.message_from_bytes(mime)
    message_id = str(mail.get("message-id", "")).strip()
    if not re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", message_id):  # a malformed one is replaced
        message_id = f"<{now:%Y%m%d%H%M%S}.{secrets.token_hex(8)}@{domain}>"
        mime = f"Message-Id: {message_id}\r\n".encode() + mime
    return Caught(
        id=message_id,
        message_id=message_id,
        mime=mime,
        rcpt_to=asked.rcpt_to,
        tags=asked.tags,
        metadata=asked.metadata,
        send_at=asked.send_at,
        options=asked.options,
    )

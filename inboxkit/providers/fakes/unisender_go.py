"""Unisender Go's half of the wire: composes and takes mail, posts signed batches of events."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import UnsupportedFeature
from ...values import EventType
from .. import payloads
from ..base import WebhookRequest
from ..mime import Piece
from ..submission import Submission, decoded
from ..unisender_go import sign
from .account import FakeAccount, Refusal, asked, json_answer
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ..base import HttpRequest, HttpResponse
    from ..unisender_go import UnisenderGoConfig

_STATUSES = {
    EventType.ACCEPTED: "accepted",
    EventType.SENT: "sent",
    EventType.DELIVERED: "delivered",
    EventType.OPENED: "opened",
    EventType.CLICKED: "clicked",
    EventType.UNSUBSCRIBED: "unsubscribed",
    EventType.DEFERRED: "soft_bounced",
    EventType.BOUNCED: "hard_bounced",
    EventType.REJECTED: "hard_bounced",
    EventType.COMPLAINED: "spam",
}
_READER = {"user_agent": "Mozilla/5.0", "ip": "192.0.2.7", "country_code": "DE"}
_DETAILS: Mapping[EventType, dict[str, str]] = {
    EventType.OPENED: _READER,
    EventType.CLICKED: _READER,
    EventType.REJECTED: {"delivery_status": "err_unsubscribed"},
    EventType.DEFERRED: {
        "delivery_status": "err_will_retry",
        "destination_response": "451 4.3.0 Temporary server error, try again later",
    },
}
_HARD = {
    "delivery_status": "err_user_unknown",
    "destination_response": "550 5.1.1 The email account that you tried to reach does not exist",
}
_SOFT = {"delivery_status": "err_mailbox_full", "destination_response": "552 5.2.2 Over Quota"}
_TAKEN_HEADERS = ("to", "cc", "in-reply-to", "references", "list-unsubscribe")
_MOST_RECIPIENTS = 500
_MOST_BYTES = 10 * 1024 * 1024


class UnisenderGoFake(FakeAccount):
    """Unisender Go for one account, in memory.

    ``failing`` holds addresses that it does not send to, and why. ``domains`` are the sender's
    own, where alone blind copies may go; None stands for all. ``threads`` says whether the account
    may send In-Reply-To and References.
    """

    def __init__(self, config: UnisenderGoConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.failing: dict[str, str] = {}
        self.domains: frozenset[str] | None = None
        self.threads = True
        self._config = config
        self._keys: dict[str, datetime] = {}

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed webhook of an event; raise UnsupportedFeature for what has none."""
        if kind not in _STATUSES:
            raise UnsupportedFeature(f"unisender_go has no event for {kind}")
        bounced = _HARD if hard else _SOFT
        data: dict[str, Any] = {
            "job_id": message.id,
            "metadata": dict(message.metadata),
            "email": recipient,
            "status": _STATUSES[kind],
            "event_time": f"{self._now():%Y-%m-%d %H:%M:%S}",
            "delivery_info": bounced if kind is EventType.BOUNCED else _DETAILS.get(kind, {}),
        }
        if kind is EventType.CLICKED:
            data["url"] = "https://example.com/"
        return self.webhook([{"event_name": "transactional_email_status", "event_data": data}])

    def webhook(self, events: list[dict[str, Any]]) -> WebhookRequest:
        """Return the signed post of a batch of events."""
        user: dict[str, Any] = {"user_id": 456, "events": events}
        return self.signed({"events_by_user": [user]})

    def signed(self, post: Mapping[str, Any]) -> WebhookRequest:
        """Return a signed post."""
        mark = secrets.token_hex(16)
        body = json.dumps({"auth": mark, **post}).encode()
        auth = sign(self._config.webhook_key, body, mark.encode())
        body = body.replace(mark.encode(), auth.encode(), 1)
        return WebhookRequest(headers={"content-type": "application/json"}, body=body)

    def inbound(self, raw: bytes, *, recipient: str, mail_from: str) -> WebhookRequest:
        """Raise UnsupportedFeature: Unisender Go takes no mail in."""
        raise UnsupportedFeature(f"unisender_go takes no mail in, not even to {recipient}")

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.header("x-api-key") != self._config.api_key:
            raise _refusal(102, "Can not decode key", 401)
        if not urlsplit(request.url).path.endswith("/email/send.json"):
            raise _refusal(0, "no such method", 404)
        if len(request.body) > _MOST_BYTES:
            raise _refusal(199, "Request too large", 413)
        return self._take(payloads.mapping(asked(request).get("message")))

    def _take(self, message: Mapping[str, Any]) -> HttpResponse:
        people = payloads.objects(message.get("recipients"))
        everybody = tuple(payloads.text(person.get("email")) for person in people)
        self._check(message, everybody)
        failed = {to: why for to in everybody if (why := self._failure(to))}
        taken = tuple(dict.fromkeys(to for to in everybody if to not in failed))
        if not taken:
            raise _refusal(204, "No valid recipients")
        caught = self._caught(message, taken)
        self.caught.append(caught)
        answer = {"status": "success", "job_id": caught.id, "emails": list(taken)}
        return json_answer(200, {**answer, "failed_emails": failed})

    def _check(self, message: Mapping[str, Any], everybody: tuple[str, ...]) -> None:
        if len(everybody) > _MOST_RECIPIENTS:
            raise _refusal(1524, "recipients must contain no more than 500 elements")
        if not message.get("template_id"):
            if not message.get("body"):
                raise _refusal(201, "Message body is missing")
            if not message.get("from_email"):
                raise _refusal(202, "Sender email is missing")
        headers = {k.lower(): str(v) for k, v in payloads.mapping(message.get("headers")).items()}
        if "cc" in headers and "to" not in headers:
            raise _refusal(1556, "Cc is allowed only with non-empty To")
        shown = (headers.get("to", "") + headers.get("cc", "")).lower()
        for address in everybody if shown else ():
            domain = address.rpartition("@")[2]
            if address.lower() not in shown and self.domains and domain not in self.domains:
                raise _refusal(1559, f"{address} is not in To or Cc, and its domain is not yours")
        self._once(payloads.text(message.get("idempotence_key")))

    def _once(self, key: str) -> None:
        """Refuse a key that came within the last minute."""
        now, before = self._now(), self._keys.get(key)
        if key and before and (now - before).total_seconds() < 60:
            raise _refusal(1573, "Duplicate message with the same idempotence_key")
        self._keys[key] = now

    def _failure(self, address: str) -> str:
        return self.failing.get(address, "" if "@" in address else "invalid")

    def _caught(self, message: Mapping[str, Any], to: tuple[str, ...]) -> Caught:
        options = payloads.mapping(message.get("options"))
        job = f"1{secrets.token_hex(3)}-{secrets.token_hex(3)}-{secrets.token_hex(1)}"
        message_id = f"<{secrets.token_hex(16)}@mail.unisender-go.example>"
        return Caught(
            id=job,
            message_id=message_id,
            mime=self._mime(message, to, message_id),
            rcpt_to=to,
            tags=payloads.texts(message.get("tags") or ""),
            metadata=payloads.mapping(message.get("global_metadata")),
            send_at=payloads.instant(options.get("send_at")),
            options={k: json.dumps(v) for k, v in message.items() if isinstance(v, (int, str))},
        )

    def _mime(self, message: Mapping[str, Any], to: tuple[str, ...], message_id: str) -> bytes:
        given = payloads.mapping(message.get("headers"))
        own = {k: str(v) for k, v in given.items() if self._takes(k.lower())}
        shown = {k.lower(): v for k, v in own.items()}
        body = payloads.mapping(message.get("body"))
        return Submission(
            sender=_person(message, "from_email", "from_name"),
            to=(shown.get("to") or to[0],),
            cc=(shown["cc"],) if "cc" in shown else (),
            reply_to=tuple(filter(None, [_person(message, "reply_to", "reply_to_name")])),
            subject=payloads.text(message.get("subject")),
            text=str(body.get("plaintext") or ""),
            html=str(body.get("html") or ""),
            headers=tuple((k, v) for k, v in own.items() if k.lower() not in ("to", "cc")),
            files=tuple(
                _file(given, inline=name.startswith("inline"))
                for name in ("attachments", "inline_attachments")
                for given in payloads.objects(message.get(name))
            ),
        ).mime(message_id, self._now())

    def _takes(self, name: str) -> bool:
        if name in ("in-reply-to", "references") and not self.threads:
            return False
        return name.startswith("x-") or name in _TAKEN_HEADERS


def _person(message: Mapping[str, Any], email: str, name: str) -> str:
    address, shown = payloads.text(message.get(email)), payloads.text(message.get(name))
    return f'"{shown}" <{address}>' if shown else address


def _file(given: Mapping[str, Any], *, inline: bool) -> Piece:
    name, kind = payloads.text(given.get("name")), payloads.text(given.get("type"))
    if "/" in name:
        raise _refusal(1590, "attachments.name: forbidden symbol /")
    try:
        return Piece(kind, decoded(given.get("content")), name, name if inline else "")
    except ValueError:
        raise _refusal(1592, "attachments.content is missing") from None


def _refusal(code: int, message: str, status: int = 400) -> Refusal:
    return Refusal(status, {"status": "error", "code": code, "message": message})

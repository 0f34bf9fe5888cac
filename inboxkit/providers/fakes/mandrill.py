"""Mandrill's half of the wire: answers sends and searches, posts signed batches of events."""

from __future__ import annotations

import base64
import binascii
import email
import hashlib
import json
import re
import secrets
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlsplit

from ...errors import UnsupportedFeature
from ...parsing import addresses
from ...values import EventType
from .. import payloads
from ..base import WebhookRequest
from ..forms import Field
from ..mandrill import TEST_KEY, sign
from ..mime import Piece, rebuild
from .account import FakeAccount, Refusal, asked, json_answer
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from email.message import Message as Mail

    from ..base import HttpRequest, HttpResponse
    from ..mandrill import MandrillConfig

_URL = "http://localhost:8025/webhooks/mandrill"
_ACCOUNT = "30001234"
_OWN = re.compile(rb"^x-mc-[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*", re.IGNORECASE | re.MULTILINE)
_NAMES = {
    EventType.SENT: "send",
    EventType.DELIVERED: "delivered",
    EventType.DEFERRED: "deferral",
    EventType.REJECTED: "reject",
    EventType.COMPLAINED: "spam",
    EventType.OPENED: "open",
    EventType.CLICKED: "click",
    EventType.UNSUBSCRIBED: "unsub",
}
_READER = {"ip": "192.0.2.7", "user_agent": "Mozilla/5.0", "location": None}
_HARD = {
    "state": "bounced",
    "bounce_description": "bad_mailbox",
    "bgtools_code": 10,
    "diag": "smtp;550 5.1.1 The email account that you tried to reach does not exist",
}
_SOFT = {
    "state": "soft-bounced",
    "bounce_description": "mailbox_full",
    "bgtools_code": 22,
    "diag": "smtp;552 5.2.2 Over Quota",
}
_TRY = {"type": "deferred", "diag": "451 4.3.5 Temporarily unavailable, try again later."}


class MandrillFake(FakeAccount):
    """Mandrill for one account, in memory. ``denied`` holds addresses to reject, and why."""

    def __init__(self, config: MandrillConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.denied: dict[str, str] = {}
        self._config = config

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed webhook of an event; raise UnsupportedFeature for what has none."""
        return self.batch([self._event(kind, message, recipient, hard=hard)])

    def inbound(self, raw: bytes, *, recipient: str, mail_from: str) -> WebhookRequest:
        """Return the post of an inbound route; it does not tell ``mail_from``."""
        mail = email.message_from_bytes(raw)
        sender = next(iter(addresses.parse(_header(mail, "from"))), None)
        msg: dict[str, Any] = {
            "raw_msg": raw.decode("utf-8", "replace"),
            "headers": {name: _header(mail, name) for name in mail},
            "from_email": sender.email if sender else mail_from,
            "from_name": sender.name if sender else "",
            "to": [[recipient, None]],
            "email": recipient,
            "subject": _header(mail, "subject"),
            "spam_report": {"score": 0.1, "matched_rules": []},
            "spf": {"result": "pass", "detail": ""},
            "dkim": {"signed": True, "valid": True},
            "tags": [],
            "sender": None,
            "template": None,
        }
        return self.batch([{"event": "inbound", "ts": int(self._now().timestamp()), "msg": msg}])

    def batch(self, items: Sequence[Mapping[str, Any]]) -> WebhookRequest:
        """Return the signed post of these events; an empty one is what checks a new URL."""
        data = json.dumps(items).encode()
        url = self._config.webhook_url or _URL
        key = next(iter(self._config.webhook_keys if items else ()), TEST_KEY)
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-mandrill-signature": sign(key, url, [Field("mandrill_events", data)]),
        }
        body = f"mandrill_events={quote_plus(data)}".encode()
        return WebhookRequest(headers=headers, body=body, url=url)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        call = asked(request)
        if call.get("key") != self._config.api_key:
            raise _refusal("Invalid_Key", "Invalid API key", 401)
        path = "/".join(urlsplit(request.url).path.split("/")[-2:])
        match path:
            case "messages/send-raw.json":
                return self._take(_uploaded(call), _listed(call), call)
            case "messages/send.json" | "messages/send-template.json":
                message = payloads.mapping(call.get("message"))
                people = payloads.objects(message.get("to"))
                to = tuple(payloads.text(person.get("email")) for person in people)
                return self._take(_composed(message, self._now()), to, call)
            case "messages/search.json":
                return self._search(payloads.text(call.get("query")))
            case "users/ping.json":
                return json_answer(200, "PONG!")
            case _:
                raise _refusal("Unknown_Method", f"Unknown method {path!r}", 404)

    def _take(self, mime: bytes, to: tuple[str, ...], call: Mapping[str, Any]) -> HttpResponse:
        if not to:
            raise _refusal("ValidationError", "Validation error: to: Please enter an array")
        mail = email.message_from_bytes(mime)
        statuses = [self._status(address) for address in to]
        taken = tuple(a for a, status in zip(to, statuses, strict=True) if status["_id"])
        caught = self._caught(_OWN.sub(b"", mime), mail, taken, call)
        for address, status in zip(to, statuses, strict=True):
            status["email"] = address
            status["_id"] = _id(caught, address)
        if taken:
            self.caught.append(caught)
        return json_answer(200, statuses)

    def _status(self, address: str) -> dict[str, Any]:
        if "@" not in address:
            return {"status": "invalid", "_id": "", "reject_reason": "invalid"}
        if why := self.denied.get(address):
            return {"status": "rejected", "_id": "", "reject_reason": why}
        return {"status": "sent", "_id": "taken", "reject_reason": None}

    def _caught(
        self, mime: bytes, mail: Mail, to: tuple[str, ...], call: Mapping[str, Any]
    ) -> Caught:
        now = self._now()
        message_id = str(mail.get("message-id", "")).strip()
        if not message_id:
            tail = f"{secrets.token_hex(7)}.{secrets.token_hex(4)}@mail1.mandrillapp.com"
            message_id = f"<{_ACCOUNT}.{now:%Y%m%d%H%M%S}.{tail}>"
            mime = f"Message-Id: {message_id}\r\n".encode() + mime
        return Caught(
            id=secrets.token_hex(16),
            message_id=message_id,
            mime=mime,
            rcpt_to=to,
            tags=tuple(filter(None, str(mail.get("x-mc-tags", "")).split(","))),
            metadata=json.loads(str(mail.get("x-mc-metadata", "{}"))),
            send_at=_moment(call.get("send_at"), now),
            options={name.lower(): str(v) for name, v in mail.items() if name.startswith("X-MC-")},
        )

    def _search(self, query: str) -> HttpResponse:
        wanted = query.removeprefix("full_email:")
        found = [
            {"_id": _id(c, to), "email": to, "tags": list(c.tags), "metadata": dict(c.metadata)}
            for c in self.caught
            for to in c.rcpt_to
            if to == wanted
        ]
        return json_answer(200, found)

    def _event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool
    ) -> dict[str, Any]:
        if kind not in _NAMES and kind is not EventType.BOUNCED:
            raise UnsupportedFeature(f"mandrill has no event for {kind}")
        id_, ts = _id(message, recipient), int(self._now().timestamp())
        msg: dict[str, Any] = {
            "_id": id_,
            "ts": ts,
            "email": recipient,
            "subject": _header(email.message_from_bytes(message.mime), "subject"),
            "tags": list(message.tags),
            "metadata": dict(message.metadata),
            "state": "sent",
        }
        item: dict[str, Any] = {"event": _NAMES.get(kind, ""), "_id": id_, "ts": ts, "msg": msg}
        if kind is EventType.BOUNCED:
            item["event"] = "hard_bounce" if hard else "soft_bounce"
            msg |= _HARD if hard else _SOFT
        if kind is EventType.DEFERRED:
            msg |= {"state": "deferred", "smtp_events": [_TRY]}
        if kind is EventType.REJECTED:
            msg |= {"state": "rejected", "reject": {"reason": "hard-bounce"}}
        if kind in (EventType.OPENED, EventType.CLICKED):
            item |= _READER
        if kind is EventType.CLICKED:
            item["url"] = "https://example.com/"
        return item


def _id(message: Caught, recipient: str) -> str:
    """Return the id of a message to one recipient: Mandrill gives each another one."""
    return hashlib.sha256(f"{message.id} {recipient}".encode()).hexdigest()[:32]


def _uploaded(call: Mapping[str, Any]) -> bytes:
    raw = call.get("raw_message")
    if not isinstance(raw, str) or not raw:
        raise _refusal(
            "ValidationError", "Validation error: {'raw_message': 'Please enter a value'}"
        )
    return raw.encode()


def _listed(call: Mapping[str, Any]) -> tuple[str, ...]:
    if call.get("to"):
        return payloads.texts(call["to"])
    mail = email.message_from_bytes(_uploaded(call))
    values = ", ".join(_header(mail, name) for name in ("to", "cc", "bcc"))
    return tuple(address.email for address in addresses.parse(values) if address.email)


def _composed(message: Mapping[str, Any], now: datetime) -> bytes:
    people: dict[str, list[str]] = {}
    for person in payloads.objects(message.get("to")):
        name, address = payloads.text(person.get("name")), payloads.text(person.get("email"))
        shown = f'"{name}" <{address}>' if name else address
        people.setdefault(payloads.text(person.get("type")) or "to", []).append(shown)
    sender = payloads.text(message.get("from_email"))
    name = payloads.text(message.get("from_name"))
    headers = {
        "From": f'"{name}" <{sender}>' if name else sender,
        "To": ", ".join(people.get("to", [])),
        "Cc": ", ".join(people.get("cc", [])),
        "Subject": payloads.text(message.get("subject")),
        "Date": format_datetime(now),
        "X-MC-Tags": ",".join(payloads.texts(message.get("tags") or "")),
        "X-MC-Metadata": json.dumps(payloads.mapping(message.get("metadata"))),
        **payloads.mapping(message.get("headers")),
    }
    bodies = [
        Piece(kind, str(message[key]).encode())
        for key, kind in (("text", "text/plain"), ("html", "text/html"))
        if message.get(key)
    ]
    files = [_file(one, "name", "") for one in payloads.objects(message.get("attachments"))]
    files += [_file(one, "", "name") for one in payloads.objects(message.get("images"))]
    return rebuild([(k, v) for k, v in headers.items() if v], bodies, files)


def _file(given: Mapping[str, Any], filename: str, content_id: str) -> Piece:
    try:
        data = base64.b64decode(str(given.get("content", "")), validate=True)
    except binascii.Error:
        raise _refusal("ValidationError", "Validation error: content is not base64") from None
    kind = payloads.text(given.get("type"))
    return Piece(
        kind, data, payloads.text(given.get(filename)), payloads.text(given.get(content_id))
    )


def _header(mail: Mail, name: str) -> str:
    value = str(mail.get(name, ""))
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _moment(value: object, now: datetime) -> datetime | None:
    text = payloads.text(value)
    return type(now).fromisoformat(f"{text}+00:00") if text else None


def _refusal(name: str, message: str, status: int = 500) -> Refusal:
    error = {"status": "error", "code": -1, "name": name, "message": message}
    return Refusal(status, error)

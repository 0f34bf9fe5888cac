"""Mailgun's half of the wire: answers sends and event queries, posts signed events and mail."""

from __future__ import annotations

import email
import html
import json
import re
import secrets
from collections import deque
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, quote_plus, unquote, urlsplit

from ..errors import UnsupportedFeature
from ..parsing import addresses
from ..values import EventType
from . import forms
from .base import HttpResponse, ParseError, WebhookRequest
from .fake import Caught, outcome
from .forms import Field, Form
from .mailgun import sign
from .mime import Piece, rebuild

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from email.message import Message as Mail

    from .base import HttpRequest
    from .mailgun import MailgunConfig

_MOST_BYTES = int(52.4 * 1024 * 1024)
_ADDRESS = "{} parameter is not a valid address. please check documentation"

_NAMES = {
    EventType.ACCEPTED: "accepted",
    EventType.DELIVERED: "delivered",
    EventType.REJECTED: "rejected",
    EventType.OPENED: "opened",
    EventType.CLICKED: "clicked",
    EventType.UNSUBSCRIBED: "unsubscribed",
    EventType.COMPLAINED: "complained",
    EventType.DEFERRED: "failed",
    EventType.BOUNCED: "failed",
}
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


class Refusal(Exception):
    """What Mailgun answers to a request that it does not take."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = _json(status, {"message": message})


class MailgunFake:
    """Mailgun for one account, in memory. ``now`` is asked for every time that it writes down."""

    def __init__(self, config: MailgunConfig, now: Callable[[], datetime]) -> None:
        self.caught: list[Caught] = []
        self._config = config
        self._now = now
        self._failures: deque[int] = deque()
        self._log: list[dict[str, Any]] = []

    def fail_next(self, status: int) -> None:
        """Answer the next request with this status instead."""
        self._failures.append(status)

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request as Mailgun does: sends by either form, and the event log."""
        if self._failures:
            return self._failure(self._failures.popleft())
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
            return refusal.answer
        if request.method == "GET" and resource == "events":
            return self._events(parse_qs(parts.query))
        return HttpResponse(200, {"content-type": "text/plain"}, b"Mailgun Magnificent API")

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed webhook of an event; raise UnsupportedFeature for what has none."""
        data = self._event_data(kind, message, recipient, hard=hard)
        self._log.append(data)
        body = json.dumps({"signature": self._signature(), "event-data": data}).encode()
        return WebhookRequest(headers={"content-type": "application/json"}, body=body)

    def outcomes(self, message: Caught) -> tuple[WebhookRequest, ...]:
        """Return every webhook due for a message, by the addresses it was sent to."""
        return tuple(
            self.event(happening.type, message, recipient, hard=happening.hard)
            for recipient in message.rcpt_to
            for happening in outcome(recipient)
        )

    def inbound(
        self, raw: bytes, *, recipient: str, mail_from: str, mime: bool = True
    ) -> WebhookRequest:
        """Return the post of a route: to a URL that ends in ``mime``, or parsed."""
        mail = email.message_from_bytes(raw)
        headers = _headers(mail)
        named = {"recipient": recipient, "sender": mail_from} | {
            name: next((v for n, v in headers if n.lower() == name), "")
            for name in ("from", "subject")
        }
        fields = [Field(name, value.encode()) for name, value in (*headers, *named.items())]
        fields += [Field("body-mime", raw)] if mime else _parsed(mail, headers)
        fields += [Field(name, value.encode()) for name, value in self._signature().items()]
        content_type, body = _posted(fields)
        return WebhookRequest(headers={"content-type": content_type}, body=body)

    def _send(self, request: HttpRequest, *, is_mime: bool) -> HttpResponse:
        message = receive(
            request.header("content-type"),
            request.body,
            is_mime=is_mime,
            domain=self._config.domain,
            now=self._now(),
        )
        self.caught.append(message)
        self._log += [
            self._event_data(EventType.ACCEPTED, message, to, hard=False) for to in message.rcpt_to
        ]
        return _json(200, {"id": message.id, "message": "Queued. Thank you."})

    def _events(self, query: Mapping[str, list[str]]) -> HttpResponse:
        wanted, kinds = query.get("message-id", []), query.get("event", [])
        items = [
            item
            for item in self._log
            if (not wanted or item["message"]["headers"]["message-id"] in wanted)
            and (not kinds or item["event"] in kinds)
        ]
        return _json(200, {"items": items[:300], "paging": {}})

    def _event_data(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool
    ) -> dict[str, Any]:
        if kind not in _NAMES:
            raise UnsupportedFeature(f"mailgun has no event for {kind}")
        mail = email.message_from_bytes(message.mime)
        headers = {name: str(mail.get(name, "")) for name in ("to", "from", "subject")}
        about: dict[str, Any] = {
            "event": _NAMES[kind],
            "id": secrets.token_urlsafe(16),
            "timestamp": self._now().timestamp(),
            "message": {
                "headers": {**headers, "message-id": message.message_id.strip("<>")},
                "attachments": [],
                "size": len(message.mime),
            },
            "tags": list(message.tags),
            "user-variables": dict(message.metadata),
            "campaigns": [],
            "flags": {"is-test-mode": "o:testmode" in message.options},
        }
        if kind is EventType.REJECTED:  # the one event that names no recipient
            about["message"]["recipients"] = [recipient]
        else:
            about |= {"recipient": recipient, "recipient-domain": recipient.partition("@")[2]}
        bounced = _HARD if hard else _SOFT
        return about | (bounced if kind is EventType.BOUNCED else _DETAILS[kind])

    def _signature(self) -> dict[str, str]:
        timestamp, token = str(int(self._now().timestamp())), secrets.token_hex(25)
        signature = sign(self._config.signing_key, timestamp, token)
        return {"timestamp": timestamp, "token": token, "signature": signature}

    def _failure(self, status: int) -> HttpResponse:
        if status != 429:
            return _json(status, {"message": "Internal Server Error"})
        until = self._now() + timedelta(minutes=2)
        text = f"request limit exceeded, try again after {until:%a, %d %b %Y %H:%M:%S} UTC"
        message = f"Domain {self._config.domain} is not allowed to send: {text}"
        return _json(429, {"message": message}, {"date": format_datetime(self._now())})


def receive(content_type: str, body: bytes, *, is_mime: bool, domain: str, now: datetime) -> Caught:
    """Read the form of a send; raise Refusal with the status and words of Mailgun's."""
    if len(body) > _MOST_BYTES:
        raise Refusal(413, "request size exceeds 52.4MiB limit")
    media_type = forms.parameters(content_type)[0]
    if is_mime and media_type != "multipart/form-data":
        expected = f"Expecting 'multipart/form-data' but got '{media_type}'"
        raise Refusal(400, f"Invalid request content type. {expected}")
    try:
        form = forms.read(content_type, body)
    except ParseError:
        raise Refusal(400, "malformed multipart/form-data request") from None
    mime = _uploaded(form) if is_mime else _composed(form, now)
    mail = email.message_from_bytes(mime)
    message_id = str(mail.get("message-id", "")).strip()
    if not re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", message_id):  # a malformed one is replaced
        message_id = f"<{now:%Y%m%d%H%M%S}.{secrets.token_hex(8)}@{domain}>"
        mime = f"Message-Id: {message_id}\r\n".encode() + mime
    return Caught(
        id=message_id,
        message_id=message_id,
        mime=mime,
        rcpt_to=_recipients(form, ("to",) if is_mime else ("to", "cc", "bcc")),
        tags=form.texts("o:tag"),
        metadata=_prefixed(form, "v:"),
        send_at=_delivery_time(form),
        options={f.name: f.text for f in form.fields if f.name.startswith(("o:", "t:"))},
    )


def _uploaded(form: Form) -> bytes:
    if "message" not in form:
        raise Refusal(400, "message parameter is missing")
    if form.all("message")[0].filename is None:
        raise Refusal(400, "'message' parameter is not a file")
    return form.all("message")[0].data


def _composed(form: Form, now: datetime) -> bytes:
    if not form.text("from"):
        raise Refusal(400, "from parameter is missing")
    if not addresses.parse(form.text("from")):
        raise Refusal(400, _ADDRESS.format("from"))
    if not any(form.text(name) for name in ("text", "html", "amp-html", "template")):
        names = "'text', 'html', 'amp-html' or 'template'"
        raise Refusal(400, f"Need at least one of {names} parameters specified")
    own = _prefixed(form, "h:")
    listed = {name.title(): ", ".join(form.texts(name)) for name in ("from", "to", "cc", "subject")}
    headers = {k: v for k, v in {**listed, "Date": format_datetime(now)}.items() if v} | own
    bodies = [
        Piece(kind, form.text(name).encode())
        for name, kind in (("text", "text/plain"), ("html", "text/html"))
        if form.text(name)
    ]
    files = [Piece(f.content_type, f.data, f.filename or "") for f in form.all("attachment")]
    files += [
        Piece(f.content_type, f.data, f.filename or "", f.filename or "inline")  # its cid
        for f in form.all("inline")
    ]
    return rebuild(headers.items(), bodies, files)


def _recipients(form: Form, names: tuple[str, ...]) -> tuple[str, ...]:
    found: dict[str, None] = {}  # "Duplicate addresses are automatically ignored"
    for name in names:
        for value in filter(None, form.texts(name)):
            parsed = addresses.parse(value)
            if not parsed or not all("@" in address.email for address in parsed):
                raise Refusal(400, _ADDRESS.format(name))
            found |= dict.fromkeys(address.email for address in parsed)
        if name == "to" and not found:
            raise Refusal(400, "to parameter is missing")
    if len(found) > 1000:
        raise Refusal(400, "Too many recipients, max is 1000")
    return tuple(found)


def _prefixed(form: Form, prefix: str) -> dict[str, str]:
    return {f.name[len(prefix) :]: f.text for f in form.fields if f.name.startswith(prefix)}


def _delivery_time(form: Form) -> datetime | None:
    text = form.text("o:deliverytime")
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        raise Refusal(400, "invalid delivery time format") from None


def _headers(mail: Mail) -> list[tuple[str, str]]:
    return [
        (name, value.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        for name, value in mail.raw_items()
    ]


def _parsed(mail: Mail, headers: list[tuple[str, str]]) -> list[Field]:
    bodies: dict[str, bytes] = {}
    files: list[Field] = []
    ids: dict[str, str] = {}
    for part, data in _leaves(mail):
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and not part.get_filename():
            name = f"body-{kind[5:]}"
            bodies[name] = bodies.get(name, b"") + _as_utf8(data, part)
            continue
        name = f"attachment-{len(files) + 1}"
        files.append(Field(name, data, part.get_filename() or name, kind))
        if part["content-id"]:
            ids[str(part["content-id"])] = name
    bodies.setdefault("body-plain", _as_text(bodies.get("body-html", b"")))
    fields = [Field(name, data) for name, data in bodies.items()]
    fields += [Field("message-headers", json.dumps(headers).encode())]
    if files:
        fields += [Field("attachment-count", str(len(files)).encode()), *files]
    if ids:
        fields += [Field("content-id-map", json.dumps(ids).encode())]
    return fields


def _leaves(mail: Mail) -> Iterator[tuple[Mail, bytes]]:
    """Yield each part with its decoded bytes; a mail in the mail is one part."""
    payload: Any = mail.get_payload()
    if mail.get_content_maintype() == "multipart" and isinstance(payload, list):
        for part in cast("list[Mail]", payload):
            yield from _leaves(part)
    elif isinstance(payload, list):
        yield mail, b"\r\n".join(part.as_bytes() for part in cast("list[Mail]", payload))
    else:
        data: Any = mail.get_payload(decode=True)
        yield mail, data if isinstance(data, bytes) else b""


def _as_utf8(data: bytes, part: Mail) -> bytes:
    try:
        return data.decode(str(part.get_content_charset("utf-8")), "replace").encode()
    except LookupError:
        return data.decode("utf-8", "replace").encode()


def _as_text(markup: bytes) -> bytes:
    return html.unescape(re.sub(r"<[^<>]*>", "", markup.decode())).encode()


def _posted(fields: list[Field]) -> tuple[str, bytes]:
    if any(f.filename is not None for f in fields):
        return forms.write(fields)
    pairs = [f"{quote_plus(f.name)}={quote_plus(f.data)}" for f in fields]
    return "application/x-www-form-urlencoded", "&".join(pairs).encode()


def _json(status: int, value: object, headers: Mapping[str, str] | None = None) -> HttpResponse:
    head = {"content-type": "application/json", **(headers or {})}
    return HttpResponse(status, head, json.dumps(value).encode())

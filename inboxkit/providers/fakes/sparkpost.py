"""SparkPost's half of the wire: answers transmissions, posts batches of events and mail."""

from __future__ import annotations

import base64
import email
import json
import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import UnsupportedFeature
from ...values import EventType
from .. import payloads
from ..mime import Piece
from ..submission import Submission, decoded, listed
from .account import FakeAccount, Refusal, asked, json_answer, json_post
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ..base import HttpRequest, HttpResponse, WebhookRequest
    from ..sparkpost import SparkPostConfig

_OWN_ID = re.compile(rb"^message-id:[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)
_HOST = "i-0a1b2c3d4e5f.mta1vrest.sd.prd.sparkpost"
_CLASSES: Mapping[EventType, tuple[str, dict[str, Any]]] = {
    EventType.ACCEPTED: ("message_event", {"type": "injection"}),
    EventType.DELIVERED: ("message_event", {"type": "delivery", "queue_time": "12"}),
    EventType.DEFERRED: (
        "message_event",
        {
            "type": "delay",
            "bounce_class": "20",
            "error_code": "451",
            "raw_reason": "451 4.3.0 Temporary server error, try again later",
            "num_retries": "1",
        },
    ),
    EventType.BOUNCED: ("message_event", {"type": "bounce"}),
    EventType.REJECTED: (
        "message_event",
        {"type": "policy_rejection", "raw_reason": "550 5.7.1 Unconfigured Sending Domain"},
    ),
    EventType.FAILED: ("gen_event", {"type": "generation_failure", "raw_reason": "bad template"}),
    EventType.COMPLAINED: ("message_event", {"type": "spam_complaint", "fbtype": "abuse"}),
    EventType.OPENED: ("track_event", {"type": "open"}),
    EventType.CLICKED: ("track_event", {"type": "click", "target_link_url": "https://x.example/"}),
    EventType.UNSUBSCRIBED: ("unsubscribe_event", {"type": "list_unsubscribe"}),
}
_HARD = {
    "bounce_class": "10",
    "error_code": "550",
    "raw_reason": "550 5.1.1 The email account that you tried to reach does not exist",
}
_SOFT = {"bounce_class": "22", "error_code": "552", "raw_reason": "552 5.2.2 Over Quota"}
_READER = {"ip_address": "192.0.2.7", "user_agent": "Mozilla/5.0"}


class SparkPostFake(FakeAccount):
    """SparkPost for one account, in memory. ``denied`` holds addresses that it rejects.

    That recipients see the Message-ID of a composed mail is not documented, so there is
    ``replaces_ids``: then they see one of SparkPost's own.
    """

    def __init__(self, config: SparkPostConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.denied: set[str] = set()
        self.replaces_ids = False
        self._config = config

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the webhook of an event; raise UnsupportedFeature for what has none."""
        if kind not in _CLASSES:
            raise UnsupportedFeature(f"sparkpost has no event for {kind}")
        kind_class, own = _CLASSES[kind]
        event: dict[str, Any] = {
            "event_id": _number(),
            "timestamp": str(int(self._now().timestamp())),
            "transmission_id": message.id,
            "message_id": secrets.token_hex(10),
            "raw_rcpt_to": recipient,
            "rcpt_to": recipient.lower(),
            "rcpt_meta": dict(message.metadata),
            "rcpt_tags": [],
            "campaign_id": "".join(message.tags),
            "customer_id": "1",
            **own,
        }
        if kind is EventType.BOUNCED:
            event |= _HARD if hard else _SOFT
        if kind in (EventType.OPENED, EventType.CLICKED, EventType.UNSUBSCRIBED):
            event |= _READER
        return self._post([{"msys": {kind_class: event}}], batch=secrets.token_hex(16))

    def inbound(self, raw: bytes, *, recipient: str, mail_from: str) -> WebhookRequest:
        """Return the post of a relay webhook, with its token if it has one."""
        mail = email.message_from_bytes(raw)
        content: dict[str, Any] = {
            "headers": [{name: str(value)} for name, value in mail.items()],
            "subject": str(mail.get("subject", "")),
            "to": [recipient],
            "email_rfc822_is_base64": not _is_utf8(raw),
            "email_rfc822": raw.decode() if _is_utf8(raw) else base64.b64encode(raw).decode(),
        }
        relayed: dict[str, Any] = {
            "content": content,
            "customer_id": "1",
            "friendly_from": mail_from,
            "msg_from": mail_from,
            "rcpt_to": recipient,
            "protocol": "smtp",
            "webhook_id": "4839201967643219",
        }
        return self._post([{"msys": {"relay_message": relayed}}], token=True)

    def ping(self) -> WebhookRequest:
        """Return the batch without content that checks a webhook."""
        nothing: dict[str, Any] = {"msys": {}}
        return self._post([nothing], batch=secrets.token_hex(16))

    def _post(self, items: object, *, batch: str = "", token: bool = False) -> WebhookRequest:
        headers = {"x-messagesystems-batch-id": batch} if batch else {}
        secret = self._config.webhook_token if token else ""
        if secret:
            return json_post(items, headers={**headers, "x-messagesystems-webhook-token": secret})
        return json_post(items, self._config.login, headers)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.header("authorization") != self._config.api_key:
            raise Refusal(401, {"errors": [{"message": "Unauthorized."}]})
        path = urlsplit(request.url).path.rstrip("/")
        if request.method != "POST" or not path.endswith("/transmissions"):
            raise Refusal(404, {"errors": [{"message": "Resource could not be found"}]})
        return self._take(asked(request))

    def _take(self, call: dict[str, Any]) -> HttpResponse:
        everybody = [_address(entry) for entry in payloads.objects(call.get("recipients"))]
        taken = tuple(a for a in everybody if a not in self.denied)
        if not everybody:
            raise _refusal("1400", "required field is missing", "recipients or list_id required")
        caught = self._caught(call, taken)
        if taken:
            self.caught.append(caught)
        counts = {
            "total_accepted_recipients": len(taken),
            "total_rejected_recipients": len(everybody) - len(taken),
        }
        return json_answer(200, {"results": {**counts, "id": caught.id}})

    def _caught(self, call: Mapping[str, Any], to: tuple[str, ...]) -> Caught:
        options = payloads.mapping(call.get("options"))
        message_id = f"<{secrets.token_hex(4)}.{secrets.token_hex(4)}@{_HOST}>"
        mime = _mime(call, message_id, self._now())
        if self.replaces_ids:
            mime = _OWN_ID.sub(b"", mime, count=1)
        found = str(email.message_from_bytes(mime).get("message-id", "")).strip()
        if not found:
            mime = f"Message-ID: {message_id}\r\n".encode() + mime
        return Caught(
            id=_number(),
            message_id=found or message_id,
            mime=mime,
            rcpt_to=to,
            tags=payloads.texts(call.get("campaign_id")),
            metadata=payloads.mapping(call.get("metadata")),
            send_at=payloads.instant(options.get("start_time")),
            options={key: json.dumps(value) for key, value in options.items()},
        )


def _address(entry: Mapping[str, Any]) -> str:
    address = entry.get("address")
    found = address if isinstance(address, str) else payloads.mapping(address).get("email")
    text = payloads.text(found)
    if "@" not in text:
        raise _refusal("1300", "Invalid email address", f"{text!r} is no address")
    return text


def _mime(call: Mapping[str, Any], message_id: str, now: datetime) -> bytes:
    content = payloads.mapping(call.get("content"))
    if isinstance(raw := content.get("email_rfc822"), str):
        return raw.encode("utf-8", "replace")
    if not any(content.get(key) for key in ("text", "html", "template_id")):
        raise _refusal(
            "1400", "required field is missing", "content object or template_id required"
        )
    sender = content.get("from") or payloads.mapping(call.get("override")).get("from")
    if not sender and not content.get("template_id"):
        raise _refusal("1400", "required field is missing", "content.from required")
    first = payloads.mapping(payloads.objects(call.get("recipients"))[0].get("address"))
    headers = payloads.mapping(content.get("headers"))
    return Submission(
        sender=_person(sender),
        to=(payloads.text(first.get("header_to")) or _person(first),),
        reply_to=listed(content.get("reply_to")),
        subject=payloads.text(content.get("subject")),
        text=str(content.get("text") or ""),
        html=str(content.get("html") or ""),
        headers=tuple((name, str(value)) for name, value in headers.items()),
        files=(
            *(_file(a, inline=False) for a in payloads.objects(content.get("attachments"))),
            *(_file(a, inline=True) for a in payloads.objects(content.get("inline_images"))),
        ),
    ).mime(message_id, now)


def _person(value: object) -> str:
    if isinstance(value, str):
        return value
    person = payloads.mapping(value)
    name, address = payloads.text(person.get("name")), payloads.text(person.get("email"))
    return f'"{name}" <{address}>' if name else address


def _file(given: Mapping[str, Any], *, inline: bool) -> Piece:
    name, kind = payloads.text(given.get("name")), payloads.text(given.get("type"))
    try:
        return Piece(kind, decoded(given.get("data")), name, name if inline else "")
    except ValueError:
        raise _refusal("1300", "invalid data format/type", "data is not base64") from None


def _number() -> str:
    return f"{secrets.randbits(56):017d}"


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _refusal(code: str, message: str, description: str) -> Refusal:
    error = {"code": code, "message": message, "description": description}
    return Refusal(422, {"errors": [error]})

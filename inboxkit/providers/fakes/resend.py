"""Resend's half of the wire: answers sends, posts signed events, and keeps received mail."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ...errors import UnsupportedFeature
from ...parsing import parse
from ...values import EventType
from .. import payloads, resend_tags
from ..base import HttpResponse, WebhookRequest
from ..hosts import is_local
from ..mime import Piece
from ..parsed_mail import header_map
from ..resend_posts import detail
from ..submission import Submission, decoded, listed, parsed
from .account import FakeAccount, Refusal, asked, json_answer
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ..base import HttpRequest
    from ..resend import ResendConfig

_MOST_BYTES = 40 * 1024 * 1024
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_HARD = {
    "type": "Permanent",
    "subType": "General",
    "message": "The recipient's email provider sent a hard bounce message.",
    "diagnosticCode": ["smtp; 550 5.1.1 The email account does not exist: user unknown"],
}
_SOFT = {
    "type": "Transient",
    "subType": "MailboxFull",
    "message": "The recipient's email provider sent a bounce message: the inbox was full.",
}
_CLICK = {"link": "https://example.com/", "ipAddress": "192.0.2.7", "userAgent": "Mozilla/5.0"}
_EVENTS: Mapping[EventType, tuple[str, dict[str, Any]]] = {
    EventType.ACCEPTED: ("scheduled", {}),
    EventType.SENT: ("sent", {}),
    EventType.DELIVERED: ("delivered", {}),
    EventType.DEFERRED: ("delivery_delayed", {}),
    EventType.COMPLAINED: ("complained", {}),
    EventType.OPENED: ("opened", {}),
    EventType.CLICKED: ("clicked", _CLICK),
    EventType.FAILED: ("failed", {"reason": "reached_daily_quota"}),
    EventType.REJECTED: ("suppressed", {"type": "OnAccountSuppressionList", "message": "no"}),
}


class ResendFake(FakeAccount):
    """Resend for one account, in memory. ``received`` is its mail, with its description, by id."""

    def __init__(self, config: ResendConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._config = config
        self._answers: dict[str, tuple[str, HttpResponse]] = {}
        self.received: dict[str, tuple[bytes, dict[str, Any]]] = {}
        self._sent: dict[str, dict[str, Any]] = {}

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed webhook of an event; as Resend's, it does not say whose of many."""
        if kind is EventType.BOUNCED:
            name, about = "bounced", _HARD if hard else _SOFT
        elif kind in _EVENTS:
            name, about = _EVENTS[kind]
        else:
            raise UnsupportedFeature(f"resend has no event for {kind}")
        fields = self._sent[message.id]
        data = {
            "email_id": message.id,
            "message_id": message.message_id,
            "created_at": self._written(),
            "from": fields["from"],
            "to": list(listed(fields["to"])),
            "subject": fields.get("subject", ""),
            "tags": {t["name"]: t.get("value", "") for t in fields.get("tags", [])},
        }
        return self._post(f"email.{name}", {**data, detail(name): about} if about else data)

    def inbound(self, raw: bytes, *, recipient: str, mail_from: str) -> WebhookRequest:
        """Keep a mail and return the signed webhook that names it."""
        email_id, mail = str(uuid.uuid4()), parse(raw)
        data = {
            "email_id": email_id,
            "created_at": self._written(),
            "from": str(mail.sender),
            "to": [address.email for address in mail.to],
            "cc": [address.email for address in mail.cc],
            "bcc": [],
            "received_for": [recipient],
            "message_id": mail.message_id,
            "subject": mail.subject,
            "attachments": [
                {"id": str(a.index), "filename": a.filename, "content_type": a.content_type}
                for a in mail.attachments
            ],
        }
        described = {
            **data,
            "object": "email",
            "id": email_id,
            "text": mail.text,
            "html": mail.html,
            "headers": header_map([("Return-Path", f"<{mail_from}>"), *mail.headers]),
        }
        self.received[email_id] = raw, described
        return self._post("email.received", data)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        parts = urlsplit(request.url)
        resource, _, id = unquote(parts.path).strip("/").rpartition("/")
        if resource.endswith("inbound-cdn"):  # a signed URL: no key
            return self._download(id)
        if request.header("authorization") != f"Bearer {self._config.api_key}":
            raise _refusal(403, "invalid_api_key", "API key is invalid")
        if request.method == "POST" and id == "emails":
            return self._send(request)
        if request.method == "GET" and resource.endswith("emails/receiving"):
            return self._describe(id, self._base(request))
        if request.method == "GET" and resource.endswith("emails"):
            return self._look(id)
        raise _refusal(404, "not_found", "The requested endpoint does not exist")

    def _send(self, request: HttpRequest) -> HttpResponse:
        key = request.header("idempotency-key")
        digest = hashlib.sha256(request.body).hexdigest()
        if key and key in self._answers:
            before, answer = self._answers[key]
            if before != digest:
                name = "invalid_idempotent_request"
                raise _refusal(409, name, "Same idempotency key used with a different payload.")
            return answer
        fields = asked(request)
        mail = _submission(fields)
        if len(request.body) > _MOST_BYTES * 4 // 3:
            raise _refusal(422, "validation_error", "The email is larger than 40MB.")
        answer = json_answer(200, {"id": self._catch(fields, mail)})
        if key:
            self._answers[key] = digest, answer
        return answer

    def _catch(self, fields: dict[str, Any], mail: Submission) -> str:
        id = str(uuid.uuid4())
        message_id = f"<0100{id.replace('-', '')[:28]}-000000@email.amazonses.com>"
        tags = resend_tags.read(fields.get("tags"))
        tag = resend_tags.tag(tags)
        options = {"template": json.dumps(fields["template"])} if "template" in fields else {}
        self._sent[id] = fields
        self.caught.append(
            Caught(
                id=id,
                message_id=message_id,
                mime=mail.mime(message_id, self._now()),
                rcpt_to=mail.rcpt_to,
                tags=(tag,) if tag else (),
                metadata=resend_tags.metadata(tags),
                send_at=payloads.instant(fields.get("scheduled_at")),
                options=options,
            )
        )
        return id

    def _look(self, id: str) -> HttpResponse:
        for caught in self.caught:
            if caught.id == id:
                known = {"object": "email", "id": id, "message_id": caught.message_id}
                return json_answer(200, {**self._sent[id], **known, "last_event": "sent"})
        raise _refusal(404, "not_found", "Email not found")

    def _base(self, request: HttpRequest) -> str:
        """Return where this Fake is reached: at its API's URL, if that is no vendor's."""
        own, asked_at = self._config.api_url, request.url.partition("/emails/receiving/")[0]
        return own if is_local(urlsplit(own).hostname or "") else asked_at

    def _describe(self, id: str, url: str) -> HttpResponse:
        if id not in self.received:
            raise _refusal(404, "not_found", "Email not found")
        download = f"{url}/inbound-cdn/{id}?signature=s"
        raw = {"download_url": download, "expires_at": self._written()}
        return json_answer(200, {**self.received[id][1], "raw": raw})

    def _download(self, id: str) -> HttpResponse:
        if id not in self.received:
            return HttpResponse(403)
        return HttpResponse(200, {"content-type": "message/rfc822"}, self.received[id][0])

    def _post(self, name: str, data: Mapping[str, Any]) -> WebhookRequest:
        payload = {"type": name, "created_at": self._written(), "data": data}
        body = json.dumps(payload).encode()
        id = f"msg_{uuid.uuid4().hex}"
        return WebhookRequest(
            headers=self._config.signing.headers(id, self._now(), body), body=body
        )

    def _written(self) -> str:
        return self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refusal(status: int, name: str, message: str) -> Refusal:
    return Refusal(status, {"statusCode": status, "name": name, "message": message})


def _submission(fields: Mapping[str, Any]) -> Submission:
    """Read a send request; raise Refusal with the status and name of Resend's."""
    people = {name: listed(fields.get(name)) for name in ("to", "cc", "bcc", "reply_to")}
    if not fields.get("from") or not people["to"]:
        raise _refusal(422, "missing_required_field", "Missing `from` or `to` field.")
    if not parsed([str(fields["from"])]):
        raise _refusal(422, "invalid_from_address", "Invalid `from` field.")
    for name, values in people.items():
        if len(parsed(values)) != len(values) or len(values) > 50:
            raise _refusal(422, "validation_error", f"Invalid `{name}` field.")
    if not any(fields.get(name) for name in ("text", "html", "template")):
        raise _refusal(422, "missing_required_field", "Missing `html` or `text` field.")
    if not (fields.get("subject") or fields.get("template")):
        raise _refusal(422, "missing_required_field", "Missing `subject` field.")
    for tag in payloads.objects(fields.get("tags")):
        if not all(_TAG.fullmatch(str(tag.get(part))) for part in ("name", "value")):
            message = "Tags should only contain ASCII letters, numbers, underscores, or dashes."
            raise _refusal(422, "validation_error", message)
    return Submission(
        sender=str(fields["from"]),
        **people,
        subject=str(fields.get("subject", "")),
        text=str(fields.get("text", "")),
        html=str(fields.get("html", "")),
        headers=tuple((n, str(v)) for n, v in payloads.mapping(fields.get("headers")).items()),
        files=tuple(_file(item) for item in payloads.objects(fields.get("attachments"))),
    )


def _file(item: Mapping[str, Any]) -> Piece:
    try:
        data = decoded(item.get("content"))
    except ValueError:
        raise _refusal(422, "invalid_attachment", "Attachment without `content`.") from None
    content_id = item.get("content_id") or item.get("inline_content_id") or ""
    kind, name = item.get("content_type", ""), item.get("filename", "")
    return Piece(str(kind), data, str(name), str(content_id))

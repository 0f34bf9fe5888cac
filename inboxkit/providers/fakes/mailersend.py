"""MailerSend's half of the wire: answers sends, posts signed activity and mail."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import UnsupportedFeature
from ...parsing import parse
from ...values import EventType
from .. import payloads
from ..base import HttpRequest, HttpResponse, ParseError, WebhookRequest
from ..body_hmac import sign
from ..mailersend import ID_TAG, TEST_SECRET
from ..mime import Piece
from ..submission import Submission, decoded, written
from .account import FakeAccount, Refusal, json_answer, json_post
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..mailersend import MailerSendConfig

_FURTHEST = timedelta(hours=72)
_NAMES = {
    EventType.SENT: "sent",
    EventType.DELIVERED: "delivered",
    EventType.DEFERRED: "deferred",
    EventType.COMPLAINED: "spam_complaint",
    EventType.OPENED: "opened",
    EventType.CLICKED: "clicked",
    EventType.UNSUBSCRIBED: "unsubscribed",
}
_NOBODY = "550 5.1.1 The email account that you tried to reach does not exist"
_FULL = "452 4.2.2 The recipient's mailbox is full"
_LATER = "451 4.3.0 Temporary server error, try again later"
_MORPHS: Mapping[str, dict[str, str]] = {
    "hard_bounced": {"object": "recipient_bounce", "reason": _NOBODY},
    "soft_bounced": {"object": "recipient_bounce", "reason": _FULL},
    "deferred": {"object": "deferred", "reason": _LATER},
    "spam_complaint": {"object": "spam_complaint"},
    "opened": {"object": "open", "ip": "192.0.2.7"},
    "clicked": {"object": "click", "ip": "192.0.2.7", "url": "https://example.com/"},
    "unsubscribed": {"object": "recipient_unsubscribe", "reason": "option_1"},
}


class MailerSendFake(FakeAccount):
    """MailerSend for one account, in memory. Whoever is ``suppressed@…`` gets nothing."""

    def __init__(self, config: MailerSendConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._config = config

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed webhook of an event; raise UnsupportedFeature for what has none."""
        name = ("hard_bounced" if hard else "soft_bounced") if kind is EventType.BOUNCED else ""
        name = name or _NAMES.get(kind, "")
        if not name:
            raise UnsupportedFeature(f"mailersend has no event for {kind}")
        at = self._now().isoformat(timespec="microseconds").replace("+00:00", "Z")
        own = [f"{ID_TAG}:{message.options[ID_TAG]}"] if ID_TAG in message.options else []
        mail = {
            "object": "email",
            "id": secrets.token_hex(12),
            "created_at": at,
            "from": str(next(iter(parse(message.mime).senders), "")),
            "subject": parse(message.mime).subject,
            "status": "sent",
            "tags": [*message.tags, *own] or None,
            "message": {"object": "message", "id": message.id, "created_at": at},
            "recipient": {"object": "recipient", "id": secrets.token_hex(12), "email": recipient},
        }
        data: dict[str, Any] = {"object": "activity", "id": secrets.token_hex(12), "type": name}
        data |= {"created_at": at, "email": mail, "morph": _MORPHS.get(name)}
        payload = {"type": f"activity.{name}", "domain_id": "x4g6", "created_at": at}
        return self._post({**payload, "webhook_id": "w7", "data": data}, 0)

    def inbound(self, raw: bytes, *, recipient: str, mail_from: str) -> WebhookRequest:
        """Return the signed post of an inbound route; the mail goes as text."""
        mail, at = parse(raw), self._now().isoformat(timespec="microseconds")
        data: dict[str, Any] = {
            "object": "message",
            "id": secrets.token_hex(12),
            "recipients": {"rcptTo": [{"email": recipient}]},
            "from": {"email": next((a.email for a in mail.senders), "")},
            "sender": {"email": mail_from},
            "subject": mail.subject,
            "date": mail.headers.get("date"),
            "text": mail.text,
            "html": mail.html,
            "raw": raw.decode("utf-8", "replace"),
            "attachments": [],
            "spf_check": {"code": "+", "value": None},
            "dkim_check": False,
            "created_at": at,
        }
        payload: dict[str, Any] = {
            "type": "inbound.message",
            "inbound_id": "i5",
            "created_at": at,
            "data": data,
        }
        return self._post(payload, -1)

    def ping(self) -> WebhookRequest:
        """Return the post that a new webhook has to answer before it is saved."""
        post = json_post({"type": "webhook.test", "message": "This is a ping test message"})
        signed = {"signature": sign(TEST_SECRET, post.body)}
        return replace(post, headers={**post.headers, **signed})

    def _post(self, payload: object, secret: int) -> WebhookRequest:
        post = json_post(payload)
        signed = self._config.signing.headers(post.body, secret)
        return replace(post, headers={**post.headers, **signed})

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.header("authorization") != f"Bearer {self._config.api_key}":
            raise Refusal(401, {"message": "Unauthenticated."})
        path = urlsplit(request.url).path
        try:
            data = payloads.read(request.body)
        except ParseError:
            raise Refusal(422, {"message": "The given data was invalid."}) from None
        if request.method == "POST" and path.endswith("/v1/email"):
            return self._send(payloads.mapping(data))
        if request.method == "POST" and path.endswith("/v1/bulk-email"):
            return self._send_all(payloads.objects(data))
        raise Refusal(404, {"message": "Resource not found."})

    def _send(self, data: Mapping[str, Any]) -> HttpResponse:
        message = self._caught(data)
        dropped = [r for r in message.rcpt_to if r.startswith("suppressed@")]
        kept = tuple(r for r in message.rcpt_to if r not in dropped)
        if kept:
            self.caught.append(replace(message, rcpt_to=kept))
        head = {"X-Message-Id": message.id} if kept else {}
        if not dropped:
            return HttpResponse(202, {"content-type": "text/html; charset=UTF-8", **head})
        people = [{"email": r, "name": None, "reasons": ["hard_bounced"]} for r in dropped]
        kind = "SOME_SUPPRESSED" if head else "ALL_SUPPRESSED"
        warning = {"type": kind, "warning": "Some recipients are suppressed.", "recipients": people}
        answer = {"message": "There are some warnings for your request.", "warnings": [warning]}
        return json_answer(202, answer, head)

    def _send_all(self, mails: tuple[dict[str, Any], ...]) -> HttpResponse:
        if not 0 < len(mails) <= 500:
            raise Refusal(422, {"message": "The bulk request sent is malformed. #MS40001"})
        self.caught += [self._caught(mail) for mail in mails]
        answer = {"message": "The bulk email is being processed."}
        return json_answer(202, {**answer, "bulk_email_id": secrets.token_hex(12)})

    def _caught(self, data: Mapping[str, Any]) -> Caught:
        mail, due = _submission(data, self._config), data.get("send_at")
        _check_limits(data, self._now())
        message_id = f"<{secrets.token_hex(16)}@mailersend.net>"
        tags = payloads.texts(data.get("tags"))
        own = [t.partition(":")[2] for t in tags if t.startswith(f"{ID_TAG}:")][:1]
        kept = ("personalization", "settings", "template_id")
        return Caught(
            id=secrets.token_hex(12),
            message_id=message_id,
            mime=mail.mime(message_id, self._now()),
            rcpt_to=mail.rcpt_to,
            tags=tuple(t for t in tags if not t.startswith(f"{ID_TAG}:")),
            send_at=datetime.fromtimestamp(int(due), UTC) if due else None,
            options=dict.fromkeys([ID_TAG] if own else [], "".join(own))
            | {name: json.dumps(data[name]) for name in kept if name in data},
        )


def _submission(data: Mapping[str, Any], config: MailerSendConfig) -> Submission:
    """Read the fields of a send; raise Refusal with what is wrong."""
    if not any(data.get(name) for name in ("text", "html", "template_id")):
        raise _invalid("text", "The text field is required when none of html is present.")
    if data.get("headers") and not config.custom_headers:
        raise Refusal(403, {"message": "This feature is not available on your plan. #MS40303"})
    reply_to = payloads.mapping(data.get("reply_to"))
    cited = {"In-Reply-To": _cited("in_reply_to", data), "References": _cited("references", data)}
    bulk = [("Precedence", "bulk")] if data.get("precedence_bulk") is True else []
    own = [(str(h.get("name")), str(h.get("value"))) for h in payloads.objects(data.get("headers"))]
    return Submission(
        sender=_written("from.email", payloads.mapping(data.get("from"))),
        to=_people("to", data),
        cc=_people("cc", data),
        bcc=_people("bcc", data),
        reply_to=(_written("reply_to.email", reply_to),) if reply_to else (),
        subject=str(data.get("subject") or ""),
        text=str(data.get("text") or ""),
        html=str(data.get("html") or ""),
        headers=(*((n, v) for n, v in cited.items() if v), *bulk, *own),
        files=tuple(_files(data)),
    )


def _check_limits(data: Mapping[str, Any], now: datetime) -> None:
    for name, most in (("to", 50), ("cc", 10), ("bcc", 10)):
        if len(payloads.objects(data.get(name))) > most:
            raise _invalid(name, f"The {name} recipient limit is exceeded. #MS42205")
    if not data.get("to"):
        raise _invalid("to", "The to field is required.")
    if len(payloads.texts(data.get("tags"))) > 5:
        raise _invalid("tags", "The tags may not have more than 5 items.")
    due = payloads.moment(data.get("send_at")) if data.get("send_at") else None
    if due and not now.replace(microsecond=0) <= due <= now + _FURTHEST:
        raise _invalid("send_at", "The send at must be a timestamp of the next 72 hours.")


def _cited(name: str, data: Mapping[str, Any]) -> str:
    """Return Message-IDs as they stand in a header; they come without angle brackets."""
    ids = payloads.texts(data.get(name))
    if not all(re.fullmatch(r"[^<>@\s]+@[^<>@\s]+", one) for one in ids):
        raise _invalid(name, f"The {name} must be a valid email address.")
    return " ".join(f"<{one}>" for one in ids)


def _people(name: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    people = payloads.objects(data.get(name))
    written = tuple(_written(f"{name}.{n}.email", p) for n, p in enumerate(people))
    if len({one.lower() for one in written}) < len(written):
        raise _invalid(name, f"A recipient is duplicated in the {name} recipients list. #MS42201")
    return written


def _written(name: str, person: Mapping[str, Any]) -> str:
    found = written(person)
    if not found:
        raise _invalid(name, f"The {name} must be a valid email address.")
    return found


def _files(data: Mapping[str, Any]) -> Iterator[Piece]:
    for number, file in enumerate(payloads.objects(data.get("attachments"))):
        try:
            content = decoded(file.get("content"))
        except ValueError:
            name = f"attachments.{number}.content"
            raise _invalid(name, f"The {name} must be in base64.") from None
        content_id = str(file.get("id") or "") if file.get("disposition") == "inline" else ""
        yield Piece("application/octet-stream", content, str(file.get("filename")), content_id)


def _invalid(name: str, words: str) -> Refusal:
    return Refusal(422, {"message": words, "errors": {name: [words]}})

"""SendGrid's half of the wire: takes v3 mail/send, posts signed events and Inbound Parse."""

from __future__ import annotations

import email
import json
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ...errors import UnsupportedFeature
from ...values import Address, EventType
from .. import forms, payloads, submission
from ..base import HttpResponse, WebhookRequest
from ..forms import Field
from ..mime import Piece
from ..public_keys import PrivateKey
from ..sendgrid import SIGNATURE, TIMESTAMP, signed_bytes
from ..sendgrid_requests import OURS
from ..submission import Submission
from .account import FakeAccount, Refusal, asked
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..base import HttpRequest
    from ..sendgrid import SendgridConfig

# Everybody knows this key: it signs what Fakes post, and its other half is for tests only.
_PRIVATE_KEY = (
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXSHU2ZX6VX4aD84f32F+X8jhxsrF7C4W2xECdaLG/2+h"
    "RANCAAT700gOuzIUwN0cPvVnivBVI9xC8aOEhm7L0sv6ILH0Q3CIwi5N7sKObHjyL82V9UOj3f7x3GDU3cIkYpROpiOY"
)
VERIFICATION_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+9NIDrsyFMDdHD71Z4rwVSPcQvGjhIZuy9LL+iCx9ENwiMIuTe7Cjmx4"
    "8i/NlfVDo93+8dxg1N3CJGKUTqYjmA=="
)
_HOST = "geopod-ismtpd-3-0"
_MOST_RECIPIENTS = 1000
_FURTHEST = timedelta(hours=72)
_RESERVED = frozenset(
    {
        "bcc",
        "cc",
        "content-transfer-encoding",
        "content-type",
        "dkim-signature",
        "from",
        "received",
        "reply-to",
        "subject",
        "to",
        "x-sg-eid",
        "x-sg-id",
    }
)
_READER = {"ip": "192.0.2.7", "useragent": "Mozilla/5.0"}
_DETAILS: Mapping[EventType, dict[str, Any]] = {
    EventType.ACCEPTED: {"event": "processed"},
    EventType.DELIVERED: {"event": "delivered", "response": "250 2.0.0 OK"},
    EventType.DEFERRED: {
        "event": "deferred",
        "response": "451 4.3.0 Temporary server error, try again later",
        "attempt": "1",
    },
    EventType.REJECTED: {"event": "dropped", "reason": "Bounced Address", "status": "5.0.0"},
    EventType.OPENED: {"event": "open", **_READER, "sg_machine_open": False},
    EventType.CLICKED: {"event": "click", **_READER, "url": "https://example.com/"},
    EventType.COMPLAINED: {"event": "spamreport"},
    EventType.UNSUBSCRIBED: {"event": "unsubscribe"},
}
_HARD = {
    "event": "bounce",
    "type": "bounce",
    "status": "5.1.1",
    "reason": "550 5.1.1 The email account that you tried to reach does not exist",
    "bounce_classification": "Invalid Address",
}
_SOFT = {
    "event": "bounce",
    "type": "blocked",
    "status": "4.7.1",
    "reason": "421 4.7.1 Message temporarily deferred, blocked for reputation",
    "bounce_classification": "Reputation",
}
_WITHOUT_SMTP_ID = (EventType.OPENED, EventType.CLICKED, EventType.UNSUBSCRIBED)


class SendgridFake(FakeAccount):
    """SendGrid for one account, in memory; its posts are signed with ``VERIFICATION_KEY``."""

    def __init__(self, config: SendgridConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._config = config

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed post of an event."""
        if kind is not EventType.BOUNCED and kind not in _DETAILS:
            raise UnsupportedFeature(f"sendgrid has no event for {kind}")
        told: dict[str, Any] = {
            "email": recipient,
            "timestamp": int(self._now().timestamp()),
            "sg_event_id": secrets.token_urlsafe(16),
            "sg_message_id": f"{message.id}.recvd-6b7f-1",
            "category": list(message.tags),
            **{OURS + name: value for name, value in message.metadata.items()},
            **(_DETAILS.get(kind) or (_HARD if hard else _SOFT)),
        }
        if kind not in _WITHOUT_SMTP_ID:
            told["smtp-id"] = message.message_id
        body = json.dumps([told]).encode()
        return self._signed("application/json", body, is_mail=False)

    def inbound(
        self, raw: bytes, *, recipient: str, mail_from: str, send_raw: bool = True
    ) -> WebhookRequest:
        """Return the signed post of Inbound Parse, raw or taken apart."""
        envelope = {"to": [recipient], "from": mail_from}
        mail = email.message_from_bytes(raw)
        named = {name: str(mail.get(name, "")) for name in ("from", "to", "subject")}
        fields = [
            Field("envelope", json.dumps(envelope).encode()),
            *(Field(n, v.encode("utf-8", "surrogateescape")) for n, v in named.items()),
            Field("sender_ip", b"192.0.2.1"),
            Field("SPF", b"pass"),
            Field("dkim", b"{@example.com : pass}"),
            *([Field("email", raw)] if send_raw else _parsed(raw)),
        ]
        return self._signed(*forms.write(fields), is_mail=True)

    def _signed(self, content_type: str, body: bytes, *, is_mail: bool) -> WebhookRequest:
        headers = {"content-type": content_type}
        if self._config.parse_key if is_mail else self._config.verification_key:
            timestamp = str(int(self._now().timestamp()))
            signature = PrivateKey.read(_PRIVATE_KEY).sign(signed_bytes(timestamp, body))
            headers |= {SIGNATURE: signature, TIMESTAMP: timestamp}
        elif self._config.login:
            headers["authorization"] = self._config.login.authorization
        return WebhookRequest(headers=headers, body=body)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.header("authorization") != f"Bearer {self._config.api_key}":
            raise _refusal(401, "The provided authorization grant is invalid, expired, or revoked")
        if request.method != "POST" or not request.url.endswith("/v3/mail/send"):
            raise _refusal(404, "not found")
        sent = asked(request)
        mails = list(_mails(sent, self._now()))
        switch = payloads.mapping(payloads.mapping(sent.get("mail_settings")).get("sandbox_mode"))
        if switch.get("enable") is True:
            return HttpResponse(200)
        id_ = secrets.token_urlsafe(16)
        message_id = f"<{id_}@{_HOST}>"
        for mail, arguments in mails:
            self.caught.append(
                Caught(
                    id=id_,
                    message_id=message_id,
                    mime=mail.mime(message_id, self._now()),
                    rcpt_to=mail.rcpt_to,
                    tags=payloads.texts(sent.get("categories")),
                    metadata={n.removeprefix(OURS): v for n, v in arguments.items()},
                    send_at=payloads.moment(sent.get("send_at")),
                    options={"template_id": str(sent.get("template_id", ""))},
                )
            )
        return HttpResponse(202, {"x-message-id": id_})


def _refusal(status: int, message: str, field: str | None = None) -> Refusal:
    return Refusal(status, {"errors": [{"message": message, "field": field, "help": None}]})


def _mails(sent: Mapping[str, Any], now: datetime) -> Iterator[tuple[Submission, dict[str, str]]]:
    """Yield a mail for each personalization, with its custom arguments."""
    personalizations = payloads.objects(sent.get("personalizations"))
    _check(sent, personalizations, now)
    for number, one in enumerate(personalizations):
        people = {name: _people(one.get(name)) for name in ("to", "cc", "bcc")}
        if not people["to"]:
            message = "The to array is required for all personalization objects"
            raise _refusal(400, message, f"personalizations.{number}.to")
        everybody = [a.email for a in submission.parsed(sum(people.values(), ()))]
        if len({address.lower() for address in everybody}) < len(everybody):
            message = "Each email address in the personalization block should be unique"
            raise _refusal(400, message, "personalizations")
        yield (
            _mail(sent, one, people),
            {**_strings(sent, "custom_args"), **_strings(one, "custom_args")},
        )


def _check(sent: Mapping[str, Any], personalizations: tuple[Any, ...], now: datetime) -> None:
    if not 0 < len(personalizations) <= _MOST_RECIPIENTS:
        raise _refusal(400, "The personalizations field is required", "personalizations")
    if not payloads.mapping(sent.get("from")).get("email"):
        raise _refusal(400, "The from object must be provided", "from.email")
    content = payloads.objects(sent.get("content"))
    if not (content or sent.get("template_id")) or not all(c.get("value") for c in content):
        raise _refusal(400, "The content value must be a string at least one character", "content")
    subjects = [one.get("subject") or sent.get("subject") for one in personalizations]
    if not (all(subjects) or sent.get("template_id")):
        raise _refusal(400, "The subject is required", "subject")
    if reserved := sorted(n for n in _strings(sent, "headers") if n.lower() in _RESERVED):
        raise _refusal(400, f"The header {reserved[0]} is reserved", "headers")
    at = payloads.moment(sent.get("send_at"))
    if at and at > now + _FURTHEST:
        raise _refusal(400, "Scheduling more than 72 hours in advance is forbidden", "send_at")


def _mail(
    sent: Mapping[str, Any], one: Mapping[str, Any], people: Mapping[str, tuple[str, ...]]
) -> Submission:
    content = {str(c.get("type")): str(c["value"]) for c in payloads.objects(sent.get("content"))}
    replaced = _strings(one, "substitutions")
    text = _substituted(content.get("text/plain", ""), replaced)
    if template := sent.get("template_id"):  # what is merged is shown, not rendered
        text += f"{template} {json.dumps(one.get('dynamic_template_data', {}))}"
    reply_to = _people(sent.get("reply_to_list")) or _people([sent.get("reply_to")])
    return Submission(
        sender="".join(_people([sent.get("from")])),
        **people,
        reply_to=reply_to,
        subject=_substituted(str(one.get("subject") or sent.get("subject", "")), replaced),
        text=text,
        html=_substituted(content.get("text/html", ""), replaced),
        headers=tuple({**_strings(sent, "headers"), **_strings(one, "headers")}.items()),
        files=tuple(map(_file, payloads.objects(sent.get("attachments")))),
    )


def _substituted(text: str, replaced: Mapping[str, str]) -> str:
    for name, value in replaced.items():
        text = text.replace(name, value)
    return text


def _people(value: object) -> tuple[str, ...]:
    people = [(p.get("email", ""), p.get("name", "")) for p in payloads.objects(value)]
    return tuple(str(Address(str(mail), str(name))) for mail, name in people)


def _strings(table: Mapping[str, Any], name: str) -> dict[str, str]:
    values = payloads.mapping(table.get(name))
    if not all(isinstance(value, str) for value in values.values()):
        raise _refusal(400, "Bad Request")
    return values


def _file(attachment: Mapping[str, Any]) -> Piece:
    try:
        data = submission.decoded(attachment.get("content"))
    except ValueError:
        message = "The attachment content must be base64 encoded."
        raise _refusal(400, message, "attachments.0.content") from None
    inline = attachment.get("disposition") == "inline"
    return Piece(
        str(attachment.get("type") or "application/octet-stream"),
        data,
        str(attachment.get("filename", "")),
        str(attachment.get("content_id", "")) if inline else "",
    )


def _parsed(raw: bytes) -> Iterator[Field]:
    """Yield the fields of the default form: headers, bodies in their own charsets, files."""
    mail = email.message_from_bytes(raw)
    yield Field("headers", raw.partition(b"\r\n\r\n")[0] + b"\n")
    charsets, told, ids = {"headers": "UTF-8"}, dict[str, Any](), dict[str, str]()
    for part in mail.walk():
        data = part.get_payload(decode=True)
        if part.is_multipart() or not isinstance(data, bytes):
            continue
        kind, filename = part.get_content_type(), part.get_filename()
        name = {"text/plain": "text", "text/html": "html"}.get(kind, "")
        if name and not filename and name not in charsets:
            charsets[name] = str(part.get_content_charset("us-ascii"))
            yield Field(name, data)
            continue
        name = f"attachment{len(told) + 1}"
        told[name] = {"filename": filename or name, "name": filename or name, "type": kind}
        if content_id := str(part.get("content-id", "")).strip("<> "):
            told[name]["content-id"] = content_id
            ids[content_id] = name
        yield Field(name, data, filename or name, kind)
    yield Field("charsets", json.dumps(charsets).encode())
    yield Field("attachments", str(len(told)).encode())
    if told:
        yield Field("attachment-info", json.dumps(told).encode())
    if ids:
        yield Field("content-ids", json.dumps(ids).encode())

"""Brevo's half of the wire: answers sends and downloads, posts events and parsed mail."""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ...errors import UnsupportedFeature
from ...parsing import parse
from ...values import Address, EventType
from .. import payloads
from ..base import HttpRequest, HttpResponse, WebhookRequest
from ..brevo import CUSTOM, KEY
from ..mime import Piece
from ..parsed_mail import header_map
from ..submission import Submission, decoded, written
from .account import FakeAccount, Refusal, asked, json_answer, json_post
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ...parsing.model import ParsedAttachment
    from ..brevo import BrevoConfig

_KEYS_LIVE = timedelta(minutes=15)
_NAMES = {
    EventType.ACCEPTED: "request",
    EventType.DELIVERED: "delivered",
    EventType.DEFERRED: "deferred",
    EventType.REJECTED: "blocked",
    EventType.FAILED: "error",
    EventType.COMPLAINED: "spam",
    EventType.OPENED: "unique_opened",
    EventType.CLICKED: "click",
    EventType.UNSUBSCRIBED: "unsubscribe",
}
_REASONS = {
    "hard_bounce": "550 5.1.1 The email account that you tried to reach does not exist",
    "soft_bounce": "452 4.2.2 The recipient's mailbox is full",
    "deferred": "451 4.3.0 Temporary server error, try again later",
    "blocked": "blocked : due to blacklist user",
    "error": "no sender",
}
# the API reference of send-transac-email, 2026
_EXTENSIONS = frozenset(
    "xlsx xls ods docx docm doc csv pdf txt gif jpg jpeg png tif tiff rtf bmp cgm css shtml html "
    "htm zip xml ppt pptx tar ez ics mobi msg pub eps odt mp3 m4a m4v wma ogg flac wav aif aifc "
    "aiff mp4 mov avi mkv mpeg mpg wmv pkpass xlsm".split()
)


class BrevoFake(FakeAccount):
    """Brevo for one account, in memory."""

    def __init__(self, config: BrevoConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._config = config
        self._keys: dict[str, datetime] = {}
        self._files: dict[str, ParsedAttachment] = {}

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the webhook of an event; raise UnsupportedFeature for what has none."""
        name = ("hard_bounce" if hard else "soft_bounce") if kind is EventType.BOUNCED else ""
        name = name or _NAMES.get(kind, "")
        if not name:
            raise UnsupportedFeature(f"brevo has no event for {kind}")
        now = self._now()
        data: dict[str, Any] = {
            "event": name,
            "email": recipient,
            "id": 4711,
            "message-id": message.message_id,
            "ts_epoch": int(now.timestamp() * 1_000),
            "ts": int(now.timestamp()),
            "date": f"{now:%Y-%m-%d %H:%M:%S}",
            "subject": str(parse(message.mime).subject),
            "sending_ip": "192.0.2.25",
            "tags": list(message.tags),
        }
        extra = {"reason": _REASONS.get(name), CUSTOM: message.options.get(CUSTOM)}
        extra["link"] = "https://example.com/" if kind is EventType.CLICKED else None
        return self._post(data | {k: v for k, v in extra.items() if v})

    def inbound(self, raw: bytes, *, recipient: str, mail_from: str) -> WebhookRequest:
        """Return the webhook that brings a mail in pieces; its files wait to be fetched."""
        mail = parse(raw)
        envelope = [("Return-Path", f"<{mail_from}>"), ("Delivered-To", recipient)]
        own = [(n, v) for n, v in mail.headers if n.lower() not in ("return-path", "delivered-to")]
        item = {
            "Uuid": [secrets.token_hex(16)],
            "MessageId": mail.message_id,
            "InReplyTo": mail.in_reply_to or None,
            "From": next(map(_mailbox, mail.senders), None),
            "To": list(map(_mailbox, mail.to)),
            "Cc": list(map(_mailbox, mail.cc)),
            "Subject": mail.subject,
            "Headers": header_map([*envelope, *own]),
            "RawTextBody": mail.text,
            "RawHtmlBody": mail.html or None,
            "ExtractedMarkdownMessage": mail.reply.text,
            "ExtractedMarkdownSignature": mail.reply.signature or None,
            "SpamScore": 0.2,
            "Attachments": list(map(self._offered, mail.attachments)),
        }
        return self._post({"items": [item]})

    def _post(self, value: object) -> WebhookRequest:
        token = self._config.webhook_token
        if token:
            return json_post(value, headers={"authorization": f"Bearer {token}"})
        return json_post(value, self._config.webhook_login)

    def _offered(self, file: ParsedAttachment) -> dict[str, Any]:
        token = secrets.token_urlsafe(24)
        self._files[token] = file
        return {
            "Name": file.filename,
            "ContentType": file.content_type,
            "ContentLength": file.size,
            "ContentID": file.content_id or None,
            "DownloadToken": token,
        }

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.header("api-key") != self._config.api_key:
            raise _refusal(401, "unauthorized", "Key not found")
        path = urlsplit(request.url).path
        if request.method == "POST" and path.endswith("/smtp/email"):
            return self._send(asked(request))
        _, found, token = path.partition("/inbound/attachments/")
        file = self._files.get(unquote(token)) if found else None
        if file is None:
            raise _refusal(404, "document_not_found", "no such resource")
        return HttpResponse(200, {"content-type": file.content_type}, file.data)

    def _send(self, data: Mapping[str, Any]) -> HttpResponse:
        versions = payloads.objects(data.get("messageVersions"))
        headers = payloads.mapping(data.get("headers"))
        taken = [self._caught({**data, **version}, headers) for version in versions or ({},)]
        self._spend(headers)
        if headers.get("X-Sib-Sandbox") != "drop":
            self.caught += taken
        ids = [message.id for message in taken]
        return json_answer(201, {"messageIds": ids} if versions else {"messageId": ids[0]})

    def _spend(self, headers: Mapping[str, Any]) -> None:
        """Refuse a key that was used in the last minutes."""
        key, now = (
            str(next((v for k, v in headers.items() if k.lower() == KEY.lower()), "")),
            self._now(),
        )
        if key and now - self._keys.get(key, now - _KEYS_LIVE) < _KEYS_LIVE:
            raise _refusal(400, "duplicate_parameter", "idempotencyKey was used already")
        self._keys[key] = now

    def _caught(self, data: Mapping[str, Any], headers: Mapping[str, Any]) -> Caught:
        mail = _submission(data, headers)
        now = self._now()
        message_id = f"<{now:%Y%m%d%H%M}.{secrets.randbits(40):013d}@smtp-relay.mailin.fr>"
        custom = str(headers.get(CUSTOM, ""))
        at = data.get("scheduledAt")
        return Caught(
            id=message_id,
            message_id=message_id,
            mime=mail.mime(message_id, now),
            rcpt_to=mail.rcpt_to,
            tags=payloads.texts(data.get("tags")),
            metadata=dict(parse_qsl(custom, keep_blank_values=True)),
            send_at=payloads.instant(at) if at else None,
            options={k: json.dumps(data[k]) for k in ("templateId", "params") if data.get(k)}
            | ({CUSTOM: custom} if custom else {}),
        )


def _submission(data: Mapping[str, Any], headers: Mapping[str, Any]) -> Submission:
    """Read the fields of a send; raise Refusal with the code and words of Brevo's."""
    template = data.get("templateId")
    for name in ("sender", "to") if not template else ("to",):
        if not data.get(name):
            raise _refusal(400, "missing_parameter", f"{name} is missing")
    if not template and not data.get("htmlContent"):
        raise _refusal(400, "missing_parameter", "Either of htmlContent or templateId is required")
    if not template and not data.get("subject"):
        raise _refusal(400, "missing_parameter", "subject is missing")
    return Submission(
        sender=_written("sender", data.get("sender")) if data.get("sender") else "",
        to=_people("to", data),
        cc=_people("cc", data),
        bcc=_people("bcc", data),
        reply_to=(_written("replyTo", data["replyTo"]),) if data.get("replyTo") else (),
        subject=str(data.get("subject", "")),
        text=str(data.get("textContent") or ""),
        html=str(data.get("htmlContent") or ""),
        headers=tuple((n, str(v)) for n, v in headers.items() if n.lower() != KEY.lower()),
        files=tuple(_files(data)),
    )


def _people(name: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_written(name, one) for one in payloads.objects(data.get(name)))


def _written(name: str, person: object) -> str:
    found = written(payloads.mapping(person))
    if not found:
        raise _refusal(400, "invalid_parameter", f"email is not valid in {name}")
    return found


def _files(data: Mapping[str, Any]) -> Iterator[Piece]:
    for file in payloads.objects(data.get("attachment")):
        name = str(file.get("name", ""))
        if name.rpartition(".")[2].lower() not in _EXTENSIONS:
            raise _refusal(400, "invalid_parameter", f"Unsupported file format: {name}")
        try:
            yield Piece("application/octet-stream", decoded(file.get("content")), name)
        except ValueError:
            raise _refusal(400, "invalid_parameter", "attachment is not in base64") from None


def _mailbox(address: Address) -> dict[str, str]:
    return {"Name": address.name, "Address": address.email}


def _refusal(status: int, code: str, message: str) -> Refusal:
    return Refusal(status, {"code": code, "message": message})

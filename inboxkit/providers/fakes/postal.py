"""Postal's half of the wire: takes mail raw or in parts, posts signed events and mail."""

from __future__ import annotations

import base64
import email
import json
import secrets
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import UnsupportedFeature
from ...values import EventType
from .. import payloads
from ..base import WebhookRequest
from ..mime import Piece
from ..public_keys import PrivateKey
from ..submission import Submission, decoded, listed, parsed
from .account import FakeAccount, Refusal, asked, json_answer
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ..base import HttpRequest, HttpResponse
    from ..postal import PostalConfig

# made for this Fake and used nowhere else
_PRIVATE_KEY = (
    "MIICeAIBADANBgkqhkiG9w0BAQEFAASCAmIwggJeAgEAAoGBAJ+//nMGXuJB0w/OV/D3aa0JesmjdnqnRcPXJcjYBsEE"
    "amIZnKoqu7VOu/wnlj4+CFVegf7EgaYQn7dWFJPrhB6D275Dsr/BY4wp/FypGz2tLqJisjkVT3pQt8Hc3QfB7lQUdlek"
    "Ryst3sGa7E9lkuPYuYwG+AgBg0fjlinvFgGhAgMBAAECgYA8M0T3Icp15ypbhX38b7AiJjVgcTo/xHN09snlYwtAh6Jz"
    "b4VrVwk/rPkIb/6dXBEV4rSIRpM4+oDFvSmqCJHTuXQR19nALNbLiiHeQgaR+pgbd8s0PPIupNxSbPy7IL5U0s6iXGd5"
    "yMFn654X6olgFDQgbv56g4hOz9Pc62nBAQJBANQR9EhudKz2Y1Gq6PC6pgERPjoqVkDfAadRQV7dU+knYdLztpFzUsLP"
    "39Tf+KFg3/7YPcHjiV1Jfto39KKgSpECQQDA14KQKbSF83vdNN60e0tWjlWjGPE/M3P/Kn4IRlUu0+223X4ZeTzJRPZ5"
    "OnXgorl7Z9Wswg0zLhQ07YFb2y4RAkEAsfoTcopInzP0rIBsGEP8t56aA8SuOKkvwRT/cLb9CgqEHb9tc+o+BcLhjc0d"
    "44ni0wT153enO8RHkqotRCKUEQJBAIb+Feq/Fxzx3hJysTecW5fC2ZXrnu2EIj5MS5+VRIocVvq8wEoqwW+PdA5W6y+O"
    "GdOWU1C1IrJiHkkSvYxEuVECQQCTtg6BhKBYpg2/gGYkxWjqyNvk+jtOi2QWcxFUwqYOjdTSqzB5jH3OTIew1cL5jm1G"
    "arPcYClGe281Qt6g//2G"
)
VERIFICATION_KEY = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCfv/5zBl7iQdMPzlfw92mtCXrJo3Z6p0XD1yXI2AbBBGpiGZyqKru1"
    "Trv8J5Y+PghVXoH+xIGmEJ+3VhST64Qeg9u+Q7K/wWOMKfxcqRs9rS6iYrI5FU96ULfB3N0Hwe5UFHZXpEcrLd7BmuxP"
    "ZZLj2LmMBvgIAYNH45Yp7xYBoQIDAQAB"
)
_RETURN_PATH = "rp.postal.example"
_MOST_IN_A_FIELD = 50
_MESSAGES = {
    "NoRecipients": "There are no recipients defined to receive this message",
    "NoContent": "There is no content defined for this e-mail",
    "TooManyToAddresses": "The maximum number of To addresses has been reached (maximum 50)",
    "FromAddressMissing": "The From address is missing and is required",
    "InvalidServerAPIKey": "The API token provided in X-Server-API-Key was not valid.",
    "AttachmentMissingData": "An attachment is missing data",
}
_DELIVERIES: Mapping[EventType, tuple[str, str, str, str]] = {  # event, status, details, output
    EventType.DELIVERED: ("MessageSent", "Sent", "Message sent by SMTP", "250 2.0.0 OK"),
    EventType.DEFERRED: (
        "MessageDelayed",
        "SoftFail",
        "Temporary SMTP delivery error",
        "451 4.3.0 Temporary server error, try again later",
    ),
    EventType.ACCEPTED: ("MessageHeld", "Held", "Message held because of its credential", ""),
    EventType.REJECTED: (
        "MessageHeld",
        "Held",
        "Recipient (x) is on the suppression list (reason: too many hard fails)",
        "",
    ),
}
_FAILED = ("MessageDeliveryFailed", "HardFail", "Permanent SMTP delivery error")
_HARD = "550 5.1.1 The email account that you tried to reach does not exist"
_SOFT = "552 5.2.2 Over Quota"
_READER = {"ip_address": "192.0.2.7", "user_agent": "Mozilla/5.0"}


@cache
def _key() -> PrivateKey:
    return PrivateKey.read(_PRIVATE_KEY)


class PostalFake(FakeAccount):
    """One server of a Postal installation, in memory; it signs for ``VERIFICATION_KEY``."""

    def __init__(self, config: PostalConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._config = config

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed webhook of an event; raise UnsupportedFeature for what has none."""
        about = self._about(message, recipient)
        if kind is EventType.OPENED:
            return self.webhook("MessageLoaded", {"message": about, **_READER})
        if kind is EventType.CLICKED:
            clicked = {"url": "https://example.com/", "token": secrets.token_hex(8), **_READER}
            return self.webhook("MessageLinkClicked", {"message": about, **clicked})
        if kind is EventType.BOUNCED:
            name, status, details, output = *_FAILED, _HARD if hard else _SOFT
        elif kind in _DELIVERIES:
            name, status, details, output = _DELIVERIES[kind]
        else:
            raise UnsupportedFeature(f"postal has no event for {kind}")
        delivery = {"status": status, "details": details, "output": output, "time": 0.21}
        at = {"timestamp": self._now().timestamp(), "sent_with_ssl": True}
        return self.webhook(name, {"message": about, **delivery, **at})

    def inbound(
        self, raw: bytes, *, recipient: str, mail_from: str, parts: bool = False
    ) -> WebhookRequest:
        """Return the post of an HTTP endpoint: of the format RawMessage, or Hash."""
        post: dict[str, Any] = {
            "id": 100_000 + secrets.randbelow(900_000),
            "rcpt_to": recipient,
            "mail_from": mail_from,
        }
        if parts:
            return self._signed(post | _hash(raw))
        encoded = base64.encodebytes(raw).decode()
        return self._signed(post | {"message": encoded, "base64": True, "size": len(raw)})

    def webhook(self, name: str, payload: Mapping[str, Any]) -> WebhookRequest:
        """Return a signed webhook of any event."""
        return self._signed(
            {
                "event": name,
                "timestamp": self._now().timestamp(),
                "payload": payload,
                "uuid": str(uuid.uuid4()),
            }
        )

    def _signed(self, post: Mapping[str, Any]) -> WebhookRequest:
        body = json.dumps(post).encode()
        headers = {
            "content-type": "application/json",
            "x-postal-signature-kid": "0" * 64,
            "x-postal-signature": _key().sign(body, "sha1"),
            "x-postal-signature-256": _key().sign(body),
        }
        return WebhookRequest(headers=headers, body=body)

    def _about(self, message: Caught, recipient: str) -> dict[str, Any]:
        return {
            "id": 1 + message.rcpt_to.index(recipient),
            "token": secrets.token_hex(8),
            "direction": "outgoing",
            "message_id": message.message_id.strip("<>"),
            "to": recipient,
            "from": "support@shop.example",
            "subject": str(email.message_from_bytes(message.mime).get("subject", "")),
            "timestamp": self._now().timestamp(),
            "spam_status": "NotChecked",
            "tag": next(iter(message.tags), None),
        }

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.header("x-server-api-key") != self._config.api_key:
            raise _refusal("InvalidServerAPIKey")
        call = asked(request)
        match urlsplit(request.url).path.rpartition("/api/v1/")[2]:
            case "send/raw":
                return self._raw(call)
            case "send/message":
                return self._message(call)
            case _:
                raise Refusal(404, {"status": "error", "message": "no such action"})

    def _raw(self, call: Mapping[str, Any]) -> HttpResponse:
        for name in ("rcpt_to", "mail_from", "data"):
            if not call.get(name):
                text = f"`{name}` parameter is required but is missing"
                raise Refusal(200, {"status": "parameter-error", "data": {"message": text}})
        mime = base64.b64decode(str(call["data"]))
        mail = email.message_from_bytes(mime)
        return self._take(mime, str(mail.get("message-id", "")).strip(), listed(call["rcpt_to"]))

    def _message(self, call: Mapping[str, Any]) -> HttpResponse:
        to, cc, bcc = (listed(call.get(name)) for name in ("to", "cc", "bcc"))
        if not to + cc + bcc:
            raise _refusal("NoRecipients")
        if len(to) > _MOST_IN_A_FIELD:
            raise _refusal("TooManyToAddresses")
        if not (call.get("plain_body") or call.get("html_body")):
            raise _refusal("NoContent")
        if not call.get("from"):
            raise _refusal("FromAddressMissing")
        message_id = f"<{uuid.uuid4()}@{_RETURN_PATH}>"  # whatever the caller's headers say
        own = payloads.mapping(call.get("headers"))
        mime = Submission(
            sender=str(call["from"]),
            to=to,
            cc=cc,
            reply_to=listed(call.get("reply_to")),
            subject=payloads.text(call.get("subject")),
            text=str(call.get("plain_body") or ""),
            html=str(call.get("html_body") or ""),
            headers=tuple((name, str(value)) for name, value in own.items()),
            files=tuple(map(_file, payloads.objects(call.get("attachments")))),
        ).mime(message_id, self._now())
        everybody = tuple(address.email for address in parsed(to + cc + bcc))
        return self._take(mime, message_id, everybody, payloads.text(call.get("tag")))

    def _take(
        self, mime: bytes, message_id: str, to: tuple[str, ...], tag: str = ""
    ) -> HttpResponse:
        tag = tag or str(email.message_from_bytes(mime).get("x-postal-tag", ""))
        caught = Caught(
            id=secrets.token_hex(8),
            message_id=message_id,
            mime=mime,
            rcpt_to=tuple(dict.fromkeys(to)),
            tags=(tag,) if tag else (),
        )
        self.caught.append(caught)
        messages = {
            recipient: {"id": number, "token": secrets.token_hex(8)}
            for number, recipient in enumerate(caught.rcpt_to, 1)
        }
        data = {"message_id": message_id.strip("<>") or None, "messages": messages}
        return json_answer(200, {"status": "success", "time": 0.02, "flags": {}, "data": data})


def _file(given: Mapping[str, Any]) -> Piece:
    try:
        data = decoded(given.get("data"))
    except ValueError:
        raise _refusal("AttachmentMissingData") from None
    return Piece(payloads.text(given.get("content_type")), data, payloads.text(given.get("name")))


def _hash(raw: bytes) -> dict[str, Any]:
    mail = email.message_from_bytes(raw)
    names = ("from", "to", "cc", "subject", "date", "in-reply-to", "references", "auto-submitted")
    fields: dict[str, Any] = {name.replace("-", "_"): mail.get(name) for name in names}
    fields["message_id"] = str(mail.get("message-id", "")).strip("<>")
    fields["reply_to"] = mail.get_all("reply-to")
    attachments: list[dict[str, str]] = []
    for part in mail.walk():
        data = part.get_payload(decode=True)
        if not isinstance(data, bytes):
            continue
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and not part.get_filename():
            charset = part.get_content_charset("utf-8")
            fields[f"{kind[5:]}_body"] = data.decode(charset, "replace")
        else:
            content = base64.encodebytes(data).decode()
            name = part.get_filename() or ""
            attachments.append({"filename": name, "content_type": kind, "data": content})
    return fields | {"attachments": attachments, "attachment_quantity": len(attachments)}


def _refusal(code: str) -> Refusal:
    return Refusal(
        200,
        {
            "status": "error",
            "time": 0.0,
            "flags": {},
            "data": {"message": _MESSAGES[code], "code": code},
        },
    )

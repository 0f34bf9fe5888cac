"""Mailtrap's half of the wire: answers sends and downloads, posts signed events and mail."""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ...errors import UnsupportedFeature
from ...parsing import parse
from ...values import EventType
from .. import payloads
from ..base import HttpRequest, HttpResponse, WebhookRequest
from ..mime import Piece
from ..submission import Submission, decoded, written
from .account import FakeAccount, Refusal, asked, json_answer, json_post
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from ...parsing.model import ParsedMessage
    from ..mailtrap import MailtrapConfig

_NAMES = {
    EventType.DELIVERED: "delivery",
    EventType.DEFERRED: "soft bounce",
    EventType.REJECTED: "reject",
    EventType.COMPLAINED: "spam",
    EventType.OPENED: "open",
    EventType.CLICKED: "click",
    EventType.UNSUBSCRIBED: "unsubscribe",
}
_READER = {"ip": "192.0.2.7", "user_agent": "Mozilla/5.0"}
_LATER = "451 4.3.0 Temporary server error, try again later"
_NOBODY = "550 5.1.1 The email account that you tried to reach does not exist"
_DETAILS: Mapping[str, dict[str, Any]] = {
    "soft bounce": {"response": _LATER, "response_code": 451, "bounce_category": "unavailable"},
    "bounce": {"response": _NOBODY, "response_code": 550, "bounce_category": "badmailbox"},
    "reject": {"reason": "Recipient in suppression list. Reason: unsubscription"},
    "open": _READER,
    "click": {**_READER, "url": "https://example.com/"},
    "unsubscribe": _READER,
}


class MailtrapFake(FakeAccount):
    """Mailtrap for one account, in memory."""

    def __init__(self, config: MailtrapConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._config = config
        self._mails: dict[str, tuple[dict[str, Any], bytes]] = {}

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed webhook of an event; raise UnsupportedFeature for what has none."""
        bounced = kind is EventType.BOUNCED and hard
        name = "bounce" if bounced else _NAMES.get(kind, "")
        if not name:
            raise UnsupportedFeature(f"mailtrap has no event for {kind}, hard={hard}")
        ids: list[str] = json.loads(message.options["ids"])
        number = message.rcpt_to.index(recipient) if recipient in message.rcpt_to else 0
        event = {
            "event": name,
            "event_id": _uuid(),
            "message_id": ids[min(number, len(ids) - 1)],
            "email": recipient,
            "timestamp": int(self._now().timestamp()),
            "sending_stream": "transactional",
            "sending_domain_name": "shop.example",
            "category": next(iter(message.tags), None),
            "custom_variables": dict(message.metadata),
            **_DETAILS.get(name, {}),
        }
        return self._post({"events": [event]}, 0)

    def inbound(self, raw: bytes, *, recipient: str, mail_from: str) -> WebhookRequest:
        """Return the signed post that tells of a mail, which waits to be fetched.

        The envelope sender stands in Return-Path where the mail does not say it.
        """
        mail, number = parse(raw), _uuid()
        named = [a.email for a in (*mail.to, *mail.cc)]
        sender = next((a.email for a in mail.senders), mail_from)
        if sender != mail_from:
            raw = f"Return-Path: <{mail_from}>\r\n".encode() + raw
        described = _description(mail, number, len(raw))
        described |= {"from": sender, "received_at": self._now().isoformat()}
        described["bcc"] = [] if recipient in named else [recipient]
        self._mails[number] = (described, raw)
        event = {
            "event": "inbound.message_received",
            "event_id": _uuid(),
            "timestamp": int(self._now().timestamp() * 1_000),
            "inbox_id": 7,
            "message_id": number,
        }
        return self._post({"events": [event]}, -1)

    def _post(self, value: object, secret: int) -> WebhookRequest:
        post = json_post(value)
        signed = self._config.signing.headers(post.body, secret)
        return replace(post, headers={**post.headers, **signed})

    def _answer(self, request: HttpRequest) -> HttpResponse:
        parts = urlsplit(request.url).path.strip("/").split("/")
        if request.method == "GET" and parts[-2:-1] == ["storage"]:
            return HttpResponse(200, {"content-type": "message/rfc822"}, self._stored(parts)[1])
        token = self._config.api_token
        given = (request.header("authorization"), request.header("api-token"))
        if given[0] != f"Bearer {token}" and given[1] != token:
            raise Refusal(401, {"success": False, "errors": ["Unauthorized"]})
        if request.method == "GET" and parts[-2:-1] == ["messages"]:
            found, base = self._stored(parts)[0], request.url.partition("/api/")[0]
            url = f"{base}/storage/{found['id']}?signature=s"
            return json_answer(200, {**found, "raw_message_url": url})
        sandbox = [self._config.sandbox_id] if self._config.sandbox_id else []
        for resource, take in (("send", self._send), ("batch", self._send_all)):
            if request.method == "POST" and parts[-2 - len(sandbox) :] == [
                "api",
                resource,
                *sandbox,
            ]:
                return take(asked(request))
        raise Refusal(404, {"error": "Not Found"})

    def _stored(self, parts: list[str]) -> tuple[dict[str, Any], bytes]:
        found = self._mails.get(unquote(parts[-1]))
        if found is None:
            raise Refusal(404, {"error": "Not Found"})
        return found

    def _send(self, data: Mapping[str, Any]) -> HttpResponse:
        message = self._caught(data)
        self.caught.append(message)
        return json_answer(200, {"success": True, "message_ids": _ids(message)})

    def _send_all(self, data: Mapping[str, Any]) -> HttpResponse:
        base, requests = payloads.mapping(data.get("base")), payloads.objects(data.get("requests"))
        if not 0 < len(requests) <= 500:
            raise _refusal("'requests' must hold 1 to 500 objects")
        results: list[dict[str, Any]] = []
        for request in requests:
            try:
                message = self._caught({**base, **request})
            except Refusal as refusal:
                results.append(json.loads(refusal.answer.body))
                continue
            self.caught.append(message)
            results.append({"success": True, "message_ids": _ids(message)})
        return json_answer(200, {"success": True, "responses": results})

    def _caught(self, data: Mapping[str, Any]) -> Caught:
        mail = _submission(data)
        ids = [_uuid() for _ in (mail.rcpt_to[:1] if self._config.sandbox_id else mail.rcpt_to)]
        message_id = f"<{ids[0]}@{mail.sender.rpartition('@')[2].strip('>')}>"
        variables = payloads.mapping(data.get("custom_variables"))
        kept = ("template_uuid", "template_variables")
        return Caught(
            id=ids[0],
            message_id=message_id,
            mime=mail.mime(message_id, self._now()),
            rcpt_to=mail.rcpt_to,
            tags=payloads.texts(data.get("category")),
            metadata={name: str(value) for name, value in variables.items()},
            options={"ids": json.dumps(ids)}
            | {name: json.dumps(data[name]) for name in kept if name in data},
        )


def _description(mail: ParsedMessage, number: str, size: int) -> dict[str, Any]:
    return {
        "id": number,
        "inbox_id": 7,
        "to": list(map(str, mail.to)),
        "cc": list(map(str, mail.cc)),
        "subject": mail.subject,
        "rfc_message_id": mail.message_id,
        "in_reply_to": mail.in_reply_to or None,
        "references": list(mail.references),
        "size": size,
        "attachments": [],
    }


def _submission(data: Mapping[str, Any]) -> Submission:
    """Read the fields of a send; raise Refusal with what is wrong."""
    if data.get("template_uuid"):
        for name in ("subject", "text", "html", "category"):
            if data.get(name):
                raise _refusal(f"'{name}' is not allowed with 'template_uuid'")
    elif not data.get("text") and not data.get("html"):
        raise _refusal("must specify either text or html body")
    elif not data.get("subject"):
        raise _refusal("'subject' is required")
    reply_to = payloads.mapping(data.get("reply_to"))
    own = payloads.mapping(data.get("headers"))
    separate = str(own.get("Reply-To", ""))
    to = _people("to", data)
    if not to:
        raise _refusal("'to' address is required")
    return Submission(
        sender=_written("from", payloads.mapping(data.get("from"))),
        to=to,
        cc=_people("cc", data),
        bcc=_people("bcc", data),
        reply_to=(_written("reply_to", reply_to),) if reply_to else (separate,) if separate else (),
        subject=str(data.get("subject") or ""),
        text=str(data.get("text") or ""),
        html=str(data.get("html") or ""),
        headers=tuple((n, str(v)) for n, v in own.items() if n != "Reply-To"),
        files=tuple(_files(data)),
    )


def _people(name: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_written(name, person) for person in payloads.objects(data.get(name)))


def _written(name: str, person: Mapping[str, Any]) -> str:
    found = written(person)
    if not found:
        raise _refusal(f"'{name}' address is invalid")
    return found


def _files(data: Mapping[str, Any]) -> Iterator[Piece]:
    for file in payloads.objects(data.get("attachments")):
        try:
            content = decoded(file.get("content"))
        except ValueError:
            raise _refusal("'attachments' content must be in base64") from None
        content_id = (
            str(file.get("content_id") or "") if file.get("disposition") == "inline" else ""
        )
        kind = str(file.get("type") or "application/octet-stream")
        yield Piece(kind, content, str(file.get("filename") or ""), content_id)


def _ids(message: Caught) -> list[str]:
    found: list[str] = json.loads(message.options["ids"])
    return found


def _uuid() -> str:
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def _refusal(words: str) -> Refusal:
    return Refusal(400, {"success": False, "errors": [words]})

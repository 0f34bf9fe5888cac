"""Mailjet's half of the wire: answers sends and look-ups, posts events and parsed mail."""

from __future__ import annotations

import json
import secrets
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from ...errors import UnsupportedFeature
from ...parsing import parse
from ...values import Address, EventType
from .. import payloads
from ..base import HttpRequest, HttpResponse, ParseError, WebhookRequest
from ..mailjet import FORBIDDEN, MESSAGE_ID
from ..mime import Piece
from ..parsed_mail import header_map
from ..submission import Submission, decoded, encoded
from .account import FakeAccount, Refusal, asked, json_answer, json_post
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ...parsing.model import ParsedAttachment, ParsedMessage
    from ..mailjet import MailjetConfig

_MOST = 50
_NAMES = {
    EventType.DELIVERED: "sent",
    EventType.DEFERRED: "bounce",
    EventType.BOUNCED: "bounce",
    EventType.REJECTED: "blocked",
    EventType.COMPLAINED: "spam",
    EventType.OPENED: "open",
    EventType.CLICKED: "click",
    EventType.UNSUBSCRIBED: "unsub",
}
_READER = {"ip": "192.0.2.7", "geo": "FR", "agent": "Mozilla/5.0"}
_SMTP = "sent (250 2.0.0 OK 1767323046 x - gsmtp)"
_GREYLISTED = {"hard_bounce": False, "error_related_to": "domain", "error": "greylisted"}
_DETAILS: Mapping[EventType, dict[str, Any]] = {
    EventType.DELIVERED: {"smtp_reply": _SMTP},
    EventType.DEFERRED: {"blocked": False, **_GREYLISTED},
    EventType.REJECTED: {"error_related_to": "mailjet", "error": "preblocked"},
    EventType.COMPLAINED: {"source": "JMRPP"},
    EventType.OPENED: _READER,
    EventType.CLICKED: {**_READER, "url": "https://example.com/"},
    EventType.UNSUBSCRIBED: {**_READER, "mj_list_id": 0},
}
_HARD = {
    "blocked": True,
    "hard_bounce": True,
    "error_related_to": "recipient",
    "error": "user unknown",
    "comment": "550 5.1.1 The email account that you tried to reach does not exist",
}
_SOFT = {
    "blocked": False,
    "hard_bounce": False,
    "error_related_to": "recipient",
    "error": "quota exceeded",
    "comment": "452 4.2.2 The recipient's mailbox is full",
}
_ONCE = frozenset(
    "date from sender reply-to to cc bcc message-id in-reply-to references subject".split()
)


class MailjetFake(FakeAccount):
    """Mailjet for one account, in memory."""

    def __init__(self, config: MailjetConfig, now: Callable[[], Any]) -> None:
        super().__init__(now)
        self._config = config

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the webhook of an event; raise UnsupportedFeature for what has none."""
        if kind not in _NAMES:
            raise UnsupportedFeature(f"mailjet has no event for {kind}")
        number = message.rcpt_to.index(recipient) if recipient in message.rcpt_to else 0
        bounced = _HARD if hard else _SOFT
        return self._post(
            {
                "event": _NAMES[kind],
                "time": int(self._now().timestamp()),
                "MessageID": int(message.id) + number,
                "Message_GUID": message.options["uuid"],
                "email": recipient,
                "mj_campaign_id": 7257,
                "mj_contact_id": 4,
                "customcampaign": next(iter(message.tags), ""),
                "CustomID": message.options["CustomID"],
                "Payload": message.options["EventPayload"],
                **(bounced if kind is EventType.BOUNCED else _DETAILS[kind]),
            }
        )

    def inbound(self, raw: bytes, *, recipient: str, mail_from: str) -> WebhookRequest:
        """Return the post of a parse route; an answer brings back what was sent along."""
        mail = parse(raw)
        return self._post(
            {
                "Sender": mail_from,
                "Recipient": recipient,
                "Date": f"{self._now():%Y%m%dT%H%M%S}",
                "From": next(map(str, mail.senders), ""),
                "Subject": mail.subject,
                "Headers": _headers(mail),
                "SpamAssassinScore": "0.602",
                **_pieces(mail),
                **self._answered(mail),
            }
        )

    def _answered(self, mail: ParsedMessage) -> dict[str, str]:
        cited = {mail.in_reply_to, *mail.references}
        for message in self.caught:
            if message.message_id in cited:
                options = message.options
                return {"CustomID": options["CustomID"], "Payload": options["EventPayload"]}
        return {}

    def _post(self, value: object) -> WebhookRequest:
        return json_post(value, self._config.webhook_login)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.header("authorization") != self._config.login.authorization:
            raise _refusal(401, "API key authentication/authorization failure.")
        parts = urlsplit(request.url)
        if request.method == "POST" and parts.path.endswith("/v3.1/send"):
            return self._send(asked(request))
        if request.method == "GET" and parts.path.endswith("/v3/REST/message"):
            return self._found(parse_qs(parts.query))
        raise _refusal(404, "Object not found")

    def _found(self, query: Mapping[str, list[str]]) -> HttpResponse:
        data = [
            {"ID": int(message.id), "UUID": message.options["uuid"], "Status": "sent"}
            for message in self.caught
            if message.options["CustomID"] in query.get("CustomID", [])
        ]
        return json_answer(200, {"Count": len(data), "Data": data, "Total": len(data)})

    def _send(self, data: Mapping[str, Any]) -> HttpResponse:
        mails = payloads.objects(data.get("Messages"))
        if not mails or len(mails) > _MOST:
            raise _refusal(400, f"Messages must hold 1 to {_MOST} objects")
        common = payloads.mapping(data.get("Globals"))
        results = [self._take({**common, **mail}, bool(data.get("SandboxMode"))) for mail in mails]
        good = all(result["Status"] == "success" for result in results)
        return json_answer(200 if good else 400, {"Messages": results})

    def _take(self, data: Mapping[str, Any], sandbox: bool) -> dict[str, Any]:
        problem = _problem(data)
        if problem:
            return {"Status": "error", "Errors": [problem]}
        message = self._caught(data)
        if not sandbox:
            self.caught.append(message)
        result: dict[str, Any] = {"Status": "success", "CustomID": message.options["CustomID"]}
        number = int(message.id)
        for name in ("To", "Cc", "Bcc"):
            result[name] = []
            for person in payloads.objects(data.get(name)):
                given = 0 if sandbox else number
                found = {
                    "Email": person["Email"],
                    "MessageID": given,
                    "MessageUUID": message.options["uuid"],
                }
                result[name].append(found)
                number += 1
        return result

    def _caught(self, data: Mapping[str, Any]) -> Caught:
        mail, name = _submission(data), uuid.UUID(bytes=secrets.token_bytes(16), version=4)
        message_id = f"<{name.hex[:8]}.{name.hex[8:]}@bnc3.mailjet.com>"
        sent_along = str(data.get("EventPayload", ""))
        return Caught(
            id=str(10**16 + secrets.randbelow(10**13) * 1_000),
            message_id=message_id,
            mime=mail.mime(message_id, self._now()),
            rcpt_to=mail.rcpt_to,
            tags=payloads.texts(data.get("CustomCampaign")),
            metadata=_metadata(sent_along),
            options={
                "uuid": str(name),
                "CustomID": str(data.get("CustomID", "")),
                "EventPayload": sent_along,
                **{k: json.dumps(data[k]) for k in _KEPT if k in data},
            },
        )


_KEPT = ("TemplateID", "Variables", "TrackOpens", "TrackClicks")


def _problem(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what Mailjet says against a mail, if anything."""
    for name in payloads.mapping(data.get("Headers")):
        if name.lower() in FORBIDDEN:
            words = 'Header cannot be customized using the "Headers" collection.'
            return _error("send-0011", words, f'Headers["{name}"]')
    if not payloads.objects(data.get("To")):
        return _error("mj-0003", 'Missing mandatory property "To".', "To")
    if not payloads.mapping(data.get("From")) and not data.get("TemplateID"):
        return _error("mj-0003", 'Missing mandatory property "From".', "From")
    if not any(data.get(name) for name in ("TextPart", "HTMLPart", "TemplateID")):
        return _error("send-0003", "At least one body property is required.", "TextPart")
    for person in _everybody(data):
        if "@" not in payloads.text(person.get("Email")):
            return _error("mj-0013", "Email address is not valid.", "Email")
    return None


def _everybody(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield payloads.mapping(data.get("From")) or {"Email": "template@localhost"}
    for name in ("To", "Cc", "Bcc"):
        yield from payloads.objects(data.get(name))


def _error(code: str, words: str, related: str) -> dict[str, Any]:
    return {
        "ErrorIdentifier": str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
        "ErrorCode": code,
        "StatusCode": 400,
        "ErrorMessage": words,
        "ErrorRelatedTo": [related],
    }


def _submission(data: Mapping[str, Any]) -> Submission:
    reply_to = payloads.mapping(data.get("ReplyTo"))
    return Submission(
        sender=_written(payloads.mapping(data.get("From"))),
        to=_people(data, "To"),
        cc=_people(data, "Cc"),
        bcc=_people(data, "Bcc"),
        reply_to=(_written(reply_to),) if reply_to else (),
        subject=str(data.get("Subject", "")),
        text=str(data.get("TextPart") or ""),
        html=str(data.get("HTMLPart") or ""),
        headers=tuple((n, str(v)) for n, v in payloads.mapping(data.get("Headers")).items()),
        files=tuple(_files(data)),
    )


def _people(data: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(map(_written, payloads.objects(data.get(name))))


def _written(person: Mapping[str, Any]) -> str:
    email = payloads.text(person.get("Email"))
    return str(Address(email, payloads.text(person.get("Name")))) if email else ""


def _files(data: Mapping[str, Any]) -> Iterator[Piece]:
    for name in ("Attachments", "InlinedAttachments"):
        for file in payloads.objects(data.get(name)):
            try:
                content = decoded(file.get("Base64Content"))
            except ValueError:
                raise _refusal(400, f"{name} are not in base64") from None
            content_id = str(file.get("ContentID", "")) if name[0] == "I" else ""
            yield Piece(str(file["ContentType"]), content, str(file["Filename"]), content_id)


def _metadata(sent_along: str) -> dict[str, str]:
    try:
        found = payloads.read_object(sent_along)
    except ParseError:
        return {}
    return {name: str(value) for name, value in found.items() if name != MESSAGE_ID}


def _headers(mail: ParsedMessage) -> dict[str, Any]:
    """Return the header fields: texts where there can be but one, else lists."""
    found = header_map(mail.headers)
    return {
        name: value if name.lower() in _ONCE or isinstance(value, list) else [value]
        for name, value in found.items()
    }


def _pieces(mail: ParsedMessage) -> dict[str, Any]:
    """Return the parts, each with a name under which its content stands."""
    texts = (("plain", "Text-part", mail.text), ("html", "Html-part", mail.html))
    found = [
        ({"Content-Type": f"text/{kind}; charset=UTF-8"}, name, text)
        for kind, name, text in texts
        if text
    ]
    found += [
        (_described(f), f"{'Inline' if f.inline else ''}Attachment{n}", encoded(f.data))
        for n, f in enumerate(mail.attachments, 1)
    ]
    parts = [{"Headers": headers, "ContentRef": name} for headers, name, _ in found]
    return {"Parts": parts, **{name: content for _, name, content in found}}


def _described(file: ParsedAttachment) -> dict[str, str]:
    kind = "inline" if file.inline else "attachment"
    headers = {
        "Content-Type": f'{file.content_type}; name="{file.filename}"',
        "Content-Disposition": f'{kind}; filename="{file.filename}"',
        "Content-Transfer-Encoding": "base64",
    }
    return headers | ({"Content-ID": f"<{file.content_id}>"} if file.content_id else {})


def _refusal(status: int, message: str) -> Refusal:
    identifier = str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
    body = {"ErrorIdentifier": identifier, "StatusCode": status, "ErrorMessage": message}
    return Refusal(status, body)

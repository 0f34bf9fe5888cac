"""Postmark's half of the wire: answers sends and searches, posts events and mail."""

from __future__ import annotations

import json
import re
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from ...errors import UnsupportedFeature
from ...parsing import parse
from ...values import EventType
from .. import payloads
from ..base import HttpResponse, WebhookRequest
from ..mime import Piece
from ..submission import Submission, decoded, encoded, parsed
from .account import FakeAccount, Refusal, asked, json_answer, json_post
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ...parsing.model import ParsedAttachment
    from ..base import HttpRequest
    from ..postmark import PostmarkConfig

TEST_TOKEN = "POSTMARK_API_TEST"  # checks a request and sends nothing (email API)
_MOST_BYTES = 10 * 1024 * 1024
_MOST_IN_A_BATCH = 500
_MESSAGE_ID = re.compile(r"<[^<>@\s]+@[^<>@\s]+>")
_BOUNCE_ID = 692_560_173

_HARD = {
    "Type": "HardBounce",
    "TypeCode": 1,
    "Name": "Hard bounce",
    "Description": "The server was unable to deliver your message (ex: unknown user).",
    "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist",
    "Inactive": True,
}
_SOFT = {
    "Type": "SoftBounce",
    "TypeCode": 4096,
    "Name": "Soft bounce",
    "Description": "Unable to temporarily deliver message (i.e. mailbox full).",
    "Details": "smtp;452 4.2.2 The mailbox is over quota",
    "Inactive": False,
}
_READER = {"UserAgent": "Mozilla/5.0", "Geo": {"IP": "192.0.2.7"}, "Platform": "Desktop"}
_EVENTS: Mapping[EventType, dict[str, Any]] = {
    EventType.DELIVERED: {"RecordType": "Delivery", "Details": "smtp;250 2.0.0 OK"},
    EventType.DEFERRED: {
        **_SOFT,
        "RecordType": "Bounce",
        "Type": "Transient",
        "TypeCode": 2,
        "Details": "smtp;451 4.3.0 Temporary server error, try again later",
    },
    EventType.REJECTED: {
        **_SOFT,
        "RecordType": "Bounce",
        "Type": "Blocked",
        "TypeCode": 100_006,
        "Details": "smtp;554 5.7.1 Blocked by the receiving network",
    },
    EventType.COMPLAINED: {"RecordType": "SpamComplaint", "Type": "SpamComplaint"},
    EventType.OPENED: {"RecordType": "Open", "FirstOpen": True, **_READER},
    EventType.CLICKED: {"RecordType": "Click", "OriginalLink": "https://example.com/", **_READER},
    EventType.UNSUBSCRIBED: {
        "RecordType": "SubscriptionChange",
        "SuppressSending": True,
        "SuppressionReason": "ManualSuppression",
        "Origin": "Recipient",
    },
}
_TIMES = {"Delivery": "DeliveredAt", "Bounce": "BouncedAt", "SpamComplaint": "BouncedAt"}


def refusal(status: int, code: int, message: str) -> Refusal:
    """Return what Postmark answers to a request that it does not take."""
    return Refusal(status, {"ErrorCode": code, "Message": message})


class PostmarkFake(FakeAccount):
    """Postmark for one server, in memory. ``now`` is asked for every time that it writes down.

    ``keeps_ids`` says whether X-PM-KeepID has its effect. Who bounced hard is inactive afterwards.
    """

    def __init__(
        self, config: PostmarkConfig, now: Callable[[], datetime], *, keeps_ids: bool = True
    ) -> None:
        super().__init__(now)
        self._config = config
        self._keeps_ids = keeps_ids
        self._inactive: set[str] = set()

    def _answer(self, request: HttpRequest) -> HttpResponse:
        parts = urlsplit(request.url)
        path = parts.path.rstrip("/")
        token = request.header("x-postmark-server-token")
        if token not in (self._config.server_token, TEST_TOKEN):
            raise refusal(401, 10, "Request does not contain a valid Server token.")
        if request.method == "POST" and path.endswith(("/email", "/email/withTemplate")):
            if len(request.body) > _MOST_BYTES * 2:
                raise refusal(413, 0, "The request is too large")
            return self._send(asked(request), test=token == TEST_TOKEN)
        if request.method == "POST" and path.endswith("/email/batch"):
            return self._send_all(request, test=token == TEST_TOKEN)
        if request.method == "GET" and path.endswith("/messages/outbound"):
            return self._search(parse_qs(parts.query))
        return HttpResponse(404, {"content-type": "text/html"}, b"Not Found")

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the webhook of an event; raise UnsupportedFeature for what has none."""
        if kind is EventType.BOUNCED:
            about = {"RecordType": "Bounce", **(_HARD if hard else _SOFT)}
        elif kind in _EVENTS:
            about = _EVENTS[kind]
        else:
            raise UnsupportedFeature(f"postmark has no event for {kind}")
        if kind is EventType.BOUNCED and hard:
            self._inactive.add(recipient.lower())
        record = str(about["RecordType"])
        whom = "Email" if record in ("Bounce", "SpamComplaint") else "Recipient"
        time = "ChangedAt" if record == "SubscriptionChange" else _TIMES.get(record, "ReceivedAt")
        if whom == "Email":
            about = {**about, "ID": _BOUNCE_ID + len(self.caught), "CanActivate": True}
        return self._post(
            {
                **about,
                "MessageID": message.id,
                whom: recipient,
                time: self._now().isoformat().replace("+00:00", "Z"),
                "Tag": next(iter(message.tags), ""),
                "Metadata": dict(message.metadata),
                "ServerID": 23,
                "MessageStream": self._config.message_stream or "outbound",
            }
        )

    def inbound(
        self, raw: bytes, *, recipient: str, mail_from: str, mime: bool = True
    ) -> WebhookRequest:
        """Return the post of a mail, with the raw mail or, as servers are set at first, without.

        Postmark's JSON is UTF-8: bytes of a mail that are not, it cannot bring.
        """
        payload = _parsed(raw, mail_from) | {
            "MessageID": str(uuid.uuid4()),
            "MessageStream": "inbound",
            "OriginalRecipient": recipient,
            "MailboxHash": recipient.partition("@")[0].partition("+")[2],
        }
        return self._post(payload | ({"RawEmail": raw.decode("utf-8", "replace")} if mime else {}))

    def _send_all(self, request: HttpRequest, *, test: bool) -> HttpResponse:
        """Answer a batch: with 200, whatever becomes of its messages."""
        messages = payloads.listed(request.body)
        if not 0 < len(messages) <= _MOST_IN_A_BATCH:
            raise refusal(422, 300, "A batch has 1 to 500 messages.")
        answers: list[object] = []
        for message in messages:
            try:
                answer = self._send(payloads.mapping(message), test=test)
            except Refusal as refused:
                answer = refused.answer
            answers.append(json.loads(answer.body))
        return json_answer(200, answers)

    def _send(self, fields: Mapping[str, Any], *, test: bool) -> HttpResponse:
        mail = _submission(fields)
        active = tuple(to for to in mail.rcpt_to if to.lower() not in self._inactive)
        skipped = ", ".join(to.lower() for to in mail.rcpt_to if to not in active)
        if not active:
            raise refusal(
                422,
                406,
                "You tried to send to recipient(s) that have been marked as inactive. "
                f"Found inactive addresses: {skipped}. "
                "Inactive recipients are ones that have generated a hard bounce.",
            )
        provider_id = str(uuid.uuid4())
        if not test:
            self.caught.append(self._taken(fields, mail, active, provider_id))
        message = f"Message OK, but will not deliver to these inactive addresses: {skipped}. "
        answer = {
            "To": ", ".join(mail.to),
            "SubmittedAt": self._now().isoformat(),
            "MessageID": provider_id,
            "ErrorCode": 0,
            "Message": f"{message}Inactive recipients are ones that …" if skipped else "OK",
        }
        return json_answer(200, answer)

    def _taken(
        self, fields: Mapping[str, Any], mail: Submission, active: tuple[str, ...], id: str
    ) -> Caught:
        headers = {name.lower(): value for name, value in mail.headers}
        own = headers.get("message-id", "")
        kept = self._keeps_ids and headers.get("x-pm-keepid", "").lower() == "true"
        message_id = own if kept and _MESSAGE_ID.fullmatch(own) else f"<{id}@mtasv.net>"
        switches = ("TrackOpens", "TrackLinks", "MessageStream", "TemplateId", "TemplateAlias")
        return Caught(
            id=id,
            message_id=message_id,
            mime=mail.mime(message_id, self._now()),
            rcpt_to=active,
            tags=payloads.texts(fields.get("Tag")),
            metadata=payloads.mapping(fields.get("Metadata")),
            options={name: str(fields[name]) for name in switches if name in fields}
            | {"TemplateModel": json.dumps(fields.get("TemplateModel", {}))},
        )

    def _search(self, query: Mapping[str, list[str]]) -> HttpResponse:
        wanted = {k[9:]: v[0] for k, v in query.items() if k.startswith("metadata_")}
        people = {address.lower() for address in query.get("recipient", [])}
        found = [
            c
            for c in self.caught
            if wanted.items() <= dict(c.metadata).items()
            and people <= {to.lower() for to in c.rcpt_to}
        ]
        messages = [{"MessageID": c.id, "Metadata": dict(c.metadata)} for c in found]
        return json_answer(200, {"TotalCount": len(found), "Messages": messages})

    def _post(self, payload: Mapping[str, Any]) -> WebhookRequest:
        return json_post(payload, self._config.login)


def _submission(fields: Mapping[str, Any]) -> Submission:
    """Read a send request; raise Refusal with the ErrorCode and words of Postmark's."""
    text = partial(_text, fields)
    _check(fields)
    headers = payloads.objects(fields.get("Headers"))
    return Submission(
        sender=text("From"),
        to=tuple(filter(None, [text("To")])),
        cc=tuple(filter(None, [text("Cc")])),
        bcc=tuple(filter(None, [text("Bcc")])),
        reply_to=tuple(filter(None, [text("ReplyTo")])),
        subject=text("Subject"),
        text=text("TextBody"),
        html=text("HtmlBody"),
        headers=tuple((str(h.get("Name")), str(h.get("Value"))) for h in headers),
        files=tuple(_file(item) for item in payloads.objects(fields.get("Attachments"))),
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _check(fields: Mapping[str, Any]) -> None:
    text = partial(_text, fields)
    if not parsed([text("From")]):
        raise refusal(422, 300, f"Invalid 'From' address: '{text('From')}'.")
    people = ("To", "Cc", "Bcc")
    if len(parsed(map(text, people))) > 50:
        raise refusal(422, 300, "Too many recipients.")
    for name in people:
        if text(name) and not parsed([text(name)]):
            raise refusal(422, 300, f"Error parsing '{name}': Illegal email address.")
    template = "TemplateId" in fields or "TemplateAlias" in fields
    if not (template or text("TextBody") or text("HtmlBody")):
        raise refusal(422, 300, "Provide either email TextBody or HtmlBody or both.")
    if not any(map(text, people)):
        raise refusal(422, 300, "Zero recipients specified")


def _file(item: Mapping[str, Any]) -> Piece:
    try:
        data = decoded(item.get("Content"))
    except ValueError:
        raise refusal(422, 300, "Invalid attachment content: no base64.") from None
    content_id = str(item.get("ContentID") or "").removeprefix("cid:")
    return Piece(str(item.get("ContentType", "")), data, str(item.get("Name", "")), content_id)


def _parsed(raw: bytes, mail_from: str) -> dict[str, Any]:
    """Return the fields that Postmark makes of a mail; some leave the list of headers."""
    mail = parse(raw)
    taken = ("from", "to", "cc", "subject", "date", "reply-to")
    headers = [{"Name": "Return-Path", "Value": f"<{mail_from}>"}]
    headers += [{"Name": n, "Value": v} for n, v in mail.headers if n.lower() not in taken]
    people = {"From": mail.senders, "To": mail.to, "Cc": mail.cc}
    first = next(iter(mail.senders), None)
    full = {
        f"{name}Full": [{"Email": a.email, "Name": a.name, "MailboxHash": ""} for a in found]
        for name, found in people.items()
    }
    return {
        **{name: ", ".join(map(str, found)) for name, found in people.items()},
        **full,
        "From": first.email if first else "",  # its example shows no name in it
        "FromName": first.name if first else "",
        "FromFull": next(iter(full["FromFull"]), {"Email": "", "Name": ""}),
        "ReplyTo": ", ".join(map(str, mail.reply_to)),
        "Subject": mail.subject,
        "Date": mail.headers.get("Date"),
        "TextBody": mail.text,
        "HtmlBody": mail.html,
        "Headers": headers,
        "Attachments": [_attached(file) for file in mail.attachments],
    }


def _attached(file: ParsedAttachment) -> dict[str, Any]:
    return {
        "Name": file.filename,
        "Content": encoded(file.data),
        "ContentType": file.content_type,
        "ContentLength": file.size,
        "ContentID": file.content_id,
    }

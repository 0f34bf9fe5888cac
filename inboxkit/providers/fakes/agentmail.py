"""AgentMail's half of the wire: answers sends, posts signed events, and keeps received mail."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from ...errors import UnsupportedFeature
from ...parsing import parse
from ...values import EventType
from .. import payloads
from ..base import HttpResponse, WebhookRequest
from ..hosts import is_local
from ..mime import Piece
from ..parsed_mail import header_map
from ..submission import Submission, decoded, listed, parsed
from .account import FakeAccount, Refusal, asked, json_answer
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ..agentmail import AgentMailConfig
    from ..base import HttpRequest

_MOST_BYTES = 6 * 1024 * 1024
_EVENTS: Mapping[EventType, tuple[str, str]] = {
    EventType.SENT: ("message.sent", "send"),
    EventType.DELIVERED: ("message.delivered", "delivery"),
    EventType.BOUNCED: ("message.bounced", "bounce"),
    EventType.COMPLAINED: ("message.complained", "complaint"),
    EventType.REJECTED: ("message.rejected", "reject"),
    EventType.OPENED: ("message.opened", "open"),
}


class AgentMailFake(FakeAccount):
    """AgentMail for one account, in memory. Who bounced or complained is refused afterwards."""

    def __init__(self, config: AgentMailConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._config = config
        self._answers: dict[str, tuple[str, HttpResponse]] = {}
        self._received: dict[str, bytes] = {}
        self._blocked: set[str] = set()

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the signed webhook of an event; raise UnsupportedFeature for what has none."""
        if kind not in _EVENTS:
            raise UnsupportedFeature(f"agentmail has no event for {kind}")
        if kind is EventType.COMPLAINED or (kind is EventType.BOUNCED and hard):
            self._blocked.add(recipient.lower())
        name, key = _EVENTS[kind]
        about = {
            "inbox_id": message.options["inbox_id"],
            "thread_id": message.options["thread_id"],
            "message_id": message.message_id,
            "timestamp": self._written(),
        }
        return self._post(name, {key: {**about, **_outcome(kind, recipient, hard=hard)}})

    def inbound(
        self, raw: bytes, *, recipient: str, mail_from: str, spam: bool = False
    ) -> WebhookRequest:
        """Keep a mail and return the signed webhook that describes it."""
        mail = parse(raw)
        message_id = mail.message_id or f"<{uuid.uuid4().hex}@email.amazonses.com>"
        self._received[message_id] = raw
        message = {
            "inbox_id": recipient,
            "thread_id": str(uuid.uuid4()),
            "message_id": message_id,
            "labels": ["received", *(["spam"] if spam else []), "unread"],
            "timestamp": self._written(),
            "from": str(mail.sender),
            "to": [str(address) for address in mail.to],
            "subject": mail.subject,
            "text": mail.text,
            "html": mail.html,
            "in_reply_to": mail.in_reply_to,
            "references": list(mail.references),
            "headers": header_map([("Return-Path", f"<{mail_from}>"), *mail.headers]),
            "size": len(raw),
        }
        return self._post(f"message.received{'.spam' if spam else ''}", {"message": message})

    def _answer(self, request: HttpRequest) -> HttpResponse:
        parts = urlsplit(request.url)
        steps = [unquote(step) for step in parts.path.strip("/").split("/")]
        if steps[-2:-1] == ["download"]:  # a signed URL: no key
            return HttpResponse(200, {"content-type": "message/rfc822"}, self._raw(steps[-1]))
        if request.header("authorization") != f"Bearer {self._config.api_key}":
            raise _refusal(401, "unknown_api_key", "The API key is not known")
        match request.method, steps[-5:]:
            case "POST", [*_, "inboxes", inbox, "messages", "send"]:
                return self._send(inbox, request)
            case "GET", ["inboxes", _, "messages", id, "raw"]:
                return self._place(id, self._base(request))
            case _:
                raise _refusal(404, "not_found", "Route not found")

    def _send(self, inbox: str, request: HttpRequest) -> HttpResponse:
        if "@" not in inbox:
            raise _refusal(404, "not_found", "Inbox not found")
        if len(request.body) > _MOST_BYTES:
            raise _refusal(413, "validation_error", "The request is larger than 6 MB")
        key = request.header("idempotency-key")
        digest = hashlib.sha256(request.url.encode() + request.body).hexdigest()
        if key and key in self._answers:
            before, answer = self._answers[key]
            if before != digest:
                raise _refusal(409, "conflict", "The key was used with another request")
            return answer
        answer = json_answer(200, self._catch(inbox, asked(request)))
        if key:
            self._answers[key] = digest, answer
        return answer

    def _catch(self, inbox: str, fields: Mapping[str, Any]) -> dict[str, str]:
        mail = _submission(inbox, fields)
        if refused := self._blocked & {to.lower() for to in mail.rcpt_to}:
            words = f"Bounced or complained before: {', '.join(sorted(refused))}"
            raise _refusal(403, "message_rejected", words)
        ids = {
            "message_id": f"<0100{uuid.uuid4().hex[:28]}-000000@email.amazonses.com>",
            "thread_id": str(uuid.uuid4()),
        }
        self.caught.append(
            Caught(
                id=ids["message_id"],
                message_id=ids["message_id"],
                mime=mail.mime(ids["message_id"], self._now()),
                rcpt_to=mail.rcpt_to,
                tags=listed(fields.get("labels")),
                options={
                    "inbox_id": inbox,
                    "thread_id": ids["thread_id"],
                    "track_opens": str(fields.get("track_opens", "")),
                },
            )
        )
        return ids

    def _base(self, request: HttpRequest) -> str:
        """Return where this Fake is reached: at its API's URL, if that is no vendor's."""
        own, asked_at = self._config.api_url, request.url.partition("/v0/inboxes/")[0]
        return own if is_local(urlsplit(own).hostname or "") else asked_at

    def _place(self, id: str, url: str) -> HttpResponse:
        size = len(self._raw(id))
        download = f"{url}/download/{quote(id, safe='')}?Signature=s"
        place = {"message_id": id, "size": size, "download_url": download}
        return json_answer(200, {**place, "expires_at": self._written()})

    def _raw(self, id: str) -> bytes:
        if id not in self._received:
            raise _refusal(404, "not_found", "Message not found")
        return self._received[id]

    def _post(self, name: str, about: Mapping[str, Any]) -> WebhookRequest:
        id = f"evt_{uuid.uuid4().hex}"
        body = json.dumps({"type": "event", "event_type": name, "event_id": id, **about}).encode()
        return WebhookRequest(
            headers=self._config.signing.headers(id, self._now(), body), body=body
        )

    def _written(self) -> str:
        return self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _outcome(kind: EventType, recipient: str, *, hard: bool) -> dict[str, Any]:
    if kind is EventType.BOUNCED:
        type_, sub_type = ("Permanent", "General") if hard else ("Transient", "MailboxFull")
        whom = {"address": recipient, "status": "5.1.1" if hard else "4.2.2"}
        return {"type": type_, "sub_type": sub_type, "recipients": [whom]}
    if kind is EventType.COMPLAINED:
        return {"type": "abuse", "sub_type": "", "recipients": [recipient]}
    if kind is EventType.REJECTED:
        return {"reason": "recipient on block list"}
    return {} if kind is EventType.OPENED else {"recipients": [recipient]}


def _refusal(status: int, code: str, message: str) -> Refusal:
    name = "".join(word.title() for word in code.split("_")) + "Error"
    return Refusal(status, {"name": name, "code": code, "message": message})


def _submission(inbox: str, fields: Mapping[str, Any]) -> Submission:
    """Read a send request; raise Refusal with the status and code of AgentMail's."""
    people = {name: listed(fields.get(name)) for name in ("to", "cc", "bcc", "reply_to")}
    for name, values in people.items():
        if len(parsed(values)) != len(values):
            raise _refusal(400, "validation_error", f"{name}: not an address")
    count = sum(len(people[name]) for name in ("to", "cc", "bcc"))
    if not 0 < count <= 50:
        raise _refusal(400, "validation_error", "1 to 50 recipients")
    return Submission(
        sender=inbox,
        **people,
        subject=str(fields.get("subject") or ""),
        text=str(fields.get("text") or ""),
        html=str(fields.get("html") or ""),
        headers=tuple((n, str(v)) for n, v in payloads.mapping(fields.get("headers")).items()),
        files=tuple(_file(item) for item in payloads.objects(fields.get("attachments"))),
    )


def _file(item: Mapping[str, Any]) -> Piece:
    try:
        data = decoded(item.get("content"))
    except ValueError:
        raise _refusal(400, "validation_error", "content: no base64") from None
    names = ("content_type", "filename", "content_id")
    kind, name, content_id = (str(item.get(key) or "") for key in names)
    return Piece(kind, data, name, content_id)

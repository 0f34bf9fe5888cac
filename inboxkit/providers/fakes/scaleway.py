"""Scaleway's half of the wire: answers sends and posts events as a topic does."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import UnsupportedFeature
from ...values import EventType
from .. import payloads
from ..base import WebhookRequest
from ..mime import Piece
from ..submission import Submission, decoded, written
from .account import FakeAccount, Refusal, asked, json_answer
from .fake import Caught

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ..base import HttpRequest, HttpResponse
    from ..scaleway import ScalewayConfig

_ARN = "arn:scw:sns:fr-par:project-1:emails"
_EVENTS: Mapping[EventType, tuple[str, int, str]] = {
    EventType.ACCEPTED: ("email_queued", 0, ""),
    EventType.DELIVERED: ("email_delivered", 250, "2.0.0 OK"),
    EventType.DEFERRED: ("email_deferred", 451, "4.3.0 Temporary server error, try again later"),
    EventType.REJECTED: ("email_blocklisted", 0, ""),
}
_HARD = ("email_mailbox_not_found", 550, "5.1.1 User unknown")
_SOFT = ("email_dropped", 552, "5.2.2 The mailbox is over quota")


class ScalewayFake(FakeAccount):
    """Scaleway Transactional Email for one project, in memory."""

    def __init__(self, config: ScalewayConfig, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._config = config
        self._emails: dict[tuple[str, str], str] = {}

    def event(
        self, kind: EventType, message: Caught, recipient: str, *, hard: bool = True
    ) -> WebhookRequest:
        """Return the post of an event; raise UnsupportedFeature for what has none."""
        if kind is EventType.BOUNCED:
            name, code, words = _HARD if hard else _SOFT
        elif kind in _EVENTS:
            name, code, words = _EVENTS[kind]
        else:
            raise UnsupportedFeature(f"scaleway has no event for {kind}")
        return self._post(
            {
                "id": str(uuid.uuid4()),
                "type": name,
                "project_id": self._config.project_id,
                "created_at": self._written(),
                "email_id": self._emails[message.id, recipient.lower()],
                "email_to": recipient,
                "email_response_code": code,
                "email_response_message": words,
            }
        )

    def inbound(self, raw: bytes, *, recipient: str, mail_from: str) -> WebhookRequest:
        """Raise UnsupportedFeature: Scaleway takes no mail in."""
        raise UnsupportedFeature("scaleway takes no mail in")

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.header("x-auth-token") != self._config.secret_key:
            raise _refusal(401, "denied_authentication", "authentication is denied")
        path = f"/transactional-email/v1alpha1/regions/{self._config.region}/emails"
        if request.method != "POST" or not urlsplit(request.url).path.endswith(path):
            raise _refusal(404, "not_found", "resource is not found")
        fields = asked(request)
        if fields.get("project_id") != self._config.project_id:
            raise _refusal(403, "permissions_denied", "insufficient permissions")
        mail, id = _submission(fields), str(uuid.uuid4())
        message_id = f"<{id}@tem.scw.cloud>"
        self.caught.append(
            Caught(
                id=id,
                message_id=message_id,
                mime=mail.mime(message_id, self._now()),
                rcpt_to=mail.rcpt_to,
            )
        )
        emails = [self._email(id, message_id, to) for to in mail.rcpt_to]
        return json_answer(200, {"emails": emails})

    def _email(self, id: str, message_id: str, recipient: str) -> dict[str, Any]:
        email_id = self._emails[id, recipient.lower()] = str(uuid.uuid4())
        known = {"id": email_id, "message_id": message_id.strip("<>"), "mail_rcpt": recipient}
        return {**known, "created_at": self._written(), "status": "new", "try_count": 0}

    def _post(self, event: Mapping[str, Any]) -> WebhookRequest:
        posted = {
            "Type": "Notification",
            "MessageId": str(uuid.uuid4()),
            "TopicArn": _ARN,
            "Message": json.dumps(event),
            "Timestamp": self._written(),
        }
        headers = {"content-type": "text/plain; charset=UTF-8"}
        if self._config.login:
            headers["authorization"] = self._config.login.authorization
        return WebhookRequest(headers=headers, body=json.dumps(posted).encode())

    def _written(self) -> str:
        return self._now().isoformat().replace("+00:00", "Z")


def _refusal(status: int, type: str, message: str) -> Refusal:
    return Refusal(status, {"type": type, "message": message})


def _submission(fields: Mapping[str, Any]) -> Submission:
    """Read a send request; raise Refusal with the status and type of Scaleway's."""
    people = {name: _people(fields.get(name)) for name in ("to", "cc", "bcc")}
    if not people["to"]:
        raise _refusal(400, "invalid_arguments", "invalid argument(s): to is required")
    if not fields.get("subject"):
        raise _refusal(400, "invalid_arguments", "invalid argument(s): subject is required")
    if not (fields.get("text") or fields.get("html")):
        raise _refusal(400, "invalid_arguments", "invalid argument(s): text or html is required")
    pairs = payloads.objects(fields.get("additional_headers"))
    return Submission(
        sender=next(iter(_people([fields.get("from")])), ""),
        **people,
        subject=str(fields.get("subject") or ""),
        text=str(fields.get("text") or ""),
        html=str(fields.get("html") or ""),
        headers=tuple((str(pair.get("key")), str(pair.get("value"))) for pair in pairs),
        files=tuple(_file(item) for item in payloads.objects(fields.get("attachments"))),
    )


def _people(value: object) -> tuple[str, ...]:
    people = tuple(map(written, payloads.objects(value)))
    if not all(people):
        raise _refusal(400, "invalid_arguments", "invalid argument(s): email is not valid")
    return people


def _file(item: Mapping[str, Any]) -> Piece:
    try:
        data = decoded(item.get("content"))
    except ValueError:
        raise _refusal(400, "invalid_arguments", "invalid argument(s): content") from None
    return Piece(str(item.get("type") or ""), data, str(item.get("name") or ""))

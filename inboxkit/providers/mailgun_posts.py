"""What Mailgun posts: its events and the mail of its routes, signed.

Whoever plays Mailgun's part writes it here: the Fake, and the facade of the HTTP API.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from ..errors import UnsupportedFeature
from ..values import EventType
from . import forms
from .base import WebhookRequest
from .forms import Field
from .mailgun import sign

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from ..parsing.model import ParsedMessage

NAMES = {
    EventType.ACCEPTED: "accepted",
    EventType.DELIVERED: "delivered",
    EventType.REJECTED: "rejected",
    EventType.OPENED: "opened",
    EventType.CLICKED: "clicked",
    EventType.UNSUBSCRIBED: "unsubscribed",
    EventType.COMPLAINED: "complained",
    EventType.DEFERRED: "failed",
    EventType.BOUNCED: "failed",
}
_MOST_URLENCODED = 256 * 1024  # bytes; more takes long to encode, and many times its memory
_MESSAGE_ID = "Message-Id"  # so at Mailgun, whatever case the sender has written
_LEVELS = {"failed": "error", "rejected": "warn", "complained": "warn", "unsubscribed": "warn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The message that an event is about, as Mailgun shows it; ids have no angle brackets."""

    sender: str
    to: str
    subject: str
    message_id: str
    size: int
    attachments: Sequence[Mapping[str, Any]] = ()
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    is_test: bool = False


def event_data(
    kind: EventType | str,
    about: About,
    recipient: str,
    *,
    id: str,
    at: datetime,
    details: Mapping[str, Any],
) -> dict[str, Any]:
    """Return an event as the event log and the webhooks have it; raise UnsupportedFeature.

    ``details`` is what this kind of event says beyond what all of them do.
    """
    name = NAMES.get(kind) if isinstance(kind, EventType) else kind
    if name is None:
        raise UnsupportedFeature(f"mailgun has no event for {kind}")
    said: dict[str, Any] = {
        "event": name,
        "id": id,
        "timestamp": at.timestamp(),
        "log-level": _LEVELS.get(name, "info"),
        **_said(about),
    }
    if name in ("rejected", "stored"):
        said["message"]["recipients"] = [recipient]
    if name != "rejected":  # the one event that names no recipient
        said |= {"recipient": recipient, "recipient-domain": recipient.rpartition("@")[2]}
    return said | dict(details)


def _said(about: About) -> dict[str, Any]:
    headers = {"to": about.to, "from": about.sender, "subject": about.subject}
    return {
        "message": {
            "headers": {**headers, "message-id": about.message_id},
            "attachments": [dict(file) for file in about.attachments],
            "size": about.size,
        },
        "tags": list(about.tags),
        "user-variables": dict(about.metadata),
        "campaigns": [],
        "flags": {
            "is-routed": False,
            "is-authenticated": True,
            "is-system-test": False,
            "is-test-mode": about.is_test,
        },
    }


def signature(signing_key: str, now: datetime) -> dict[str, str]:
    """Return the three signed fields of a post, with a fresh token."""
    timestamp, token = str(int(now.timestamp())), secrets.token_hex(25)
    signed = sign(signing_key, timestamp, token)
    return {"timestamp": timestamp, "token": token, "signature": signed}


def event_post(data: Mapping[str, Any], signed: Mapping[str, str]) -> WebhookRequest:
    """Return the webhook that tells of an event."""
    body = json.dumps({"signature": dict(signed), "event-data": dict(data)}).encode()
    return WebhookRequest(headers={"content-type": "application/json"}, body=body)


def mail_post(
    parsed: ParsedMessage,
    raw: bytes,
    *,
    recipient: str,
    mail_from: str,
    signed: Mapping[str, str],
    mime: bool,
    files: bool = True,
    more: Iterable[tuple[str, str]] = (),
) -> WebhookRequest:
    """Return the post of a route: to a URL that ends in ``mime``, or parsed.

    ``more`` are fields that need a deeper look at the mail, such as its text without quotes.
    ``files`` False leaves the files out, as ``store(notify=...)`` does. A mail that could not be
    taken apart is posted with what there is of it and its bytes.
    """
    headers = list(parsed.headers)
    named = {"recipient": recipient, "sender": mail_from} | {
        name: parsed.headers.get(name) for name in ("from", "subject")
    }
    fields = [_text(name, value) for name, value in (*headers, *named.items(), *more)]
    message_id = parsed.headers.get(_MESSAGE_ID)
    if message_id and not any(field.name == _MESSAGE_ID for field in fields):
        fields.append(_text(_MESSAGE_ID, message_id))
    if not mime:
        fields += _parsed(parsed, files=files)
    if mime or (files and parsed.state != "parsed"):
        fields.append(Field("body-mime", raw))
    fields += [_text(name, value) for name, value in signed.items()]
    content_type, body = _posted(fields)
    return WebhookRequest(headers={"content-type": content_type}, body=body)


def _parsed(parsed: ParsedMessage, *, files: bool) -> list[Field]:
    fields = [_text("body-plain", parsed.text)]
    if parsed.html:
        fields.append(_text("body-html", parsed.html))
    fields.append(_text("message-headers", json.dumps(list(parsed.headers))))
    named = {f"attachment-{n}": file for n, file in enumerate(parsed.attachments, start=1)}
    if named:
        fields.append(_text("attachment-count", str(len(named))))
    if not files:
        return fields
    fields += [Field(name, f.data, f.filename, f.content_type) for name, f in named.items()]
    ids = {f"<{file.content_id}>": name for name, file in named.items() if file.content_id}
    return [*fields, _text("content-id-map", json.dumps(ids))] if ids else fields


def _text(name: str, value: str) -> Field:
    return Field(name, value.encode("utf-8", "replace"))


def _posted(fields: list[Field]) -> tuple[str, bytes]:
    size = sum(len(f.data) for f in fields)
    if size > _MOST_URLENCODED or any(f.filename is not None for f in fields):
        return forms.write(fields)
    pairs = [f"{quote_plus(f.name)}={quote_plus(f.data)}" for f in fields]
    return "application/x-www-form-urlencoded", "&".join(pairs).encode()

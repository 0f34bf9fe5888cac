"""What Mailgun posts: its events and the mail of its routes, signed.

Whoever plays Mailgun's part writes it here: the Fake, and the facade of the HTTP API.
"""

from __future__ import annotations

import email
import html
import json
import re
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
from .mailgun_requests import leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from email.message import Message as Mail

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
    if name == "rejected":  # the one event that names no recipient
        said["message"]["recipients"] = [recipient]
    else:
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
        "flags": {"is-test-mode": about.is_test},
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
    ``files`` False leaves the files out, as ``store(notify=...)`` does.
    """
    mail = email.message_from_bytes(raw)
    headers = raw_headers(mail)
    named = {"recipient": recipient, "sender": mail_from} | {
        name: next((v for n, v in headers if n.lower() == name), "") for name in ("from", "subject")
    }
    fields = [Field(name, value.encode()) for name, value in (*headers, *named.items(), *more)]
    fields += [Field("body-mime", raw)] if mime else _parsed(mail, headers, files=files)
    fields += [Field(name, value.encode()) for name, value in signed.items()]
    content_type, body = _posted(fields)
    return WebhookRequest(headers={"content-type": content_type}, body=body)


def raw_headers(mail: Mail) -> list[tuple[str, str]]:
    """Return the headers of a mail as text, whatever bytes they hold."""
    return [
        (name, value.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        for name, value in mail.raw_items()
    ]


def _parsed(mail: Mail, headers: list[tuple[str, str]], *, files: bool) -> list[Field]:
    bodies: dict[str, bytes] = {}
    found: list[Field] = []
    ids: dict[str, str] = {}
    for part, data in leaves(mail):
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and not part.get_filename():
            name = f"body-{kind[5:]}"
            bodies[name] = bodies.get(name, b"") + _as_utf8(data, part)
            continue
        name = f"attachment-{len(found) + 1}"
        found.append(Field(name, data, part.get_filename() or name, kind))
        if part["content-id"]:
            ids[str(part["content-id"])] = name
    bodies.setdefault("body-plain", _as_text(bodies.get("body-html", b"")))
    fields = [Field(name, data) for name, data in bodies.items()]
    fields += [Field("message-headers", json.dumps(headers).encode())]
    if found:
        fields += [Field("attachment-count", str(len(found)).encode())]
    if files:
        fields += found
    if ids and files:
        fields += [Field("content-id-map", json.dumps(ids).encode())]
    return fields


def _as_utf8(data: bytes, part: Mail) -> bytes:
    try:
        return data.decode(str(part.get_content_charset("utf-8")), "replace").encode()
    except LookupError:
        return data.decode("utf-8", "replace").encode()


def _as_text(markup: bytes) -> bytes:
    return html.unescape(re.sub(r"<[^<>]*>", "", markup.decode())).encode()


def _posted(fields: list[Field]) -> tuple[str, bytes]:
    if any(f.filename is not None for f in fields):
        return forms.write(fields)
    pairs = [f"{quote_plus(f.name)}={quote_plus(f.data)}" for f in fields]
    return "application/x-www-form-urlencoded", "&".join(pairs).encode()

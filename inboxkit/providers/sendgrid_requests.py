"""What SendGrid's mail/send is asked for a message of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .. import base64_text
from .addressing import Named, ascii_header, named, subject, variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..values import Address, File
    from .base import Outgoing

OURS = "ibk_"  # custom arguments come back between the fields of an event
_MOST_ARGUMENTS = 10_000  # bytes


def written(message: Outgoing, *, sandbox: bool) -> dict[str, Any]:
    """Return the JSON of the request; what is empty stays out, as SendGrid refuses it."""
    at = message.send_at
    asked: dict[str, Any] = {
        "personalizations": [_personalization(message, mail) for mail in named(message)],
        "from": _person(message.sender),
        "reply_to_list": [_person(address) for address in message.reply_to],
        "subject": subject(message),
        "content": _content(message),
        "attachments": [_attachment(file) for file in message.attachments],
        "headers": {n: ascii_header(v) for n, v in message.headers.items()},
        "categories": [message.tag] if message.tag else [],
        "custom_args": arguments(message.metadata),
        "send_at": int(at.timestamp()) if at else None,
        "template_id": message.template,
        "tracking_settings": _tracking(message),
        "mail_settings": {"sandbox_mode": {"enable": True}} if sandbox else {},
    }
    return {name: value for name, value in asked.items() if value}


def arguments(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return metadata as custom arguments; of more than SendGrid takes, the last ones."""
    kept: dict[str, str] = {}
    left = _MOST_ARGUMENTS
    for name, value in reversed(list(metadata.items())):
        left -= len(json.dumps({OURS + name: value}))
        if left < 0:
            break
        kept[OURS + name] = value
    return dict(reversed(list(kept.items())))


def _personalization(message: Outgoing, mail: Named) -> dict[str, Any]:
    people = {"to": mail.to, "cc": mail.cc, "bcc": mail.bcc}
    written: dict[str, Any] = {
        name: [_person(address) for address in who] for name, who in people.items() if who
    }
    if merged := variables(message, mail):
        is_dynamic = message.template.startswith("d-")  # others know the older substitutions only
        written["dynamic_template_data" if is_dynamic else "substitutions"] = merged
    return written


def _person(address: Address) -> dict[str, str]:
    return {"email": address.email} | ({"name": address.name} if address.name else {})


def _content(message: Outgoing) -> list[dict[str, str]]:
    """Return the bodies, plain text first; a mail without any gets the blank that is asked for."""
    bodies = {"text/plain": message.text, "text/html": message.html}
    content = [{"type": kind, "value": body} for kind, body in bodies.items() if body]
    return content or ([] if message.template else [{"type": "text/plain", "value": " "}])


def _attachment(file: File) -> dict[str, str]:
    attachment = {
        "content": base64_text.encode(file.data),
        "type": file.content_type,
        "filename": file.filename,
        "disposition": "inline" if file.content_id else "attachment",
    }
    return attachment | ({"content_id": file.content_id} if file.content_id else {})


def _tracking(message: Outgoing) -> dict[str, dict[str, bool]]:
    switches = {"open_tracking": message.track_opens, "click_tracking": message.track_clicks}
    return {name: {"enable": on} for name, on in switches.items() if on is not None}

"""Delivery news in JSON that arrives as a mail: Amazon SES, which SNS passes on by mail.

SES developer guide, "Contents of Amazon SNS notifications for Amazon SES" and "Contents of event
data that Amazon SES publishes to Amazon SNS"; SNS parts long lines by "!", CRLF and a space.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..values import Kind
from . import notices, reasons, report_fields
from .model import Bounce, Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .model import Mail

    Json = Mapping[str, Any]

FIELD = "x-amz-sns-message-id"
_MOST_CHARACTERS = 256 * 1024  # SNS sends no more
_PARTED = re.compile(r"!\r?\n ")
# Where the recipients stand: the object of that name, and the list in it.
_RECIPIENTS = {
    "bounce": ("bounce", "bouncedRecipients"),
    "complaint": ("complaint", "complainedRecipients"),
    "delivery": ("delivery", "recipients"),
    "deliverydelay": ("deliveryDelay", "delayedRecipients"),
}
_ACTIONS = {"delivery": "delivered", "complaint": "complained", "deliverydelay": "delayed"}
_SUBTYPES = {
    "NoEmail": "user_unknown",
    "Suppressed": "user_unknown",  # on SES's own list: it bounced lately
    "OnAccountSuppressionList": "blocked",
    "MailboxFull": "mailbox_full",
    "MessageTooLarge": "too_large",
    "ContentRejected": "content",
    "AttachmentRejected": "content",
}


@dataclass(frozen=True, slots=True)
class Notification:
    """What happened to a mail of ours: bounce, complaint, delivery or deliverydelay."""

    happened: str
    report: Report

    @property
    def kind(self) -> Kind:
        """Complaint, or bounce for all that is said of deliveries."""
        return Kind.COMPLAINT if self.happened == "complaint" else Kind.BOUNCE


def read(mail: Mail) -> Notification | None:
    """Return the news that a mail brings as JSON; None for any other mail. Never raises."""
    if FIELD not in mail.headers:
        return None
    news = _news(mail.text[:_MOST_CHARACTERS])
    happened = _string(news, "notificationType") or _string(news, "eventType")
    happened = happened.replace(" ", "").lower()
    if happened not in _RECIPIENTS:
        return None
    where, listed = _RECIPIENTS[happened]
    about = _object(news, where)
    people = list(_people(about, listed))[: notices.MAX_RECIPIENTS]
    if not people:
        return None
    bounces = tuple(_bounce(happened, about, person) for person in people)
    return Notification(happened, Report(bounces, _message_id(news), bounces[0].recipient))


def _news(text: str) -> Json:
    """Return the JSON object of a text, or the one that its envelope by SNS holds as a string."""
    found = _decoded(_PARTED.sub("", text))
    inner = _string(found, "Message")
    return _decoded(inner) if inner else found


def _decoded(text: str) -> Json:
    start = text.find("{")
    try:
        found: Any = json.JSONDecoder().raw_decode(text, max(start, 0))[0]
    except (ValueError, RecursionError):
        return {}
    return cast("Json", found) if isinstance(found, dict) else {}


def _people(about: Json, listed: str) -> Iterator[Json]:
    """Give the recipients; deliveries list bare addresses."""
    found = about.get(listed)
    for person in cast("list[object]", found) if isinstance(found, list) else []:
        if isinstance(person, str):
            yield {"emailAddress": person}
        elif isinstance(person, dict):
            yield cast("Json", person)


def _bounce(happened: str, about: Json, person: Json) -> Bounce:
    recipient = report_fields.address(_string(person, "emailAddress"))
    said = _string(person, "diagnosticCode")[:500]
    action = _ACTIONS.get(happened, "failed")
    if action in ("delivered", "complained"):
        kind = _string(about, "complaintFeedbackType")[:100] or _string(about, "smtpResponse")[:500]
        reason = "complaint" if action == "complained" else "delivered"
        return Bounce(recipient, reasons.codes(kind)[0], reason, False, kind, action)
    verdict = reasons.judge(said, status=_string(person, "status"))
    reason, hard = verdict.reason, verdict.hard
    subtype = _string(about, "bounceSubType")
    if reason == "other" or subtype in ("Suppressed", "OnAccountSuppressionList"):
        reason = _SUBTYPES.get(subtype, "expired" if action == "delayed" else reason)
        hard = reason == "user_unknown"
    lasting = _string(about, "bounceType") != "Transient" and action != "delayed"
    return Bounce(recipient, verdict.status, reason, hard and lasting, said, action)


def _message_id(news: Json) -> str:
    """Return the Message-ID that we wrote, if the news tells it, else the one that SES made."""
    mail = _object(news, "mail")
    fields = mail.get("headers")
    for field in cast("list[object]", fields) if isinstance(fields, list) else []:
        if isinstance(field, dict):
            known = cast("Json", field)
            if _string(known, "name").lower() == "message-id":
                return report_fields.first_id(_string(known, "value"))
    made = _string(mail, "messageId")
    return f"<{made}@email.amazonses.com>" if made.replace("-", "").isalnum() else ""


def _object(of: Json, name: str) -> Json:
    found = of.get(name)
    return cast("Json", found) if isinstance(found, dict) else {}


def _string(of: Json, name: str) -> str:
    found = of.get(name)
    return found if isinstance(found, str) else ""

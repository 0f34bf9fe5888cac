"""Complaints: feedback reports (RFC 5965) and the looser forms that providers send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import notices, report_fields
from .model import Bounce, Report

if TYPE_CHECKING:
    from .model import Mail

_REASONS = {"auth-failure": "auth_failed", "dmarc": "auth_failed", "not-spam": "not_spam"}
_NOTHING: report_fields.Fields = {}
_SUBJECTS = (
    "complaint about",
    "abuse report",
    "spam report",
    "feedback report",
    "junk mail report",
)


def find(mail: Mail, subject: str, *, automatic: bool) -> str:
    """Return why the mail is a complaint, or "" if it is none; ``subject`` is in lower case."""
    if mail.report_type == "feedback-report":
        return "multipart/report of report-type feedback-report"
    types = {part.content_type for part in mail.parts}
    if types & report_fields.FEEDBACK_TYPES:
        return "a message/feedback-report part"
    if types & report_fields.ORIGINAL_TYPES and not mail.text.strip() and _names(subject):
        return "subject of a complaint over an enclosed message"
    if automatic and subject.strip() == "unsubscribe":
        return "an automatic request to unsubscribe"
    return ""


def read(mail: Mail) -> Report | None:
    """Return whose complaint it is and about what; None when the mail is no complaint.

    ``reason`` is complaint, unsubscribe, auth_failed (RFC 6591) or not_spam: the last two say
    nothing against the recipient.
    """
    if mail.report_type == "delivery-status":
        return None
    groups = report_fields.groups(mail, report_fields.FEEDBACK_TYPES, "feedback-type:")
    fields = next((g for g in groups if "feedback-type" in g), _NOTHING)
    subject = mail.headers.get("subject").lower()
    if not fields and not find(mail, subject, automatic=True):
        return None
    original = report_fields.original_fields(mail, notices.Notice(()))
    named = _recipients(mail, fields, original, subject)
    kind = fields.get("feedback-type", [subject[:40] if "unsub" in subject else "abuse"])[0].lower()
    reason = "unsubscribe" if kind == "unsubscribe" else _REASONS.get(kind, "complaint")
    bounces = tuple(
        Bounce(a, "", reason, False, f"feedback report: {kind}"[:100], "complained") for a in named
    )
    message_id = report_fields.first_id(original.get("message-id", ""))
    return Report(bounces, message_id, named[0] if named else "")


def _names(subject: str) -> bool:
    return any(phrase in subject for phrase in _SUBJECTS)


def _recipients(
    mail: Mail, fields: report_fields.Fields, original: dict[str, str], subject: str
) -> list[str]:
    """Return who complains: as the report names them, else whom the original was sent to."""
    if subject.strip() == "unsubscribe":
        return report_fields.header_addresses(mail, "from")[:1]
    for name in ("original-rcpt-to", "removal-recipient"):
        named = [a for v in fields.get(name, []) if (a := report_fields.address(v))]
        if named:
            return list(dict.fromkeys(named))[: notices.MAX_RECIPIENTS]
    first = report_fields.first_address(original.get("to", ""))
    return [first] if first else []

"""Delivery reports: which recipients of which mail failed, and why.

RFC 3464 reports are read by their fields, all others by their text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import complaints, notices, notifications, reasons, report_fields
from .model import Bounce, Report

if TYPE_CHECKING:
    from .model import Mail
    from .report_fields import Fields

_DELIVERED = frozenset({"delivered", "relayed", "expanded", "deliverable"})
_SUCCESS = re.compile(r"2\.\d{1,3}\.\d{1,3}")
_WORD = re.compile(r"[^\W\d_]{3}")
_NO_RCPT = re.compile(
    r"\b(?:503|554)\b.{0,60}\b(?:need|valid|no)\b.{0,8}(?:rcpt|recip)", re.IGNORECASE
)


def read_report(mail: Mail) -> Report:
    """Return what a bounce or a complaint says; an empty Report when it says nothing readable.

    A recipient is named as we wrote it (Original-Recipient) when the report tells, so that it
    matches the send. Reports of success carry ``action="delivered"``; they are no failures.
    """
    if notification := notifications.read(mail):
        return notification.report
    if complaint := complaints.read(mail):
        return complaint
    notice = notices.read(report_fields.loose_text(mail))
    original = report_fields.original_fields(mail, notice)
    groups = report_fields.groups(mail, report_fields.STATUS_TYPES, "final-recipient:")
    groups = [g for g in groups if _recipient(g)]
    bounces = _from_fields(groups, notice) or _from_notice(mail, notice, original)
    first = report_fields.address(groups[0].get("original-recipient", [""])[0]) if groups else ""
    return Report(
        bounces,
        _message_id(mail, original, notice),
        first or report_fields.first_address(original.get("to", "")),
    )


def _recipient(group: Fields) -> str:
    """Return the recipient that a group of fields is about, as we wrote it if the group tells."""
    for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
        if address := report_fields.address(group.get(name, [""])[0]):
            return address
    return group.get("final-recipient", [""])[0].partition(";")[2].strip(" <>")[:320]


def _from_fields(groups: list[Fields], notice: notices.Notice) -> tuple[Bounce, ...]:
    told = notices.failures(notice, ours=frozenset())
    by_recipient = {_recipient(g): g for g in reversed(groups[: notices.MAX_RECIPIENTS])}
    alone = notice.text if len(by_recipient) == 1 else ""
    return tuple(
        _reported(group, recipient, told.get(recipient, "") or alone, notice)
        for recipient, group in reversed(by_recipient.items())
    )


def _reported(group: Fields, recipient: str, around: str, notice: notices.Notice) -> Bounce:
    action = group.get("action", ["failed"])[0].split("(")[0].strip().lower()
    machine = " ".join(group.get("status", [""]))
    success = _SUCCESS.match(machine)
    said = _diagnostic(group)
    if action in _DELIVERED or (success and action not in ("failed", "delayed")):
        status = success[0] if success else ""
        return Bounce(recipient, status, "delivered", False, said, "delivered")
    late = action == "delayed"
    status = reasons.codes(machine)[0]
    return _judged(recipient, said, around, status=status, late=late, notice=notice)


def _judged(
    recipient: str, said: str, *around: str, status: str, late: bool, notice: notices.Notice
) -> Bounce:
    """Decide by what was said of the recipient; by the words around it if that tells nothing."""
    verdict = reasons.judge(said, status=status)
    for wider in around:
        if verdict.reason == "other" and wider:
            verdict = reasons.judge(f"{said} {wider}", status=status)
    reason, hard = verdict.reason, verdict.hard and not late
    if hard and _is_late_refusal(verdict, said, notice):
        reason, hard = "filtered", False
    if late and reason == "other":
        reason = "expired"
    shown = said or " ".join(around[0].split())[:500]
    return Bounce(recipient, verdict.status, reason, hard, shown, "delayed" if late else "failed")


def _diagnostic(group: Fields) -> str:
    """Return the Diagnostic-Code without its type (RFC 3464 section 2.3.6)."""
    value = " ".join(" ".join(group.get("diagnostic-code", [])).split())
    kind, separator, rest = value.partition(";")
    return rest.strip() if separator and " " not in kind.strip() else value


def _is_late_refusal(verdict: reasons.Verdict, said: str, notice: notices.Notice) -> bool:
    """Say whether an "unknown user" came only after DATA, when RCPT had been accepted.

    Servers with filters of their users' own (Japanese carriers above all) refuse so; the address
    lives. A 5.1.x status, or a DATA refused for want of recipients, says that RCPT had failed. A
    5.7.x status says that the server refused by a rule of its own: with it, RCPT must be named.
    """
    if verdict.reason != "user_unknown" or verdict.status[2:4] == "1.":
        return False
    command = reasons.phase(said) or reasons.phase(notice.text)
    if verdict.status[2:4] == "7.":
        return command != "rcpt"
    return command == "data" and _NO_RCPT.search(notice.text) is None


def _from_notice(
    mail: Mail, notice: notices.Notice, original: dict[str, str]
) -> tuple[Bounce, ...]:
    """Return the failures that a text names, or else the header, or else the returned mail."""
    ours = [a for n in ("from", "to", "sender") for a in report_fields.header_addresses(mail, n)]
    told = notices.failures(notice, ours=frozenset(ours))
    listed = report_fields.header_addresses(mail, "x-failed-recipients")
    named = listed or list(told)
    if not named and (first := report_fields.first_address(original.get("to", ""))):
        named = [first]
    late = notice.is_delay and not listed
    subject = mail.headers.get("subject")
    bounces: list[Bounce] = []
    for address in dict.fromkeys(named[: notices.MAX_RECIPIENTS]):
        said = told.get(address, "")
        # With several recipients the text as a whole may speak of the others.
        around = (notice.text, subject) if len(named) == 1 or not _says_anything(said) else ("",)
        bounces.append(_judged(address, said, *around, status="", late=late, notice=notice))
    return tuple(bounces)


def _says_anything(said: str) -> bool:
    return _WORD.search(notices.ADDRESS.sub(" ", said)) is not None


def _message_id(mail: Mail, original: dict[str, str], notice: notices.Notice) -> str:
    """Return the id of the mail reported on: from its own header, then from what quotes it."""
    quoted = notices.header_fields(notice.lines)
    for value in (
        original.get("message-id", ""),
        quoted.get("message-id", ""),
        quoted.get("x-original-message-id", ""),
        mail.headers.get("in-reply-to"),
    ):
        if found := report_fields.first_id(value):
            return found
    return ""

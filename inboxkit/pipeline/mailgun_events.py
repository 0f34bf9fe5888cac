"""An entry of the event log as Mailgun's event log and webhooks show it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..providers.mailgun_posts import About, event_data
from ..store import mailgun_events
from ..store.records import addresses
from ..tokens import public_id

if TYPE_CHECKING:
    from sqlalchemy import Row

    from ..store.mailgun_events import Files

# What is not known here: programs look these up without asking whether they are there.
_CLIENT = ("client-type", "client-os", "client-name", "device-type", "bot")
_PLACE = ("country", "region", "city")
_SUPPRESSED = {"bounced": "bounce", "complained": "complaint", "unsubscribed": "unsubscribe"}


def recipients(row: Row[Any]) -> tuple[str, ...]:
    """Return whom an entry is about, one by one."""
    if row.direction == "inbound":
        return (row.inbox_address,)
    return (row.recipient,) if row.recipient else tuple(row.rcpt_to) or ("",)


def webhook_name(row: Row[Any]) -> str:
    """Return the name of the webhook that tells of an entry."""
    name = mailgun_events.name(row)
    if name != "failed":
        return name
    return "temporary_fail" if row.type == "deferred" else "permanent_fail"


def shown(row: Row[Any], number: int, base: str, files: Files) -> dict[str, Any]:
    """Return an entry for one of its recipients; ``base`` is where this server was reached.

    ``files`` is what messages have attached, that of the entry among them.
    """
    return event_data(
        mailgun_events.name(row),
        _about(row, files),
        recipients(row)[number],
        id=f"{public_id('evt', row.seq)}-{number}",
        at=row.at,
        details=_details(row, base),
    )


def storage_key(row: Row[Any]) -> str:
    """Return the name under which the message of an entry is stored."""
    return public_id("msg", row.message_id)


def storage_url(base: str, inbox: str, key: str) -> str:
    """Return where a stored message can be fetched by the facade."""
    return f"{base}/v3/domains/{inbox.rpartition('@')[2]}/messages/{key}"


def _about(row: Row[Any], files: Files) -> About:
    sender = next(iter(addresses([(row.sender_email, row.sender_name)])))
    return About(
        sender=str(sender),
        to=", ".join(str(a) for a in addresses(row.people_to)),
        subject=row.subject,
        message_id=row.rfc_id.strip("<>"),
        size=row.size,
        attachments=files.get(row.message_id, ()),
        tags=row.all_tags or ([row.tag] if row.tag else []),
        metadata=row.asked,
        is_test=bool(row.is_test),
    )


def _details(row: Row[Any], base: str) -> dict[str, Any]:
    name, said = mailgun_events.name(row), dict(row.data)
    key = storage_key(row)
    details: dict[str, Any] = {
        "envelope": {"sender": row.mail_from, "transport": "smtp", "targets": row.recipient},
        "storage": {"key": key},
        "inboxkit": {"message": key},
    }
    if base:
        details["storage"]["url"] = storage_url(base, row.inbox_address, key)
    if name == "accepted":
        details["method"] = "HTTP"
    elif name == "delivered":
        words = {"message": row.reason or "OK", "description": ""}
        details["delivery-status"] = {"code": 250, **words}
    elif name == "rejected":
        details["reject"] = {"reason": row.reason, "description": ""}
    elif name == "failed":
        details |= _failure(row, said)
    elif name in ("opened", "clicked", "unsubscribed", "complained"):
        details |= _reader(said)
    return details


def _failure(row: Row[Any], said: dict[str, Any]) -> dict[str, Any]:
    temporary = row.type == "deferred"
    reason = "generic" if temporary else "bounce" if row.hard else row.reason_class or "generic"
    if row.reason_class == "suppressed":
        word = row.reason.partition("(")[2].rstrip(")")
        reason = f"suppress-{_SUPPRESSED.get(word, 'bounce')}"
    code = str(said.get("code", ""))
    return {
        "severity": "temporary" if temporary else "permanent",
        "reason": reason,
        "delivery-status": {
            "code": int(code) if code.isdecimal() else (451 if temporary else 605),
            "enhanced-code": said.get("status", ""),
            "message": row.reason,
            "description": row.reason_class,
        },
    }


def _reader(said: dict[str, Any]) -> dict[str, Any]:
    client = {**dict.fromkeys(_CLIENT, ""), "user-agent": said.get("user_agent") or ""}
    place = dict.fromkeys(_PLACE, "")
    found = {"ip": said.get("ip", ""), "client-info": client, "geolocation": place}
    return {**found, "url": said["url"]} if said.get("url") else found

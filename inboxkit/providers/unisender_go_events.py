"""What Unisender Go posts: events of one user or project, many at once or a single one.

Facts: the callback format of its Web API reference 1.87, and its page on statuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..parsing.reasons import judge
from ..values import EventType
from . import payloads
from .base import ParseError, ProviderEvent
from .event_facts import digest, every, facts, severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .base import WebhookRequest

_STATUS_EVENT = "transactional_email_status"
_EVENTS = {
    "accepted": EventType.ACCEPTED,
    "sent": EventType.SENT,
    "delivered": EventType.DELIVERED,
    "opened": EventType.OPENED,
    "clicked": EventType.CLICKED,
    "unsubscribed": EventType.UNSUBSCRIBED,
    "soft_bounced": EventType.DEFERRED,
    "hard_bounced": EventType.BOUNCED,
    "spam": EventType.COMPLAINED,
}
_REASONS = {
    "err_user_unknown": "user_unknown",
    "err_user_inactive": "user_unknown",
    "err_mailbox_discarded": "user_unknown",
    "err_mailbox_full": "mailbox_full",
    "err_spam_rejected": "spam",
    "err_spam_skipped": "spam",
    "err_spam_removed": "spam",
    "err_blacklisted": "blocked",
    "err_too_large": "too_large",
    "err_unreachable": "suppressed",
    "err_domain_inactive": "host_unknown",
    "err_giveup": "expired",
}
# of a domain that takes no mail, too: it may come back
_PASSING = ("err_domain_inactive",)
# not even tried, as something had happened before
_SKIPPED = (
    "err_unsubscribed",
    "err_skip_letter",
    "skip_dup_unreachable",
    "skip_dup_temp_unreachable",
    "skip_dup_mailbox_full",
)


def events(request: WebhookRequest) -> tuple[ProviderEvent, ...]:
    """Return the events of a post; raise ParseError."""
    return every(_batch(request), lambda told: _event(*told))


def _batch(request: WebhookRequest) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and content of each event; a single one stands flat in the body."""
    post = payloads.read_object(request.body)
    if "events_by_user" not in post:
        if "event_name" not in post:
            raise ParseError("neither events_by_user nor event_name")
        yield payloads.text(post["event_name"]), post
        return
    for user in payloads.objects(post["events_by_user"]):
        for event in payloads.objects(user.get("events")):
            data = payloads.mapping(event.get("event_data"))
            yield payloads.text(event.get("event_name")), data


def _event(name: str, data: Mapping[str, Any]) -> ProviderEvent:
    at = payloads.instant(data.get("event_time") or data.get("block_time"))
    if at is None:
        raise ParseError(f"an event {name!r} without a time")
    status = payloads.text(data.get("status"))
    about = payloads.mapping(data.get("delivery_info"))
    kind, hard, reason_class, reason = _outcome(name, status, about)
    job, email = payloads.text(data.get("job_id")), payloads.text(data.get("email"))
    url = payloads.text(data.get("url"), 2_000)
    return ProviderEvent(
        type=kind,
        at=at,
        recipient=email,
        provider_id=job,
        hard=hard,
        reason_class=reason_class,
        reason=reason,
        event_id=digest(name, job, email, status, at.isoformat(), url),
        data=facts(
            name=status or name,
            metadata=payloads.mapping(data.get("metadata")),
            url=url,
            ip=payloads.text(about.get("ip")),
            user_agent=payloads.text(about.get("user_agent")),
            status=judge(payloads.text(about.get("destination_response"))).status,
            payload=data if kind is EventType.UNKNOWN else None,
        ),
    )


def _outcome(name: str, status: str, about: Mapping[str, Any]) -> tuple[EventType, bool, str, str]:
    """Return the type, whether the address is dead, the reason class and the reason."""
    kind = _EVENTS.get(status, EventType.UNKNOWN) if name == _STATUS_EVENT else EventType.UNKNOWN
    code = payloads.text(about.get("delivery_status"))
    words = payloads.text(about.get("destination_response")) or code
    if kind not in (EventType.BOUNCED, EventType.DEFERRED):
        return kind, False, "", ""
    if kind is EventType.BOUNCED and code in _SKIPPED:
        return EventType.REJECTED, False, "suppressed", words
    is_hard = kind is EventType.BOUNCED and code not in _PASSING
    # without delivery_info the reason is not told, and a spam block is a hard bounce as well
    known = _REASONS.get(code, "" if words else "other")
    hard, reason_class = severity(words, hard=is_hard, known=known)
    return kind, hard, reason_class, words

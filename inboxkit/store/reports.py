"""Bounces and complaints that come by mail: what they tell of a send, and whether to believe it.

Anybody who got a mail can write a report on it: its Message-ID, its reply address and a null
sender are known to every recipient, and the envelope sender is the inbox itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from ..authentication.domains import aligned, domain_of
from ..values import Auth, EventType, Kind
from . import deliveries
from .api_tables import DEFAULT_POD
from .deliveries import Outcome
from .tables import inbox, message, reference

if TYPE_CHECKING:
    from ..parsing.model import Bounce
    from .transactions import Tx
    from .unread import Reading

_ACTIONS = {"delivered": EventType.DELIVERED, "delayed": EventType.DEFERRED}
_COMPLAINTS = {"unsubscribe": EventType.UNSUBSCRIBED, "auth_failed": None, "not_spam": None}
# Nobody's own address (RFC 2142 section 5); Exchange adds the organization's number to its name.
_SYSTEM = re.compile(r"(?:mailer-daemon|postmaster|microsoftexchange[0-9a-f]*)@", re.IGNORECASE)


def act_on(tx: Tx, reading: Reading) -> None:
    """Turn a bounce or complaint that came by mail into the event a webhook would have been."""
    parsed = reading.parsed
    if parsed.kind not in (Kind.BOUNCE, Kind.COMPLAINT):
        return
    original = _reported_send(tx.connection, reading)
    if original is None:
        return
    for bounce in parsed.report.bounces:
        type_ = _reported_event(parsed.kind, bounce)
        if type_ is not None:
            deliveries.happened(
                tx, original.id, _outcome(reading, original, bounce, type_), now=reading.now
            )


def _outcome(reading: Reading, original: Any, bounce: Bounce, type_: EventType) -> Outcome:
    doubt = _doubt(reading, original, bounce)
    data = {"status": bounce.status, "report": reading.stored.id}
    return Outcome(
        type=type_,
        at=reading.stored.received_at,
        recipient=bounce.recipient,
        hard=bounce.hard,
        reason_class=bounce.reason,
        reason=bounce.diagnostic,
        event_id=f"mail:{reading.stored.id}:{bounce.recipient}",
        data=data | {"doubt": doubt} if doubt else data,
        believed=not doubt,
        scope="" if original.pod_id == DEFAULT_POD else original.pod_id,
    )


def _doubt(reading: Reading, original: Any, bounce: Bounce) -> str:
    """Return why a report is not enough to suppress a recipient, "" when it is.

    The only recipient of a mail can tell of nobody but himself. Of several, each could tell of the
    others, also of those at his own provider: so it takes a server of the recipient's domain.
    """
    if len(original.rcpt_to) == 1:
        return ""
    auth, sender = Auth(**reading.auth), reading.parsed.sender.email
    proven = auth.passed and aligned(auth.domain, domain_of(bounce.recipient))
    if proven and _SYSTEM.match(sender):
        return ""
    return "of several recipients, and not proven to come from a mail server of this one's domain"


def _reported_event(kind: Kind, bounce: Bounce) -> EventType | None:
    if kind == Kind.COMPLAINT:
        return _COMPLAINTS.get(bounce.reason, EventType.COMPLAINED)
    return _ACTIONS.get(bounce.action, EventType.BOUNCED)


_SELECT_SEND = select(message.c.id, message.c.rcpt_to, inbox.c.pod_id).join(
    inbox, inbox.c.id == message.c.inbox_id
)


def _reported_send(connection: Connection, reading: Reading) -> Any:
    """Return the send of this inbox that a report is about."""
    mine = _SELECT_SEND.where(message.c.inbox_id == reading.stored.inbox_id)
    if reading.token_row is not None:
        named = connection.execute(mine.where(message.c.id == reading.token_row)).first()
        if named is not None:
            return named
    cited = (reading.parsed.report.original_message_id, reading.parsed.in_reply_to)
    known = mine.join(reference, reference.c.message_id == message.c.id)
    for rfc_id in filter(None, cited):
        query = known.where(
            reference.c.inbox_id == reading.stored.inbox_id,
            reference.c.rfc_id == rfc_id,
            reference.c.outbound,
        )
        found = connection.execute(query).first()
        if found is not None:
            return found
    return None

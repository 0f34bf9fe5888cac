"""Whether an inbox may send something: its draft policy, and the lists of whom to write to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import SendError
from ..store import suppressions, verdicts
from ..store.verdicts import SEND, Party

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from ..store.inboxes import InboxRecord

DRAFT, DENY = "draft", "deny"  # of "auto" there is nothing to do


class Forbidden(SendError):
    """A rule of the inbox forbids the send; nothing was stored."""


class Paused(Forbidden):
    """The inbox is paused: it sends nothing until it is made active again."""


def findings(
    connection: Connection, inbox: InboxRecord, row: Mapping[str, Any], *, approved: bool
) -> tuple[str, dict[str, str]]:
    """Return why a send may not leave an inbox, and which of its recipients are suppressed."""
    refused = refusal(connection, inbox, row["rcpt_to"], approved=approved)
    domain = row["sender_email"].rpartition("@")[2].lower()
    if refused:
        return refused, {}
    return "", suppressions.among(connection, row["rcpt_to"], domain, inbox.pod_id)


def refusal(
    connection: Connection, inbox: InboxRecord, recipients: Sequence[str], *, approved: bool
) -> str:
    """Return why a send may not leave an inbox, "" when it may.

    ``approved``: it was a draft, and somebody who may do so has sent it.
    """
    if inbox.draft_policy == DENY:
        return f"inbox {inbox.address}: its draft policy is deny, it sends nothing"
    if inbox.draft_policy == DRAFT and not approved:
        return (
            f"inbox {inbox.address}: its draft policy is draft, it sends nothing by itself; "
            "make a draft, and let somebody with the permission draft_send send it"
        )
    parties = [Party(recipient.lower(), inbox.id) for recipient in recipients]
    blocked = verdicts.refusals(connection, SEND, list(dict.fromkeys(parties)))
    return "; ".join(f"{party.address}: {why}" for party, why in blocked.items())

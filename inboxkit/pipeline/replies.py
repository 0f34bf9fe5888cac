"""Whether an automatic reply may go out at all (RFC 3834 section 2), and its caps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..store import inboxes
from ..store.caps import Caps
from ..store.sends import Capped
from ..values import Kind

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..models import Message
    from ..settings import Settings

LOOP_HEADER = "x-inboxkit-loop"
_ROBOTS = ("mailer-daemon@", "postmaster@", "noreply@", "no-reply@", "donotreply@", "bounce@")


def refusal(message: Message, loop_id: str) -> str:
    """Return why a program must not answer this message, "" when it may."""
    headers = {name.lower(): value for name, value in message.headers.items()}
    if message.kind in (Kind.BOUNCE, Kind.COMPLAINT, Kind.CHALLENGE):
        return f"the message is a {message.kind}"
    if headers.get(LOOP_HEADER) == loop_id:
        return "the message is one of our own"
    if headers.get("auto-submitted", "no").split(";")[0].strip().lower() != "no":
        return "the message is automatic (Auto-Submitted)"
    if headers.get("precedence", "").strip().lower() in ("bulk", "junk", "list"):
        return "the message is bulk or list mail (Precedence)"
    if "list-id" in headers or "list-unsubscribe" in headers or message.kind == Kind.LIST:
        return "the message is list mail"
    if not message.envelope.mail_from and message.kind != Kind.HUMAN:
        return "the message came with the null sender"
    if message.kind == Kind.AUTO_REPLY:
        return "the message is automatic"
    if answer_address(message).lower().startswith(_ROBOTS):
        return "the sender takes no replies"
    return ""


def answer_address(message: Message) -> str:
    """Return where an answer goes: Reply-To, else From (RFC 5322 section 3.6.2)."""
    first = (*message.reply_to, message.sender)[0]
    return first.email


def is_own(connection: Connection, message: Message) -> bool:
    """Whether an answer would go to the very inbox that it comes from."""
    target = inboxes.find_tagged(connection, answer_address(message))
    return target is not None and target.address == message.inbox


def capped(message: Message, settings: Settings) -> Capped:
    """Return by which caps the answer to a message is bound."""
    caps = Caps(
        settings.auto_replies_per_thread_hour,
        settings.auto_replies_per_correspondent_hour,
        settings.auto_replies_per_inbox_hour,
    )
    return Capped(answer_address(message), caps)

"""JSON of the API to Message, Thread and Inbox, and drafts to JSON. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .. import base64_text, known
from ..extracted import Link, Otp
from ..inbox import Inbox
from ..models import Attachment, Event, Message, Thread
from ..values import Address, Direction, Envelope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models import Actions
    from ..values import Draft, File

_SAME = (
    *("id", "message_id", "inbox", "subject", "headers", "text", "html", "reply_text", "signature"),
    *("visible_text", "preview", "state", "tag", "metadata", "thread_id", "thread_reason"),
    *("participant", "in_reply_to", "size"),
)
_OF_FILES = (
    *("id", "filename", "safe_name", "content_type", "size", "sha256", "inline", "content_id"),
    "sniffed_type",
)


def message(said: dict[str, Any], actions: Actions) -> Message:
    """Return a message of ``/v0/messages``."""
    answers = said.get("answers")
    envelope = said["envelope"]
    made = Message(
        **{name: said[name] for name in _SAME},
        direction=Direction(said["direction"]),
        sender=_address(said["sender"]),
        envelope=Envelope(envelope["mail_from"], tuple(envelope["rcpt_to"])),
        received_at=datetime.fromisoformat(said["received_at"]),
        actions=actions,
        to=_addresses(said["to"]),
        cc=_addresses(said["cc"]),
        reply_to=_addresses(said["reply_to"]),
        date=_moment(said.get("date")),
        kind=known.kind(said["kind"]),
        auth=known.auth(said["auth"]),
        defects=tuple(said["defects"]),
        labels=frozenset(said["labels"]),
        references=tuple(said["references"]),
        answers=None if answers is None else message(answers, actions),
    )
    return _with_parts(made, said)


def _with_parts(made: Message, said: dict[str, Any]) -> Message:
    """Hang in what points back at the message; it is frozen for everybody else."""
    otp, link = said.get("otp"), said.get("link")
    if otp is not None:
        object.__setattr__(made, "otp", Otp(otp, made, link))
    if link is not None:
        object.__setattr__(made, "link", Link(link, made))
    parts = tuple(
        Attachment(**{name: file[name] for name in _OF_FILES}, message=made)
        for file in said["attachments"]
    )
    object.__setattr__(made, "attachments", parts)
    return made


def thread(said: dict[str, Any], actions: Actions) -> Thread:
    """Return a thread of ``/v0/threads/{id}/state``."""
    return Thread(
        id=said["thread_id"],
        subject=said["subject"],
        inbox=said["inbox"],
        actions=actions,
        participants=_addresses(said["participants"]),
        waiting_since=_moment(said.get("waiting_since")),
        reminders=said["reminders"],
        state=said["state"],
    )


def inbox(said: dict[str, Any], actions: Actions) -> Inbox:
    """Return an inbox of ``/v0/inboxes/open``."""
    return Inbox(
        said["address"],
        said["display_name"],
        said["metadata"],
        _moment(said.get("since")),
        actions=actions,
    )


def draft(given: Draft, *, everyone: bool = False) -> dict[str, Any]:
    """Return the body of a request that sends; answers quote nothing that is not in the text."""
    extra = {"tag": given.tag, "metadata": dict(given.metadata), "quote": False}
    extra |= {"everyone": everyone} if everyone else {}
    extra |= {} if given.key is None else {"key": given.key}
    extra |= {} if given.at is None else {"at": given.at.isoformat()}
    asked = given.options.given()
    opens = {"track_opens": asked.pop("track_opens")} if "track_opens" in asked else {}
    said: dict[str, Any] = {
        "to": list(given.to),
        "cc": list(given.cc),
        "bcc": list(given.bcc),
        "reply_to": list(given.reply_to),
        "subject": given.subject,
        "text": given.text,
        "html": given.html,
        "headers": dict(given.headers),
        "attachments": [file(one) for one in given.attachments],
    }
    said = {name: value for name, value in said.items() if value}
    return said | opens | {"inboxkit": extra | asked}


def file(given: File) -> dict[str, str]:
    """Return a file to send as the body of a request has it."""
    said = {
        "filename": given.filename,
        "content": base64_text.encode(given.data),
        "content_type": given.content_type,
        "content_id": given.content_id,
    }
    return {name: value for name, value in said.items() if value or name == "content"}


def _address(said: dict[str, str]) -> Address:
    return Address(said["email"], said["name"])


def _addresses(said: Sequence[dict[str, str]]) -> tuple[Address, ...]:
    return tuple(_address(one) for one in said)


def _moment(said: str | None) -> datetime | None:
    return None if said is None else datetime.fromisoformat(said)


def event(id: str, facts: dict[str, Any], about: Message) -> Event:
    """Return an event of ``/v0/events`` about a message, from what is said in ``inboxkit``."""
    return Event(
        id=id,
        type=known.event_type(facts["type"]),
        at=datetime.fromisoformat(facts["at"]),
        message=about,
        recipient=facts.get("recipient", ""),
        hard=facts.get("hard", False),
        reason_class=facts.get("reason_class", ""),
        reason=facts.get("reason", ""),
        data=facts.get("data", {}),
    )

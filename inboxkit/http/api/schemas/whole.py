"""Our own values on the wire, complete: what ``inboxkit.client`` makes its values from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from .inboxes import CreateInboxRequest
from .wire import Line, Listed, Moment, PageQuery, Request, Text, Wire, Words

if TYPE_CHECKING:
    from ....models import Message, Thread
    from ....values import Address

_MOST_KEYS, _MOST_IDS = 100, 100


class OpenInboxRequest(CreateInboxRequest):
    """An inbox to use: that of an address, made if it is new; without one a new address.

    Its waits see mail of the last ``since_seconds``, or from ``since``; without either, a new inbox
    sees everything and one that was there what comes from now on.
    """

    address: Annotated[Line, Field(min_length=3, max_length=320)] | None = None
    since: Moment | None = None
    since_seconds: Annotated[float, Field(ge=0, le=1e9)] | None = None


class OpenedInbox(Wire):
    """An inbox, and the moment from which its waits see mail (none: everything)."""

    address: str
    display_name: str
    metadata: Mapping[str, Any]
    since: datetime | None = None


class WholeMessagesQuery(PageQuery):
    """Which messages: by the query language, of one inbox, of one thread, or by their ids.

    ``brief``: without HTML, and of each text the first 20,000 characters.
    """

    query: Annotated[Text, Field(max_length=1_000)] = ""
    inbox: Text | None = None
    thread: Text | None = None
    ids: Annotated[Words, Field(max_length=_MOST_IDS)] = ()
    brief: bool = False


class Person(Wire):
    """An address and its display name."""

    email: str
    name: str = ""


class WholeEnvelope(Wire):
    """The SMTP envelope."""

    mail_from: str
    rcpt_to: Sequence[str]


class WholeFile(Wire):
    """A file of a message."""

    id: str
    filename: str
    safe_name: str
    content_type: str
    size: int
    sha256: str
    inline: bool
    content_id: str
    sniffed_type: str


class WholeMessage(Wire):
    """A message with all that is known of it."""

    id: str
    message_id: str
    direction: str
    inbox: str
    sender: Person
    envelope: WholeEnvelope
    received_at: datetime
    to: Sequence[Person]
    cc: Sequence[Person]
    reply_to: Sequence[Person]
    date: datetime | None = None
    subject: str
    headers: Mapping[str, str]
    text: str
    html: str
    reply_text: str
    signature: str
    visible_text: str
    preview: str
    otp: str | None = None
    link: str | None = None
    attachments: Sequence[WholeFile]
    kind: str
    auth: Mapping[str, str]
    state: str
    defects: Sequence[str]
    labels: Sequence[str]
    tag: str
    metadata: Mapping[str, str]
    thread_id: str
    thread_reason: str
    participant: bool
    in_reply_to: str
    references: Sequence[str]
    size: int
    answers: WholeMessage | None = None

    def characters(self) -> int:
        """Return how long its words are together, with those of what it answers."""
        words = (self.text, self.html, self.reply_text, self.visible_text)
        return sum(map(len, words)) + (self.answers.characters() if self.answers else 0)


class WholeMessagesResponse(Listed):
    """A page of messages, newest first."""

    messages: Sequence[WholeMessage]

    def characters(self) -> int:
        """Return how long the words of its messages are together."""
        return sum(one.characters() for one in self.messages)

    def pieces(self) -> Iterator[bytes]:
        """Iterate over the JSON, a message at a time."""
        return self._with_items("messages", self.messages)


class ThreadState(Wire):
    """What handlers keep of a conversation, and whom it is with."""

    thread_id: str
    inbox: str
    subject: str
    participants: Sequence[Person]
    waiting_since: datetime | None = None
    reminders: int
    state: Mapping[str, Any]


def _few(state: Mapping[str, Any]) -> Mapping[str, Any]:
    if len(state) > _MOST_KEYS:
        raise ValueError(f"has more than {_MOST_KEYS} keys")
    return state


class UpdateThreadStateRequest(Request):
    """What to merge into a thread's state."""

    state: Annotated[Mapping[Text, Any], AfterValidator(_few)] = Field(
        default_factory=dict[str, Any]
    )


_SAME = (
    *("id", "message_id", "inbox", "received_at", "date", "subject", "headers", "text", "html"),
    *("reply_text", "signature", "visible_text", "preview", "state", "defects", "tag", "metadata"),
    *("thread_id", "thread_reason", "participant", "in_reply_to", "references", "size"),
)


def whole(message: Message, forbidden: Collection[str] = ()) -> WholeMessage:
    """Return a message for the wire; what it answers is left out with a label of ``forbidden``."""
    answers = message.answers
    shown = answers is not None and answers.labels.isdisjoint(forbidden)
    files = [
        WholeFile(**{n: getattr(f, n) for n in WholeFile.model_fields}) for f in message.attachments
    ]
    return WholeMessage(
        **{name: getattr(message, name) for name in _SAME},
        direction=str(message.direction),
        sender=_person(message.sender),
        envelope=WholeEnvelope(
            mail_from=message.envelope.mail_from, rcpt_to=message.envelope.rcpt_to
        ),
        to=people(message.to),
        cc=people(message.cc),
        reply_to=people(message.reply_to),
        otp=None if message.otp is None else str(message.otp),
        link=None if message.link is None else str(message.link),
        attachments=files,
        kind=str(message.kind),
        auth=asdict(message.auth),
        labels=sorted(message.labels),
        answers=whole(answers) if answers is not None and shown else None,
    )


def thread_state(thread: Thread) -> ThreadState:
    """Return a thread for the wire."""
    return ThreadState(
        thread_id=thread.id,
        inbox=thread.inbox,
        subject=thread.subject,
        participants=people(thread.participants),
        waiting_since=thread.waiting_since,
        reminders=thread.reminders,
        state=thread.state,
    )


def people(addresses: Sequence[Address]) -> list[Person]:
    """Return addresses with their names apart."""
    return [_person(address) for address in addresses]


def _person(address: Address) -> Person:
    return Person(email=address.email, name=address.name)

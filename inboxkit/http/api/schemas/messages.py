"""Messages on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from ....parsing.model import Reply
from ....parsing.reply import split_reply
from ..targets import shown_inbox_id, shown_message_id
from .attachments import Attachment, SendAttachment, of_message
from .wire import (
    Addresses,
    Labels,
    Line,
    Listed,
    Moment,
    Name,
    PageQuery,
    Request,
    Stamp,
    Text,
    Wire,
    Words,
)

if TYPE_CHECKING:
    from ....models import Message as OurMessage
    from ....store.records import Shown
    from ....values import Address

_MOST_GOT, _MOST_UPDATED = 500, 50


class HiddenQuery(PageQuery):
    """Which of the messages that lists leave out are wanted all the same."""

    labels: Words = ()
    before: Moment | None = None
    after: Moment | None = None
    include_spam: bool = False
    include_blocked: bool = False
    include_unauthenticated: bool = False
    include_trash: bool = False

    def included(self) -> dict[str, bool]:
        """Return the flags by label."""
        return {
            "spam": self.include_spam,
            "blocked": self.include_blocked,
            "unauthenticated": self.include_unauthenticated,
            "trash": self.include_trash,
        }


class ListMessagesQuery(HiddenQuery):
    """Which messages: all given values of ``from``, ``to`` and ``subject`` must be contained."""

    from_: Words = Field(default=(), alias="from")
    to: Words = ()
    subject: Words = ()


class SendOptions(Request):
    """What inboxkit does with a send beyond AgentMail's API; see ``Inbox.send``.

    ``template`` is one that is stored at the provider, ``recipient_variables`` are by address.
    ``quote`` is whether an answer quotes what it answers, ``everyone`` whether it goes to all.
    What is not known is refused, as no SDK of AgentMail's has it: it can only be misspelt.
    """

    model_config = ConfigDict(extra="forbid")
    tag: Annotated[Line, Field(max_length=256)] = ""
    metadata: Mapping[Name, Text] = Field(default_factory=dict[str, str], max_length=100)
    key: Annotated[Line, Field(min_length=1, max_length=256)] | None = None
    at: Moment | None = None
    track_clicks: bool | None = None
    template: Annotated[Line, Field(max_length=256)] = ""
    variables: Mapping[Line, Text] = Field(default_factory=dict[str, str], max_length=1_000)
    recipient_variables: Mapping[Line, Mapping[Line, Text]] = Field(
        default_factory=dict[str, Mapping[str, str]], max_length=10_000
    )
    quote: bool = True
    everyone: bool = False


def _with_null(schema: dict[str, Any]) -> None:
    """Describe that every field may be null: it is then one that is not given."""
    for name, field in schema["properties"].items():
        if {"type": "null"} not in field.get("anyOf", ()):
            schema["properties"][name] = {"anyOf": [field, {"type": "null"}]}


class ComposeRequest(Request):
    """What every mail to send has. ``send_at``, as drafts have it, is ``inboxkit.at``."""

    model_config = ConfigDict(json_schema_extra=_with_null)
    labels: Labels = ()
    reply_to: Addresses = ()
    text: Text | None = None
    html: Text | None = None
    attachments: Annotated[Sequence[SendAttachment], Field(max_length=1_000)] = ()
    headers: Mapping[Line, Text] = Field(default_factory=dict[str, str])
    track_opens: bool | None = None
    send_at: Moment | None = None
    inboxkit: SendOptions = SendOptions()

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, data: Any) -> Any:
        """A field that is null is one that is not given."""
        if isinstance(data, dict):
            return {k: v for k, v in data.items() if v is not None}  # pyright: ignore[reportUnknownVariableType] - JSON
        return data

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if self.send_at is not None and self.inboxkit.at not in (None, self.send_at):
            raise ValueError("send_at: is another time than inboxkit.at; give one")
        return self


class SendMessageRequest(ComposeRequest):
    """A mail to send, or the words to forward another with."""

    to: Addresses = ()
    cc: Addresses = ()
    bcc: Addresses = ()
    subject: Line | None = None


class ReplyToMessageRequest(ComposeRequest):
    """An answer. It goes to Reply-To or From, or to whom it names, or to everybody."""

    to: Addresses = ()
    cc: Addresses = ()
    bcc: Addresses = ()
    reply_all: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> ReplyToMessageRequest:
        if self.reply_all and (self.to or self.cc or self.bcc):
            raise ValueError("reply_all: cannot be combined with to, cc or bcc")
        return self


class ReplyAllMessageRequest(ComposeRequest):
    """An answer to everybody."""


class UpdateMessageRequest(Request):
    """Labels to add and to remove; what is in both is removed."""

    add_labels: Labels | None = None
    remove_labels: Labels | None = None

    @model_validator(mode="after")
    def _says_something(self) -> UpdateMessageRequest:
        if not self.add_labels and not self.remove_labels:
            raise ValueError("give at least one of add_labels, remove_labels")
        return self


class BatchGetMessagesRequest(Request):
    """Which messages to return."""

    message_ids: Annotated[Sequence[Text], Field(min_length=1, max_length=_MOST_GOT)]


class BatchUpdateMessagesRequest(UpdateMessageRequest):
    """Which messages to label."""

    message_ids: Annotated[Sequence[Text], Field(min_length=1, max_length=_MOST_UPDATED)]


class Extra(Wire):
    """What inboxkit knows beside the fields of AgentMail."""

    id: str
    direction: str
    kind: str
    state: str
    thread_reason: str | None = None
    participant: bool
    tag: str | None = None
    metadata: Mapping[str, Any] | None = None
    otp: str | None = None
    link: str | None = None
    auth: Mapping[str, str] | None = None
    signature: str | None = None
    visible_text: str | None = None
    defects: Sequence[str] | None = None


class MessageItem(Wire):
    """A message in a list."""

    inbox_id: str
    thread_id: str
    message_id: str
    labels: Sequence[str]
    timestamp: Stamp
    from_: str = Field(alias="from")
    to: Sequence[str]
    cc: Sequence[str] | None = None
    bcc: Sequence[str] | None = None
    subject: str | None = None
    preview: str | None = None
    attachments: Sequence[Attachment] | None = None
    in_reply_to: str | None = None
    references: Sequence[str] | None = None
    headers: Mapping[str, str] | None = None
    size: int
    updated_at: Stamp
    created_at: Stamp
    inboxkit: Extra


class Message(MessageItem):
    """A message with its words."""

    reply_to: Sequence[str] | None = None
    text: str | None = None
    html: str | None = None
    extracted_text: str | None = None
    extracted_html: str | None = None

    def characters(self) -> int:
        """Return how long its words are together."""
        words = (self.text, self.html, self.extracted_text, self.extracted_html)
        return sum(len(text or "") for text in words)


class Highlights(Wire):
    """Where the words of a search stand, between ``**``; only fields that have some."""

    from_: Sequence[str] | None = Field(default=None, alias="from")
    recipients: Sequence[str] | None = None
    subject: Sequence[str] | None = None
    text: Sequence[str] | None = None


class SearchMessageItem(MessageItem):
    """A message that a search has found."""

    highlights: Highlights | None = None


class ListMessagesResponse(Listed):
    """A page of messages, newest first."""

    messages: Sequence[MessageItem]


class SearchMessagesResponse(Listed):
    """A page of what a search has found, newest first."""

    messages: Sequence[SearchMessageItem]


class SentExtra(Wire):
    """What inboxkit says of a send beside the fields of AgentMail."""

    id: str


class SendMessageResponse(Wire):
    """A mail that is on its way."""

    message_id: str
    thread_id: str
    inboxkit: SentExtra | None = None


class UpdateMessageResponse(Wire):
    """A message's labels as they are now."""

    message_id: str
    labels: Sequence[str]


class BatchGetMessagesResponse(Wire):
    """The messages that were found, without their words; ``limit`` is how many were asked for."""

    limit: int
    count: int
    messages: Sequence[MessageItem]


class BatchUpdateMessagesResponse(Wire):
    """The messages that were labelled; ``limit`` is how many were asked for."""

    limit: int
    count: int
    updates: Sequence[UpdateMessageResponse]


class RawMessageResponse(Wire):
    """Where to download a message's bytes, for an hour, without a key."""

    message_id: str
    size: int
    download_url: str
    expires_at: Stamp


def item(shown: Shown) -> MessageItem:
    """Return a message for a list."""
    return MessageItem(**_fields(shown), inboxkit=_extra(shown.message))


def search_item(shown: Shown, highlights: Highlights | None) -> SearchMessageItem:
    """Return a message that a search has found."""
    extra = _extra(shown.message)
    return SearchMessageItem(**_fields(shown), inboxkit=extra, highlights=highlights)


def message(shown: Shown, new: Reply | None = None) -> Message:
    """Return a message with its words; ``new`` are its new words where they are known already."""
    found = shown.message
    new = new or new_words(shown)
    more: dict[str, Any] = {
        "signature": found.signature or None,
        "visible_text": found.visible_text or None,
        "defects": found.defects or None,
    }
    words: dict[str, Any] = {
        "reply_to": people(found.reply_to) or None,
        "text": found.text or None,
        "html": found.html or None,
        "extracted_text": new.text or None,
        "extracted_html": new.html or None,
        "headers": found.headers or None,
    }
    return Message(**_fields(shown) | words, inboxkit=_extra(found).model_copy(update=more))


def new_words(shown: Shown) -> Reply:
    """Return a message without what it quotes; of what we sent that is known only by looking."""
    found = shown.message
    if found.direction == "inbound" or not found.in_reply_to:
        return Reply(found.reply_text, html=shown.reply_html)
    return split_reply(found.text, found.html)


def people(addresses: Sequence[Address]) -> list[str]:
    """Return addresses as the wire has them: ``Ann <ann@example.com>``."""
    return [str(address) for address in addresses]


def _fields(shown: Shown) -> dict[str, Any]:
    found = shown.message
    return {
        "inbox_id": shown_inbox_id(found.inbox),
        "thread_id": found.thread_id,
        "message_id": shown_message_id(shown.name),
        "labels": sorted(shown.labels),
        "timestamp": found.received_at,
        "from_": str(found.sender),
        "to": people(found.to),
        "cc": people(found.cc) or None,
        "bcc": people(shown.bcc) or None,
        "subject": found.subject or None,
        "preview": found.preview or None,
        "attachments": [of_message(file) for file in found.attachments] or None,
        "in_reply_to": found.in_reply_to or None,
        "references": found.references or None,
        "size": found.size,
        "updated_at": shown.updated_at,
        "created_at": shown.created_at,
    }


def _extra(found: OurMessage) -> Extra:
    auth = found.auth
    return Extra(
        id=found.id,
        direction=found.direction,
        kind=found.kind,
        state=found.state,
        thread_reason=found.thread_reason or None,
        participant=found.participant,
        tag=found.tag or None,
        metadata=found.metadata or None,
        otp=None if found.otp is None else str(found.otp),
        link=None if found.link is None else str(found.link),
        auth={
            "spf": auth.spf,
            "dkim": auth.dkim,
            "dmarc": auth.dmarc,
            "domain": auth.domain,
            "reason": auth.reason,
        },
    )

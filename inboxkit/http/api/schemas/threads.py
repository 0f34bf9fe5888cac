"""Threads on the wire."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ....tokens import public_id
from ....values import Address
from ..targets import shown_inbox_id, shown_message_id
from .attachments import Attachment, of_thread
from .messages import HiddenQuery, Highlights, Message, UpdateMessageRequest
from .wire import Listed, Request, Stamp, Text, Wire, Words

if TYPE_CHECKING:
    from ....store.conversations import Conversation


class ListThreadsQuery(HiddenQuery):
    """Which threads: all given senders, recipients and parts of a subject must be contained."""

    senders: Words = ()
    recipients: Words = ()
    subject: Words = ()


class GetThreadQuery(Request):
    """Which page of a thread's messages; the first has the newest."""

    limit: int = Field(default=50, ge=1, le=100)
    page_token: Text | None = None


class UpdateThreadRequest(UpdateMessageRequest):
    """Labels to add to all messages of a thread, and to remove from them."""


class ThreadItem(Wire):
    """A thread in a list."""

    inbox_id: str
    thread_id: str
    labels: Sequence[str]
    timestamp: Stamp
    received_timestamp: Stamp | None = None
    sent_timestamp: Stamp | None = None
    senders: Sequence[str]
    recipients: Sequence[str]
    subject: str | None = None
    preview: str | None = None
    attachments: Sequence[Attachment] | None = None
    last_message_id: str
    message_count: int
    size: int
    updated_at: Stamp
    created_at: Stamp


class Thread(ThreadItem):
    """A thread with a page of its messages, oldest first on the page."""

    count: int
    limit: int | None = None
    next_page_token: str | None = None
    messages: Sequence[Message]

    def characters(self) -> int:
        """Return how long the words of its messages are together."""
        return sum(one.characters() for one in self.messages)

    def pieces(self) -> Iterator[bytes]:
        """Iterate over the JSON, a message at a time."""
        return self._with_items("messages", self.messages)


class SearchThreadItem(ThreadItem):
    """A thread that a search has found, by its newest message that matches."""

    highlights: Highlights | None = None


class ListThreadsResponse(Listed):
    """A page of threads, newest first."""

    threads: Sequence[ThreadItem]


class SearchThreadsResponse(Listed):
    """A page of what a search has found, newest first."""

    threads: Sequence[SearchThreadItem]


class UpdateThreadResponse(Wire):
    """A thread's labels as they are now."""

    thread_id: str
    labels: Sequence[str]


def fields(found: Conversation) -> dict[str, Any]:
    """Return what lists and single threads have in common."""
    return {
        "inbox_id": shown_inbox_id(found.inbox),
        "thread_id": public_id("thd", found.id),
        "labels": sorted(found.labels),
        "timestamp": found.last_at,
        "received_timestamp": found.received_at,
        "sent_timestamp": found.sent_at,
        "senders": _people(found.senders),
        "recipients": _people(found.recipients),
        "subject": found.subject or None,
        "preview": found.preview or None,
        "attachments": [of_thread(file) for file in found.files] or None,
        "last_message_id": shown_message_id(found.last_message),
        "message_count": found.message_count,
        "size": found.size,
        "updated_at": found.updated_at,
        "created_at": found.created_at,
    }


def _people(pairs: Sequence[Sequence[str]]) -> list[str]:
    return [str(Address(email, name)) for email, name in pairs]

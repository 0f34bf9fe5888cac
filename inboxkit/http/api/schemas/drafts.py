"""Drafts on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from ....tokens import public_id
from ..preconditions import etag
from ..targets import shown_inbox_id, shown_message_id
from .attachments import Attachment, SendAttachment
from .wire import (
    Addresses,
    Labels,
    Line,
    Listed,
    Moment,
    PageQuery,
    Request,
    Stamp,
    Text,
    Wire,
    Words,
)

if TYPE_CHECKING:
    from ....store.drafts import DraftFile, DraftRecord


class ListDraftsQuery(PageQuery):
    """Which drafts: all given labels must be there; the moments are those of the last change."""

    labels: Words = ()
    before: Moment | None = None
    after: Moment | None = None


class _DraftRequest(Request):
    """What a draft may say."""

    to: Addresses | None = None
    cc: Addresses | None = None
    bcc: Addresses | None = None
    reply_to: Addresses | None = None
    subject: Line | None = None
    text: Text | None = None
    html: Text | None = None
    send_at: Moment | None = None


class DraftOptions(Request):
    """What inboxkit does with a draft beyond AgentMail's API: ``key`` is that of its send."""

    model_config = ConfigDict(extra="forbid")
    key: Annotated[Line, Field(min_length=1, max_length=256)] | None = None


class CreateDraftRequest(_DraftRequest):
    """A draft: a new mail, an answer (``in_reply_to``), or a mail sent on (``forward_of``)."""

    labels: Labels | None = None
    attachments: Sequence[SendAttachment] | None = None
    in_reply_to: Text | None = None
    forward_of: Text | None = None
    reply_all: bool | None = None
    client_id: Line | None = None
    inboxkit: DraftOptions = DraftOptions()

    @model_validator(mode="after")
    def _one_kind(self) -> CreateDraftRequest:
        if self.in_reply_to and self.forward_of:
            raise ValueError("give one of in_reply_to and forward_of")
        if self.reply_all and not self.in_reply_to:
            raise ValueError("reply_all: needs in_reply_to")
        if self.reply_all and (self.to or self.cc or self.bcc):
            raise ValueError("reply_all: cannot be combined with to, cc or bcc")
        return self


class UpdateDraftRequest(_DraftRequest):
    """What changes; null clears a field, and takes ``send_at`` back."""

    add_attachments: Sequence[SendAttachment] | None = None
    remove_attachments: Sequence[Text] | None = None
    add_labels: Labels | None = None
    remove_labels: Labels | None = None


class SendDraftRequest(Request):
    """Labels to add to the message, and of the draft's to leave out."""

    add_labels: Labels | None = None
    remove_labels: Labels | None = None


class DraftExtra(Wire):
    """What inboxkit knows beside the fields of AgentMail."""

    error: str | None = None
    tag: str | None = None


class DraftItem(Wire):
    """A draft in a list."""

    inbox_id: str
    draft_id: str
    labels: Sequence[str]
    to: Sequence[str] | None = None
    cc: Sequence[str] | None = None
    bcc: Sequence[str] | None = None
    subject: str | None = None
    preview: str | None = None
    attachments: Sequence[Attachment] | None = None
    in_reply_to: str | None = None
    forward_of: str | None = None
    send_status: str | None = None
    send_at: Stamp | None = None
    updated_at: Stamp
    inboxkit: DraftExtra | None = None


class Draft(DraftItem):
    """A draft with its words."""

    client_id: str | None = None
    reply_to: Sequence[str] | None = None
    text: str | None = None
    html: str | None = None
    references: Sequence[str] | None = None
    created_at: Stamp

    def characters(self) -> int:
        """Return how long its words are together."""
        return len(self.text or "") + len(self.html or "")

    def http_headers(self) -> Mapping[str, str]:
        """Return the version of the draft, for If-Match."""
        return {"ETag": etag(self.updated_at)}


class ListDraftsResponse(Listed):
    """A page of drafts, newest first."""

    drafts: Sequence[DraftItem]


def item(record: DraftRecord) -> DraftItem:
    """Return a draft for a list."""
    return DraftItem(**_fields(record))


def draft(record: DraftRecord) -> Draft:
    """Return a draft with its words."""
    return Draft(
        **_fields(record),
        client_id=record.client_id,
        reply_to=record.reply_to or None,
        text=record.text or None,
        html=record.html or None,
        references=record.references or None,
        created_at=record.created_at,
    )


def file(found: DraftFile) -> Attachment:
    """Return a draft's file for the wire."""
    return Attachment(
        attachment_id=public_id("att", found.id),
        filename=found.filename or None,
        size=found.size,
        content_type=found.content_type or None,
        content_disposition="inline" if found.content_id else "attachment",
        content_id=found.content_id or None,
    )


def _fields(record: DraftRecord) -> dict[str, Any]:
    extra = DraftExtra(error=record.error or None, tag=record.extra.get("tag") or None)
    return {
        "inbox_id": shown_inbox_id(record.inbox),
        "draft_id": public_id("drf", record.id),
        "labels": sorted({*record.labels, *([record.send_status] if record.send_at else [])}),
        "to": record.to or None,
        "cc": record.cc or None,
        "bcc": record.bcc or None,
        "subject": record.subject or None,
        "preview": record.preview or None,
        "attachments": [file(one) for one in record.files] or None,
        "in_reply_to": shown_message_id(record.in_reply_to) or None,
        "forward_of": shown_message_id(record.forward_of) or None,
        "send_status": record.send_status or None,
        "send_at": record.send_at,
        "updated_at": record.updated_at,
        "inboxkit": extra if extra.error or extra.tag else None,
    }

"""Inboxes on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from ..targets import shown_inbox_id
from .wire import ClientId, Line, Listed, Name, Request, Stamp, Text, Wire

if TYPE_CHECKING:
    from ....store.inboxes import InboxRecord

_MOST_KEYS = 100

Status = Literal["active", "paused"]
DraftPolicy = Literal["auto", "draft", "deny"]


def _plain(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Refuse in one sentence what is none of the kinds, instead of in one for each."""
    try:
        return read(value)
    except ValidationError:
        is_text = isinstance(value, str)
        why = "holds a NUL character" if is_text else "is no text, number, true or false"
        raise ValueError(why) from None


Value = Annotated[Text | bool | int | float, WrapValidator(_plain)]


def _few(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    if len(metadata) > _MOST_KEYS:
        raise ValueError(f"has more than {_MOST_KEYS} keys")
    return metadata


class CreateInboxRequest(Request):
    """What a new inbox is to be; without a username it gets a random one."""

    username: Annotated[Line, Field(min_length=1, max_length=64)] | None = None
    domain: Annotated[Line, Field(min_length=1, max_length=255)] | None = None
    display_name: Name | None = None
    client_id: ClientId | None = None
    status: Status | None = None
    metadata: Annotated[Mapping[Name, Value], AfterValidator(_few)] | None = None


class UpdateInboxRequest(Request):
    """What changes. A null in ``metadata`` deletes its key, null as ``metadata`` all of them."""

    display_name: Name | None = None
    status: Status | None = None
    metadata: Annotated[Mapping[Name, Value | None], AfterValidator(_few)] | None = None
    draft_policy: DraftPolicy | None = None

    @model_validator(mode="after")
    def _says_something(self) -> UpdateInboxRequest:
        if not self.model_fields_set & set(UpdateInboxRequest.model_fields):
            raise ValueError("give at least one of display_name, status, metadata, draft_policy")
        if self.metadata is not None and not self.metadata:
            raise ValueError("metadata: is empty; null clears it")
        return self


class SearchInboxesQuery(Request):
    """The beginnings of words in an address or a display name."""

    q: Annotated[Text, Field(min_length=2, max_length=256)]
    limit: int = Field(default=20, ge=1, le=100)
    page_token: Text | None = None


class InboxExtra(Wire):
    """What inboxkit knows beside the fields of AgentMail."""

    draft_policy: DraftPolicy


class Inbox(Wire):
    """An inbox. Its id is its address."""

    pod_id: str
    inbox_id: str
    email: str
    display_name: str | None = None
    client_id: str | None = None
    status: str | None = None
    metadata: Mapping[str, Any] | None = None
    updated_at: Stamp
    created_at: Stamp
    inboxkit: InboxExtra | None = None


class ListInboxesResponse(Listed):
    """A page of inboxes."""

    inboxes: Sequence[Inbox]


def inbox(record: InboxRecord) -> Inbox:
    """Return an inbox for the wire."""
    return Inbox(
        pod_id=record.pod_id,
        inbox_id=shown_inbox_id(record.address),
        email=record.address,
        display_name=record.display_name or None,
        client_id=record.client_id,
        status=None if record.status == "active" else record.status,
        metadata=record.metadata or None,
        updated_at=record.updated_at,
        created_at=record.created_at,
        inboxkit=_extra(record),
    )


def _extra(record: InboxRecord) -> InboxExtra | None:
    if record.draft_policy == "auto":
        return None
    return InboxExtra.model_validate({"draft_policy": record.draft_policy})

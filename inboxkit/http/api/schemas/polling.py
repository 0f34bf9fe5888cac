"""Polling webhooks on the wire, and what reading one returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..targets import shown_inbox_id
from .events import Event, EventTypes, Ids
from .wire import ClientId, Listed, Request, Stamp, Text, Wire

if TYPE_CHECKING:
    from ....store.subscriptions import SubscriptionRecord


class CreatePollingWebhookRequest(Request):
    """Which events to keep; one of ``inbox_ids`` and ``pod_ids`` that matches is enough."""

    client_id: ClientId
    event_types: Annotated[EventTypes, Field(min_length=1)]
    inbox_ids: Ids = ()
    pod_ids: Ids = ()


class PollingWebhook(Wire):
    """A subscription that is polled."""

    webhook_id: str
    client_id: str
    event_types: Sequence[str]
    pod_ids: Sequence[str] | None = None
    inbox_ids: Sequence[str] | None = None
    pod_id: str | None = None
    inbox_id: str | None = None
    updated_at: Stamp
    created_at: Stamp


class CreatePollingWebhookResponse(PollingWebhook):
    """The subscription with the token that reads it."""

    token: str


class ListPollingWebhooksResponse(Listed):
    """A page of subscriptions, newest first."""

    polling_webhooks: Sequence[PollingWebhook]


class PollQuery(Request):
    """What to read: ``iterator``, that of the last answer, acknowledges what that had.

    Without it, what was not acknowledged comes once more. ``wait`` is how many seconds to wait for
    the first event.
    """

    iterator: Text | None = None
    limit: int = Field(default=50, ge=1, le=100)
    wait: float = Field(default=0, ge=0, le=60)


class Polled(Wire):
    """Events in order. ``done``: there are no more now."""

    data: Sequence[Event]
    iterator: str
    done: bool


def polling_webhook(record: SubscriptionRecord, addresses: Mapping[int, str]) -> PollingWebhook:
    """Return a subscription for the wire; ``addresses`` are those of its ``inbox_ids``."""
    return PollingWebhook(**fields(record, addresses))


def fields(record: SubscriptionRecord, addresses: Mapping[int, str]) -> dict[str, Any]:
    """Return what is shown of a subscription."""
    named = [shown_inbox_id(addresses[row]) for row in record.inbox_ids if row in addresses]
    return {
        "webhook_id": record.public_id,
        "client_id": record.client_id,
        "event_types": record.event_types,
        "pod_ids": record.pod_ids or None,
        "inbox_ids": named or None,
        "pod_id": record.pod_id,
        "inbox_id": None if record.inbox is None else shown_inbox_id(record.inbox),
        "updated_at": record.updated_at,
        "created_at": record.created_at,
    }

"""Labels that came and went, on the wire."""

from __future__ import annotations

from collections.abc import Sequence

from .wire import Listed, Stamp, Wire


class InboxEvent(Wire):
    """A label that was added to a message or removed from it."""

    organization_id: str
    pod_id: str
    inbox_id: str
    event_id: str
    event_type: str
    message_id: str
    label: str
    event_at: Stamp
    created_at: Stamp


class ListInboxEventsResponse(Listed):
    """A page of an inbox's label events, newest first."""

    events: Sequence[InboxEvent]

"""Pods, the organization, and who a key belongs to, on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .wire import ClientId, Listed, Name, Request, Stamp, Wire

if TYPE_CHECKING:
    from ....store.pods import PodRecord


class CreatePodRequest(Request):
    """A pod to make."""

    name: Name | None = None
    client_id: ClientId | None = None


class Pod(Wire):
    """A tenant."""

    pod_id: str
    name: str
    updated_at: Stamp
    created_at: Stamp
    client_id: str | None = None


class ListPodsResponse(Listed):
    """A page of pods, newest first."""

    pods: Sequence[Pod]


class Identity(Wire):
    """What a key is bound to: ``scope_id`` is the narrowest of it."""

    scope_type: str
    scope_id: str
    organization_id: str
    pod_id: str | None = None
    inbox_id: str | None = None
    api_key_id: str | None = None


class Organization(Wire):
    """All that this server serves."""

    organization_id: str
    inbox_count: int
    domain_count: int
    updated_at: Stamp
    created_at: Stamp


def pod(record: PodRecord) -> Pod:
    """Return a pod for the wire."""
    return Pod(
        pod_id=record.id,
        name=record.name,
        updated_at=record.updated_at,
        created_at=record.created_at,
        client_id=record.client_id,
    )

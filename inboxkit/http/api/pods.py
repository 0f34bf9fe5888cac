"""Pods, the tenants; and what a key belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...store import inboxes, pods
from ...store.api_tables import DEFAULT_POD
from ...tokens import public_id
from .access import ORGANIZATION
from .envelope import ApiError, not_found
from .routing import Route
from .schemas.pods import CreatePodRequest, Identity, ListPodsResponse, Organization, Pod, pod
from .schemas.wire import Nothing, PageQuery
from .targets import shown_inbox_id

if TYPE_CHECKING:
    from .call import Call


async def create(call: Call[CreatePodRequest]) -> Pod:
    """Make a pod; the same ``client_id`` returns the same pod."""
    if call.reach.pod_id is not None:
        raise ApiError("forbidden", "A key that is bound to a pod makes no others")
    name = call.given.name or "pod"
    return pod(
        await call.store.write(pods.create, name=name, client_id=call.given.client_id, now=call.now)
    )


async def listed(call: Call[PageQuery]) -> ListPodsResponse:
    """List pods, newest first."""
    page = call.by_id("pods", call.given)
    found = await call.store.read_at_length(pods.listed, call.reach, page)
    items, fields = call.cut("pods", page, found, lambda record: [record.id])
    return ListPodsResponse(pods=[pod(record) for record in items], **fields)


async def get(call: Call[Nothing]) -> Pod:
    """Return a pod."""
    if call.pod is None:
        raise not_found("Pod", "")
    return pod(call.pod)


async def delete(call: Call[Nothing]) -> None:
    """Delete a pod without inboxes, and its keys."""
    name = call.name("pod_id")
    if not await call.store.write(pods.remove, name):
        raise ApiError(
            "cannot_delete",
            f"Pod {name} has inboxes, domains or templates, or is the default one",
            fix="delete them",
        )


async def me(call: Call[Nothing]) -> Identity:
    """Return what the key is bound to."""
    key, who = call.who.key, call.who
    inbox = None if key is None or key.inbox is None else shown_inbox_id(key.inbox)
    kind = "inbox" if inbox else "pod" if who.pod_id else "organization"
    return Identity(
        scope_type=kind,
        scope_id=inbox or who.pod_id or ORGANIZATION,
        organization_id=ORGANIZATION,
        pod_id=who.pod_id,
        inbox_id=inbox,
        api_key_id=None if key is None else public_id("key", key.id),
    )


async def organization(call: Call[Nothing]) -> Organization:
    """Return how much there is."""
    first = await call.store.read(pods.find, DEFAULT_POD)
    since = call.now if first is None else first.created_at
    return Organization(
        organization_id=ORGANIZATION,
        inbox_count=await call.store.read_at_length(inboxes.count, call.reach),
        domain_count=await call.store.read_at_length(pods.domains, call.reach),
        updated_at=since,
        created_at=since,
    )


ROUTES = (
    Route("POST", "/pods", create, CreatePodRequest, Pod, "pod_create"),
    Route("GET", "/pods", listed, PageQuery, ListPodsResponse, "pod_read"),
    Route("GET", "/pods/{pod_id}", get, Nothing, Pod, "pod_read"),
    Route("DELETE", "/pods/{pod_id}", delete, Nothing, None, "pod_delete"),
    Route("GET", "/auth/me", me, Nothing, Identity, ""),
    Route("GET", "/organizations", organization, Nothing, Organization, ""),
)

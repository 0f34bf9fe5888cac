"""Outgoing webhooks: endpoints of all, of a pod or of an inbox; their attempts, and replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import signatures
from ...egress import BlockedTarget, Guard
from ...store import attempts, endpoints, events, inboxes
from ...store.endpoints import EndpointRecord
from ...tokens import row_id
from .envelope import ApiError, invalid
from .events import inbox_rows
from .routing import EVERYWHERE, Route
from .schemas.events import USUAL, WITHOUT_MESSAGE, names_of_type
from .schemas.webhooks import (
    AttemptsQuery,
    CreateWebhookRequest,
    HeaderNames,
    ListAttemptsResponse,
    ListWebhooksResponse,
    Replayed,
    ReplayWebhookRequest,
    UpdateHeadersRequest,
    UpdateWebhookRequest,
    Webhook,
    attempt,
    webhook,
)
from .schemas.wire import Nothing, PageQuery
from .websocket import PERMISSION, check_pods

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .call import Call

_MOST_REPLAYED = 500
_MOST_PODS, _MOST_INBOXES, _MOST_HEADERS = 10, 100, 20


async def create(call: Call[CreateWebhookRequest]) -> Webhook:
    """Make an endpoint that is told of events from now on; the same ``client_id`` returns the same.

    Its ``secret`` verifies signatures. The values of ``headers`` are never shown again.
    """
    asked = call.given
    try:
        Guard(call.parts.settings.egress_networks).check_url(asked.url)
    except BlockedTarget as error:
        raise _blocked(str(error)) from None
    check_types(call, asked.event_types)
    rows, pods = await narrowed(call, asked.inbox_ids, asked.pod_ids)
    wanted = EndpointRecord(
        pod_id=pod_of(call),
        inbox_id=call.reach.inbox_id,
        client_id=asked.client_id,
        url=asked.url,
        secret=signatures.Key.made().secret,
        event_types=asked.event_types,
        pod_ids=pods,
        inbox_ids=rows,
        forbidden=tuple(call.reach.forbidden),
        headers=dict(asked.headers or {}),
        key_id=key_of(call),
        created_at=call.now,
        updated_at=call.now,
    )
    made = await call.store.write(endpoints.create, wanted)
    return await shown(call, made.id)


def _blocked(message: str) -> ApiError:
    fix = "use a public https:// URL, or allow the network by the setting egress_networks"
    return invalid(message, "url", fix=fix)


def check_types(call: Call[Any], types: Sequence[str]) -> None:
    """Raise ApiError when events of these types show messages that the key may not read."""
    if frozenset(types or USUAL) - WITHOUT_MESSAGE and not call.who.allows(PERMISSION):
        raise ApiError("missing_permission", f"The key lacks the permission {PERMISSION}")


def key_of(call: Call[Any]) -> int | None:
    """Return the key that what a request makes ends with; None for that of the settings."""
    return None if call.who.key is None else call.who.key.id


def pod_of(call: Call[Any]) -> str | None:
    """Return the pod that what is made at the path's place belongs to."""
    if call.named is not None:
        return call.named.pod_id
    return call.reach.pod_id


async def narrowed(
    call: Call[Any], inbox_ids: Sequence[str], pod_ids: Sequence[str]
) -> tuple[Sequence[int], Sequence[str]]:
    """Return the inboxes and pods that are named; raise ApiError for one out of reach."""
    if call.reach.inbox_id is not None and (inbox_ids or pod_ids):
        raise invalid("an endpoint of an inbox is told of that inbox", "inbox_ids")
    rows = await call.store.read(inbox_rows, call.reach, inbox_ids)
    await call.store.read(check_pods, call.reach, pod_ids)
    return rows, tuple(pod_ids)


async def listed(call: Call[PageQuery]) -> ListWebhooksResponse:
    """List endpoints, newest first."""
    page = call.by_id("webhooks", call.given)
    found = await call.store.read(endpoints.listed, call.reach, page, call.now)
    items, fields = call.cut("webhooks", page, found, lambda record: [record.id])
    named = {i for record in items for i in record.inbox_ids}
    known = await call.store.read(inboxes.addresses, named)
    return ListWebhooksResponse(webhooks=[webhook(r, known) for r in items], **fields)


async def wanted(call: Call[Any]) -> EndpointRecord:
    """Return the endpoint of the path; raise ApiError 404."""
    try:
        row = row_id("ep", call.name("webhook_id"))
    except ValueError:
        raise call.unknown("Webhook", "webhook_id") from None
    found = await call.store.read(endpoints.find, call.reach, row, call.now)
    if found is None:
        raise call.unknown("Webhook", "webhook_id")
    return found


async def shown(call: Call[Any], endpoint_id: int) -> Webhook:
    """Return an endpoint for the wire; raise ApiError 404 when it was deleted meanwhile."""
    record = await call.store.read(endpoints.by_id, endpoint_id, call.now)
    if record is None:
        raise ApiError("not_found", "Webhook not found")
    return webhook(record, await call.store.read(inboxes.addresses, set(record.inbox_ids)))


async def get(call: Call[Nothing]) -> Webhook:
    """Return an endpoint."""
    return await shown(call, (await wanted(call)).id)


async def update(call: Call[UpdateWebhookRequest]) -> Webhook:
    """Change what an endpoint is told of, or switch it off and on.

    What happened while it was off is not posted later; it can be asked for by replay.
    """
    found, asked = await wanted(call), call.given
    if asked.enabled is not False:
        check_types(call, asked.event_types or found.event_types)
    values: dict[str, Any] = {}
    if asked.event_types:
        values["event_types"] = list(asked.event_types)
    if asked.enabled is not None:
        values["enabled"] = asked.enabled
        if asked.enabled:
            values |= {"forbidden": list(call.reach.forbidden), "key_id": key_of(call)}
    added, pods = await narrowed(call, asked.add_inbox_ids, asked.add_pod_ids)
    removed, _ = await narrowed(call, asked.remove_inbox_ids, ())
    values |= _choice("inbox_ids", found.inbox_ids, added, removed, _MOST_INBOXES)
    values |= _choice("pod_ids", found.pod_ids, pods, asked.remove_pod_ids, _MOST_PODS)
    await call.store.write(endpoints.change, found.id, call.now, values)
    return await shown(call, found.id)


def _choice(
    name: str, now: Sequence[Any], added: Sequence[Any], removed: Sequence[Any], most: int
) -> dict[str, Any]:
    """Return the new list of inboxes or pods; raise ApiError for one that would mean all."""
    if not added and not removed:
        return {}
    left = [one for one in dict.fromkeys((*now, *added)) if one not in removed]
    if now and not left:
        raise invalid("would leave none, which means all; delete the webhook", f"remove_{name}")
    if len(left) > most:
        raise invalid(f"would be more than {most}", f"add_{name}")
    return {name: left}


async def delete(call: Call[Nothing]) -> None:
    """Delete an endpoint; what waits for it is not posted."""
    await call.store.write(endpoints.remove, [(await wanted(call)).id])


async def get_headers(call: Call[Nothing]) -> HeaderNames:
    """Return the names of an endpoint's headers."""
    return HeaderNames(header_names=sorted((await wanted(call)).headers))


async def update_headers(call: Call[UpdateHeadersRequest]) -> None:
    """Set, replace and remove headers; their values are never shown."""
    found, asked = await wanted(call), call.given
    gone = {name.lower() for name in (*asked.remove_headers, *(asked.headers or {}))}
    kept = {name: value for name, value in found.headers.items() if name.lower() not in gone}
    headers = {**kept, **(asked.headers or {})}
    if len(headers) > _MOST_HEADERS:
        raise invalid(f"would be more than {_MOST_HEADERS}", "headers")
    await call.store.write(endpoints.change, found.id, call.now, {"headers": headers})


async def list_attempts(call: Call[AttemptsQuery]) -> ListAttemptsResponse:
    """List what was posted to an endpoint and how it answered, newest first."""
    found, asked = await wanted(call), call.given
    page = call.by_id(f"attempts-{found.id}", asked)
    rows = await call.store.read_at_length(
        attempts.listed,
        found.id,
        page,
        event_seq=None if asked.event_id is None else _seq(asked.event_id),
        failed=asked.failed,
    )
    items, fields = call.cut(f"attempts-{found.id}", page, rows, lambda record: [record.id])
    shown = [attempt(r, None if r.type is None else names_of_type(r.type)) for r in items]
    return ListAttemptsResponse(attempts=shown, **fields)


def _seq(event_id: str) -> int:
    try:
        return events.cursor_seq(event_id)
    except ValueError:
        raise invalid("is no event_id", "event_id") from None


async def replay(call: Call[ReplayWebhookRequest]) -> Replayed:
    """Post events once more, signed anew: some, or all that were not taken since a moment.

    At most 500 at a time; the answer says how many.
    """
    found, asked = await wanted(call), call.given
    check_types(call, ())  # any event may be asked for by its id
    if not found.enabled:
        raise ApiError("unprocessable", "The webhook is disabled", fix="enable it first")
    if asked.failed_since is None:
        seqs: Sequence[int] = [_seq(one) for one in asked.event_ids]
    else:
        seqs = await call.store.read_at_length(
            attempts.lost, found.id, asked.failed_since, limit=_MOST_REPLAYED
        )
    allowed = await call.store.read(endpoints.reachable, found, seqs)
    done = await call.store.write(endpoints.give_again, found.id, allowed, call.now)
    return Replayed(replayed=done, under_way=len(allowed) - done)


_LIST, _ITEM, _AT = "/webhooks", "/webhooks/{webhook_id}", EVERYWHERE
_HEADERS = f"{_ITEM}/headers"
_READ, _UPDATE = "webhook_read", "webhook_update"
ROUTES: tuple[Route[Any], ...] = (
    Route("POST", _LIST, create, CreateWebhookRequest, Webhook, "webhook_create", _AT),
    Route("GET", _LIST, listed, PageQuery, ListWebhooksResponse, _READ, _AT),
    Route("GET", _ITEM, get, Nothing, Webhook, _READ, _AT),
    Route("PATCH", _ITEM, update, UpdateWebhookRequest, Webhook, _UPDATE, _AT),
    Route("DELETE", _ITEM, delete, Nothing, None, "webhook_delete", _AT),
    Route("GET", _HEADERS, get_headers, Nothing, HeaderNames, _READ, _AT),
    Route("PATCH", _HEADERS, update_headers, UpdateHeadersRequest, None, _UPDATE, _AT),
    Route(
        "GET", f"{_ITEM}/attempts", list_attempts, AttemptsQuery, ListAttemptsResponse, _READ, _AT
    ),
    Route("POST", f"{_ITEM}/replay", replay, ReplayWebhookRequest, Replayed, _UPDATE, _AT),
)

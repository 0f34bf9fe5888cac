"""Polling: events for an agent without a URL of its own, read by a token from where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from ...store import events, inboxes, subscriptions
from ...store.reach import Reach
from ...store.subscriptions import Scope, SubscriptionRecord
from . import input
from .access import bearer
from .envelope import ApiError
from .events import first, place, shown
from .live import Wish
from .routing import EVERYWHERE, Route
from .schemas.polling import (
    CreatePollingWebhookRequest,
    CreatePollingWebhookResponse,
    ListPollingWebhooksResponse,
    Polled,
    PollingWebhook,
    PollQuery,
    fields,
    polling_webhook,
)
from .schemas.wire import Nothing, PageQuery
from .webhooks import check_types, key_of, narrowed, pod_of

if TYPE_CHECKING:
    from asyncio import BaseTransport
    from collections.abc import Awaitable, Callable, Mapping

    from ..parts import Parts
    from .call import Call

PATH = "/polling"


async def create(call: Call[CreatePollingWebhookRequest]) -> CreatePollingWebhookResponse:
    """Subscribe to events from now on; return the token that reads them, shown only here.

    The same ``client_id`` returns the same subscription, where it stands, with a new token. Read
    at ``GET /v0/polling``.
    """
    asked = call.given
    check_types(call, asked.event_types)
    rows, pods = await narrowed(call, asked.inbox_ids, asked.pod_ids)
    wanted = SubscriptionRecord(
        pod_id=pod_of(call),
        inbox_id=call.reach.inbox_id,
        client_id=asked.client_id,
        event_types=asked.event_types,
        pod_ids=pods,
        inbox_ids=rows,
        forbidden=tuple(call.reach.forbidden),
        key_id=key_of(call),
        created_at=call.now,
        updated_at=call.now,
    )
    made = await call.store.write(subscriptions.create, _scope(call), wanted)
    if made is None:
        raise ApiError("limit_exceeded", "There are ten polling webhooks of this place already")
    found, token = made
    return CreatePollingWebhookResponse(**fields(found, await _addresses(call, found)), token=token)


def _scope(call: Call[Any]) -> Scope:
    return Scope(call.reach.pod_id, call.reach.inbox_id)


async def _addresses(call: Call[Any], *records: SubscriptionRecord) -> Mapping[int, str]:
    named = {row for record in records for row in record.inbox_ids}
    return await call.store.read(inboxes.addresses, named)


async def listed(call: Call[PageQuery]) -> ListPollingWebhooksResponse:
    """List the subscriptions that were made at this place, newest first."""
    page = call.by_id("polling", call.given)
    found = await call.store.read(subscriptions.listed, _scope(call), page)
    items, more = call.cut("polling", page, found, lambda record: [record.id])
    known = await _addresses(call, *items)
    said = [polling_webhook(record, known) for record in items]
    return ListPollingWebhooksResponse(polling_webhooks=said, **more)


async def _wanted(call: Call[Any]) -> SubscriptionRecord:
    """Return the subscription of the path, by its id or ``client_id``; raise ApiError 404."""
    found = await call.store.read(subscriptions.find, _scope(call), call.name("webhook_id"))
    if found is None:
        raise call.unknown("Polling webhook", "webhook_id")
    return found


async def get(call: Call[Nothing]) -> PollingWebhook:
    """Return a subscription without its token."""
    found = await _wanted(call)
    return polling_webhook(found, await _addresses(call, found))


async def delete(call: Call[Nothing]) -> None:
    """Delete a subscription; its token reads nothing any more."""
    await call.store.write(subscriptions.remove, (await _wanted(call)).id)


def route(parts: Parts) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler that reads the events of a token."""

    async def answer(request: web.Request) -> web.StreamResponse:
        token = bearer(request)
        found = await _of_token(parts, token)
        asked = input.query(request.query_string, PollQuery)
        said = await _polled(parts, found, asked, request.transport)
        if said.data:
            await _of_token(parts, token)  # its key may have been revoked while it waited
        return web.Response(body=said.dumped(), content_type=said.media_type)

    return answer


async def _of_token(parts: Parts, token: str) -> SubscriptionRecord:
    found = await parts.store.read(subscriptions.by_token, token, parts.store.clock.now())
    if found is None:
        raise ApiError(
            "unknown_api_key",
            "The polling token is unknown, a newer one took its place, or its API key has ended",
            fix="get one: POST /v0/webhooks/polling with the same client_id",
        )
    return found


async def _polled(
    parts: Parts, found: SubscriptionRecord, asked: PollQuery, line: BaseTransport | None
) -> Polled:
    """Return what is new; what was not acknowledged is returned again."""
    cursor = found.cursor
    if asked.iterator is not None:
        cursor = min(place(asked.iterator, parts.live), parts.live.end)
        await parts.store.write(subscriptions.acknowledge, found.id, cursor)
    wish = Wish(
        Reach(found.pod_id, found.inbox_id, found.forbidden),
        frozenset(found.event_types),
        frozenset(found.inbox_ids),
        frozenset(found.pod_ids),
    )
    with parts.live.listeners.entered(line):
        told, reached = await first(parts.live, cursor, wish, asked.limit, asked.wait)
    data = await shown(parts.live, told)
    done = len(told) < asked.limit
    return Polled(data=data, iterator=events.cursor_id(reached), done=done)


_LIST, _ITEM = "/webhooks/polling", "/webhooks/polling/{webhook_id}"
ROUTES: tuple[Route[Any], ...] = (
    Route(
        "POST",
        _LIST,
        create,
        CreatePollingWebhookRequest,
        CreatePollingWebhookResponse,
        "webhook_create",
        EVERYWHERE,
    ),
    Route("GET", _LIST, listed, PageQuery, ListPollingWebhooksResponse, "webhook_read", EVERYWHERE),
    Route("GET", _ITEM, get, Nothing, PollingWebhook, "webhook_read", EVERYWHERE),
    Route("DELETE", _ITEM, delete, Nothing, None, "webhook_delete", EVERYWHERE),
)

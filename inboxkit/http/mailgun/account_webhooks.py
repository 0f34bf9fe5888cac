"""Webhooks of the account: one URL that is told of some events, whatever the domain."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ...providers.mailgun_requests import Refusal, is_on
from ...store import mailgun_account_webhooks as store
from .call import Call, Route
from .webhooks import MOST_URLS, event_types, one_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...store.mailgun_account_webhooks import AccountWebhook

_MOST_CHARACTERS = 500


async def listed(call: Call) -> Mapping[str, Any]:
    """Return all webhooks, or those of ``webhook_ids``."""
    found = await call.store.read(store.listed, _named(call))
    return {"webhooks": [_shown(one) for one in found]}


async def get(call: Call) -> Mapping[str, Any]:
    """Return a webhook."""
    found = await call.store.read(store.listed, [call.ids["id"]])
    if not found:
        raise Refusal(404, "Webhook not found")
    return _shown(found[0])


async def create(call: Call) -> Mapping[str, Any]:
    """Post these events of all domains to a URL too."""
    values = await _given(call)
    made = await call.store.write(store.create, call.now, values, base=call.base)
    return {"webhook_id": made}


async def update(call: Call) -> web.Response:
    """Replace URL, events and description."""
    values = await _given(call, besides=call.ids["id"])
    if not await call.store.write(store.change, call.ids["id"], values):
        raise Refusal(404, "Webhook not found")
    return web.Response(status=204)


async def delete(call: Call) -> web.Response:
    """Delete a webhook."""
    if not await call.store.write(store.remove, [call.ids["id"]]):
        raise Refusal(404, "Webhook not found")
    return web.Response(status=204)


async def clear(call: Call) -> web.Response:
    """Delete the webhooks of ``webhook_ids``, or with ``all=true`` every one."""
    names = _named(call)
    if not names and not is_on(call.text("all")):
        raise Refusal(400, "Either webhook_ids or all=true is needed")
    await call.store.write(store.remove, names)
    return web.Response(status=204)


def _named(call: Call) -> list[str]:
    parts = (part.strip() for text in call.texts("webhook_ids") for part in text.split(","))
    return [part for part in parts if part]


async def _given(call: Call, besides: str = "") -> dict[str, Any]:
    """Return what a request says of a webhook; raise Refusal for too many URLs of one event."""
    url, names = one_url(call), event_types(call)
    known = await call.store.read(store.listed)
    for name in names:
        urls = {one.url for one in known if name in one.event_types and one.id != besides}
        if len(urls | {url}) > MOST_URLS:
            raise Refusal(400, f"{name} is posted to {MOST_URLS} URLs at most")
    description = call.text("description")[:_MOST_CHARACTERS]
    return {"url": url, "event_types": sorted(names), "description": description}


def _shown(one: AccountWebhook) -> dict[str, Any]:
    return {
        "webhook_id": one.id,
        "description": one.description,
        "url": one.url,
        "event_types": list(one.event_types),
        "created_at": one.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


_ITEM = "/v1/webhooks/{id}"
ROUTES = (
    Route("GET", "/v1/webhooks", listed, "webhook_read", account=True),
    Route("POST", "/v1/webhooks", create, "webhook_create", account=True),
    Route("DELETE", "/v1/webhooks", clear, "webhook_delete", account=True),
    Route("GET", _ITEM, get, "webhook_read", account=True),
    Route("PUT", _ITEM, update, "webhook_update", account=True),
    Route("DELETE", _ITEM, delete, "webhook_delete", account=True),
)

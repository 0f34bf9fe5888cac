"""API keys: make, list, get, change, revoke. No key makes one that may do more than itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...store import api_keys
from ...store.api_keys import KeyRecord
from ...tokens import row_id
from .envelope import ApiError, invalid
from .routing import EVERYWHERE, Route
from .schemas.api_keys import (
    ApiKey,
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    ListApiKeysQuery,
    ListApiKeysResponse,
    UpdateApiKeyRequest,
    api_key,
)
from .schemas.wire import Nothing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .call import Call

_TYPE = "bearer"  # of keys, the only one that is made here


async def create(call: Call[CreateApiKeyRequest]) -> CreateApiKeyResponse:
    """Make a key for all, for a pod or for an inbox, by the path; its secret is shown only here."""
    asked = call.given
    expires_at = _expiry(call, asked.expires_at)
    live = call.who.live if asked.live is None else asked.live
    if live and not call.who.live:
        raise _escalation("a test key makes no live key")
    record = KeyRecord(
        id=0,
        prefix="",
        name=asked.name or "API key",
        live=live,
        pod_id=call.reach.pod_id,
        inbox_id=call.reach.inbox_id,
        inbox=None if call.named is None else call.named.address,
        permissions=_granted(call, asked.permissions),
        expires_at=expires_at,
        created_at=call.now,
        updated_at=call.now,
    )
    made, secret = await call.store.write(api_keys.create, record)
    said = api_key(made).model_dump(exclude={"type", "used_at", "updated_at"})
    return CreateApiKeyResponse(api_key=secret, **said)


def _expiry(call: Call[Any], asked: datetime | None) -> datetime | None:
    own = None if call.who.key is None else call.who.key.expires_at
    if asked is None:
        return own
    if asked <= call.now:
        raise invalid("lies in the past", "expires_at")
    if own is not None and asked > own:
        raise _escalation("a key makes none that outlives it")
    return asked


def _granted(call: Call[Any], asked: Mapping[str, bool | None] | None) -> Mapping[str, bool] | None:
    if asked is None:
        return call.who.permissions
    beyond = sorted(name for name in asked if not call.who.allows(name))
    if beyond:
        raise _escalation(f"the key has no permission {beyond[0]} to give")
    return dict.fromkeys(asked, True)


def _escalation(message: str) -> ApiError:
    return ApiError("permission_escalation", message)


async def listed(call: Call[ListApiKeysQuery]) -> ListApiKeysResponse:
    """List keys without their secrets, newest first."""
    if call.given.type not in (None, "", _TYPE):
        return ListApiKeysResponse(count=0, api_keys=())
    page = call.by_id("api-keys", call.given)
    found = await call.store.read(api_keys.listed, call.reach, page)
    items, fields = call.cut("api-keys", page, found, lambda key: [key.id])
    return ListApiKeysResponse(api_keys=[api_key(key) for key in items], **fields)


async def wanted(call: Call[Any]) -> KeyRecord:
    """Return the key of the path; raise ApiError 404."""
    try:
        row = row_id("key", call.name("api_key_id"))
    except ValueError:
        raise call.unknown("API key", "api_key_id") from None
    found = await call.store.read(api_keys.find, call.reach, row)
    if found is None:
        raise call.unknown("API key", "api_key_id")
    return found


async def get(call: Call[Nothing]) -> ApiKey:
    """Return a key without its secret."""
    return api_key(await wanted(call))


async def update(call: Call[UpdateApiKeyRequest]) -> ApiKey:
    """Rename a key or change its permissions."""
    found = await wanted(call)
    values: dict[str, Any] = {}
    if call.given.name is not None:
        values["name"] = call.given.name
    if call.given.permissions is not None:
        values["permissions"] = dict(_granted(call, call.given.permissions) or {})
    await call.store.write(api_keys.change, found.id, call.now, values)
    return api_key(await wanted(call))


async def delete(call: Call[Nothing]) -> None:
    """Revoke a key at once."""
    found = await wanted(call)
    await call.store.write(api_keys.remove, found.id)


_LIST = "/api-keys"
_ITEM = "/api-keys/{api_key_id}"
ROUTES = (
    Route(
        "POST",
        _LIST,
        create,
        CreateApiKeyRequest,
        CreateApiKeyResponse,
        "api_key_create",
        EVERYWHERE,
    ),
    Route("GET", _LIST, listed, ListApiKeysQuery, ListApiKeysResponse, "api_key_read", EVERYWHERE),
    Route("GET", _ITEM, get, Nothing, ApiKey, "api_key_read", EVERYWHERE),
    Route("PATCH", _ITEM, update, UpdateApiKeyRequest, ApiKey, "api_key_update", EVERYWHERE),
    Route("DELETE", _ITEM, delete, Nothing, None, "api_key_delete", EVERYWHERE),
)

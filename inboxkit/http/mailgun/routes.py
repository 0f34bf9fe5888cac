"""Routes: rules for mail that arrives, by priority."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...blocking import in_thread
from ...providers import mailgun_rules
from ...providers.mailgun_requests import Refusal
from ...store import mailgun_routes
from .call import Call, Route
from .pages import stamp
from .webhooks import check_reader, check_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...store.mailgun_routes import RouteRecord

_DEFAULT = 100
_MOST_ACTIONS = 20


async def listed(call: Call) -> Mapping[str, Any]:
    """Return routes in the order in which they are tried."""
    skip = call.number("skip", 0, most=1_000_000)
    limit = call.number("limit", _DEFAULT)
    total, found = await call.store.read(mailgun_routes.listed, skip=skip, limit=limit)
    return {"total_count": total, "items": [_shown(record) for record in found]}


async def get(call: Call) -> Mapping[str, Any]:
    """Return a route."""
    found = await call.store.read(mailgun_routes.find, call.ids["id"])
    return {"route": _shown(_there(found))}


async def create(call: Call) -> Mapping[str, Any]:
    """Make a route; its expression and its actions are read at once."""
    values: dict[str, Any] = {"priority": 0, "description": "", "actions": [], **_given(call)}
    if "expression" not in values:
        raise Refusal(400, "expression parameter is missing")
    made = await call.store.write(mailgun_routes.create, call.now, values, base=call.base)
    return {"message": "Route has been created", "route": _shown(made)}


async def update(call: Call) -> Mapping[str, Any]:
    """Change what is given of a route."""
    values = _given(call)
    found = await call.store.write(mailgun_routes.change, call.ids["id"], call.now, values)
    return {"message": "Route has been updated", **_shown(_there(found))}


async def delete(call: Call) -> Mapping[str, Any]:
    """Delete a route."""
    if not await call.store.write(mailgun_routes.remove, call.ids["id"]):
        raise Refusal(404, "Route not found")
    return {"message": "Route has been deleted", "id": call.ids["id"]}


async def match(call: Call) -> Mapping[str, Any]:
    """Return the first route that takes mail for an address; headers are not looked at."""
    address = call.text("address")
    if not address:
        raise Refusal(400, "address parameter is missing")
    records = await call.store.read(mailgun_routes.everything)
    found = await in_thread(_first, records, address)
    return {"route": _shown(_there(found))}


def _first(records: Sequence[RouteRecord], address: str) -> RouteRecord | None:
    for record in records:
        try:
            conditions = mailgun_rules.expression(record.expression)
        except Refusal:  # stored by a version that took more
            continue
        if mailgun_rules.matches(conditions, address, ()) is not None:
            return record
    return None


def _given(call: Call) -> dict[str, Any]:
    """Return the columns that a request sets; raise Refusal for what no route can have."""
    values: dict[str, Any] = {}
    if call.text("priority"):
        values["priority"] = call.number("priority", 0, most=2**31 - 1)
    if "description" in call.form:
        values["description"] = call.text("description")[:1_000]
    if call.text("expression"):
        mailgun_rules.expression(call.text("expression"))
        values["expression"] = call.text("expression")
    actions = [text for name in ("action", "action[]") for text in call.texts(name) if text]
    if actions:
        _check(actions)
        values["actions"] = actions
    if "expression" in values or "actions" in values:
        check_reader(call)
    return values


def _check(actions: Sequence[str]) -> None:
    if len(actions) > _MOST_ACTIONS:
        raise Refusal(400, f"A route has {_MOST_ACTIONS} actions at most")
    for action in map(mailgun_rules.action, actions):
        for target in filter(mailgun_rules.is_url, action.targets):
            check_url(target)


def _there(found: RouteRecord | None) -> RouteRecord:
    if found is None:
        raise Refusal(404, "Route not found")
    return found


def _shown(record: RouteRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "priority": record.priority,
        "description": record.description,
        "expression": record.expression,
        "actions": list(record.actions),
        "created_at": stamp(record.created_at),
    }


_ITEM = "/v3/routes/{id}"
ROUTES = (
    Route("GET", "/v3/routes", listed, "webhook_read", account=True),
    Route("POST", "/v3/routes", create, "webhook_create", account=True),
    Route("GET", "/v3/routes/match", match, "webhook_read", account=True),
    Route("GET", _ITEM, get, "webhook_read", account=True),
    Route("PUT", _ITEM, update, "webhook_update", account=True),
    Route("DELETE", _ITEM, delete, "webhook_delete", account=True),
)

"""Webhooks of a domain: by the name of an event (v3), or by URL (v4)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ...egress import BlockedTarget, Guard
from ...pipeline.mailgun_posts import signing_key
from ...providers.mailgun_requests import Refusal
from ...store import mailgun_webhooks
from ..api.websocket import PERMISSION
from . import domains
from .call import Call, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    Known: TypeAlias = Mapping[str, Sequence[str]]

NAMES = (
    "accepted",
    "delivered",
    "opened",
    "clicked",
    "unsubscribed",
    "complained",
    "permanent_fail",
    "temporary_fail",
)
MOST_URLS = 3
_KEY_BYTES = 32
_ANYWHERE = Guard(("0.0.0.0/0", "::/0"))  # the form is checked here; the way, when it is gone


async def listed(call: Call) -> Mapping[str, Any]:
    """Return the URLs of a domain by the name of the event."""
    return {"webhooks": _shown(await _known(call))}


async def get(call: Call) -> Mapping[str, Any]:
    """Return the URLs of one event."""
    return {"webhook": {"urls": await _of(call)}}


async def create(call: Call) -> Mapping[str, Any]:
    """Post an event to up to three URLs; with ``event_types`` as v4 does, which SDKs ask v3 for."""
    if "event_types" in call.form:
        return await add_url(call)
    name, urls = _name(call.text("id")), _urls(call)

    def made(known: Known) -> Known:
        if known.get(name):
            raise Refusal(400, "Webhook already exists")
        return {name: urls}

    await _change(call, made)
    return {"message": "Webhook has been created", "webhook": {"urls": urls}}


async def update(call: Call) -> Mapping[str, Any]:
    """Replace the URLs of an event."""
    name, urls = _name(call.ids["name"]), _urls(call)
    await _change(call, lambda known: {name: urls} if _there(known, name) else {})
    return {"message": "Webhook has been updated", "webhook": {"urls": urls}}


async def delete(call: Call) -> Mapping[str, Any]:
    """Post an event nowhere any more."""
    name, urls = _name(call.ids["name"]), await _of(call)
    await _change(call, lambda known: {name: ()} if _there(known, name) else {})
    return {"message": "Webhook has been deleted", "webhook": {"urls": urls}}


async def add_url(call: Call) -> Mapping[str, Any]:
    """Post these events to a URL too."""
    url, wanted = one_url(call), event_types(call)
    return await _change(call, lambda known: {n: [*known.get(n, ()), url] for n in wanted})


async def set_url(call: Call) -> Mapping[str, Any]:
    """Post exactly these events to a URL."""
    url, wanted = one_url(call), event_types(call)

    def moved(known: Known) -> Known:
        without = {name: [u for u in known.get(name, ()) if u != url] for name in NAMES}
        return {n: [*us, url] if n in wanted else us for n, us in without.items()}

    return await _change(call, moved)


async def delete_url(call: Call) -> Mapping[str, Any]:
    """Post nothing to these URLs any more."""
    gone = {url for text in call.texts("url") for url in text.split(",")}

    def left(known: Known) -> Known:
        return {n: [u for u in us if u not in gone] for n, us in known.items()}

    return await _change(call, left)


async def key(call: Call) -> Mapping[str, Any]:
    """Return the key that the posts are signed with."""
    return {"message": "success", "http_signing_key": await signing_key(call.store)}


async def new_key(call: Call) -> Mapping[str, Any]:
    """Sign with a new key from now on, also what is posted again."""
    await call.store.write(mailgun_webhooks.set_signing_key, secrets.token_hex(_KEY_BYTES))
    return await key(call)


async def _known(call: Call) -> dict[str, list[str]]:
    await domains.require(call)
    return await call.store.read(mailgun_webhooks.of_domain, call.domain)


async def _of(call: Call) -> Sequence[str]:
    return _there(await _known(call), _name(call.ids["name"]))


def _there(known: Known, name: str) -> Sequence[str]:
    if not known.get(name):
        raise Refusal(404, "Webhook not found")
    return known[name]


async def _change(call: Call, changes: Callable[[Known], Known]) -> Mapping[str, Any]:
    """Set what ``changes`` returns for the URLs that there are; return those of all events."""

    def changed(known: Known) -> Known:
        once = {name: list(dict.fromkeys(urls)) for name, urls in changes(known).items()}
        if any(len(urls) > MOST_URLS for urls in once.values()):
            raise Refusal(400, f"An event is posted to {MOST_URLS} URLs at most")
        return once

    await domains.require(call)
    known = await call.store.write(
        mailgun_webhooks.change, call.domain, changed, now=call.now, base=call.base
    )
    return {"webhooks": _shown(known)}


def _shown(known: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    return {name: {"urls": list(urls)} for name, urls in known.items()}


def _name(name: str) -> str:
    if name not in NAMES:
        raise Refusal(400, f"Invalid webhook id; it is one of {', '.join(NAMES)}")
    return name


def event_types(call: Call) -> set[str]:
    found = {_name(name) for text in call.texts("event_types") for name in text.split(",")}
    if not found:
        raise Refusal(400, "event_types parameter is missing")
    return found


def one_url(call: Call) -> str:
    """Return the URL of a request; raise Refusal for one that cannot be posted to."""
    return _urls(call)[0]


def _urls(call: Call) -> list[str]:
    urls = [url for url in call.texts("url") if url]
    if not urls:
        raise Refusal(400, "url parameter is missing")
    check_reader(call)
    for url in urls:
        check_url(url)
    return urls


def check_reader(call: Call) -> None:
    """Raise Refusal for a key that may not read the mail that it wants to be told of."""
    if not call.who.allows(PERMISSION):
        raise Refusal(403, f"The key lacks the permission {PERMISSION}")


def check_url(url: str) -> None:
    """Raise Refusal for what is no URL that can be posted to."""
    try:
        _ANYWHERE.check_url(url)
    except BlockedTarget as error:
        raise Refusal(400, f"url parameter: {error}") from None


_KEY = "/v5/accounts/http_signing_key"
_V3, _V4 = "/v3/domains/{domain}/webhooks", "/v4/domains/{domain}/webhooks"
ROUTES = (
    Route("GET", _V3, listed, "webhook_read", account=True),
    Route("POST", _V3, create, "webhook_create", account=True),
    Route("PUT", _V3, set_url, "webhook_update", account=True),
    Route("DELETE", _V3, delete_url, "webhook_delete", account=True),
    Route("GET", f"{_V3}/{{name}}", get, "webhook_read", account=True),
    Route("PUT", f"{_V3}/{{name}}", update, "webhook_update", account=True),
    Route("DELETE", f"{_V3}/{{name}}", delete, "webhook_delete", account=True),
    Route("GET", _V4, listed, "webhook_read", account=True),
    Route("POST", _V4, add_url, "webhook_create", account=True),
    Route("PUT", _V4, set_url, "webhook_update", account=True),
    Route("DELETE", _V4, delete_url, "webhook_delete", account=True),
    Route("GET", _KEY, key, "webhook_read", account=True),
    Route("POST", _KEY, new_key, "webhook_update", account=True),
)

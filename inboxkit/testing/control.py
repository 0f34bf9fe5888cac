"""The emulator's own API under ``/_fake``: what was sent, events, faults, mail from outside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web

from ..errors import InboxKitError, NotFound
from .desk import Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .emulator import Account, Emulator

    Answer = Callable[[web.Request], Awaitable[Any]]

_KINDS = ("status", "drop", "hang", "delay")


class BadRequest(Exception):
    """The request cannot be understood; the message says why."""


def add_routes(emulator: Emulator) -> None:
    """Add the API to an emulator that does not listen yet."""
    control = Control(emulator)
    router = emulator.app.router
    router.add_get("/_fake", _answered(control.vendors))
    router.add_get("/_fake/messages", _answered(control.messages))
    router.add_post("/_fake/trigger", _answered(control.trigger))
    router.add_post("/_fake/{vendor}/faults", _answered(control.fault))
    router.add_put("/_fake/{vendor}/webhook", _answered(control.webhook))
    router.add_post("/_fake/{vendor}/inbound", _answered(control.inbound))


class Control:
    """The handlers; each returns what is answered as JSON."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    async def vendors(self, request: web.Request) -> Any:
        """List the emulated accounts; their secrets are made up or the caller's own."""
        return [
            {
                "name": a.name,
                "url": a.url,
                "sdk": a.sdk,
                "webhook": a.webhook,
                "variables": a.variables,
            }
            for a in self._emulator.accounts.values()
        ]

    async def messages(self, request: web.Request) -> Any:
        """List what was sent, newest first."""
        return [mail.as_json() for mail in self._emulator.catch]

    async def trigger(self, request: web.Request) -> Any:
        """Let something happen to a message: ``id``, ``event``, ``recipient``, ``text``."""
        asked = await _object(request)
        mail = self._emulator.catch.find(_text(asked, "id"))
        recipient = _text(asked, "recipient", "") or _recipient(mail.ids, _text(asked, "id"))
        statuses = await self._emulator.trigger(
            mail, _text(asked, "event"), recipient=recipient, text=_text(asked, "text", "")
        )
        return {"statuses": statuses}

    async def fault(self, request: web.Request) -> Any:
        """Let the next ``times`` requests fail: ``kind``, ``status``, ``taken``, ``seconds``."""
        asked = await _object(request)
        kind = _text(asked, "kind", "status")
        if kind not in _KINDS:
            raise BadRequest(f"kind is one of {', '.join(_KINDS)}")
        fault = Fault(
            cast("Any", kind),
            status=int(_number(asked, "status", 503)),
            taken=asked.get("taken") is True,
            seconds=_number(asked, "seconds", 2.0),
        )
        times = min(int(_number(asked, "times", 1)), 1_000)
        self._emulator.fail(self._account(request).name, fault, times=times)
        return {"times": times}

    async def webhook(self, request: web.Request) -> Any:
        """Set where a vendor's webhooks go: ``url``."""
        account = self._account(request)
        self._emulator.send_webhooks_to(account.name, _text(await _object(request), "url"))
        return {"webhook": account.webhook}

    async def inbound(self, request: web.Request) -> Any:
        """Bring a mail in: its bytes as the body, ``recipient`` and ``mail_from`` as the query."""
        recipient = request.query.get("recipient", "")
        if not recipient:
            raise BadRequest("recipient is missing")
        status = await self._emulator.bring(
            self._account(request).name,
            await request.read(),
            recipient=recipient,
            mail_from=request.query.get("mail_from", ""),
        )
        return {"statuses": [status]}

    def _account(self, request: web.Request) -> Account:
        name = request.match_info["vendor"]
        if name not in self._emulator.accounts:
            raise NotFound(f"no vendor {name} here")
        return self._emulator.accounts[name]


def _recipient(ids: Any, id: str) -> str:
    """Return the recipient whose copy an id of ours names, "" when it names the whole message."""
    return next((to for to, known in ids.items() if known == id), "")


def _answered(handler: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            return web.json_response(await handler(request))
        except NotFound as error:
            return web.json_response({"message": str(error)}, status=404)
        except (InboxKitError, BadRequest) as error:
            return web.json_response({"message": str(error)}, status=400)

    return answer


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        value: object = json.loads(await request.read())
    except ValueError:
        raise BadRequest("the body is no JSON") from None
    if not isinstance(value, dict):
        raise BadRequest("the body is no JSON object")
    return cast("dict[str, Any]", value)


def _text(asked: dict[str, Any], name: str, default: str | None = None) -> str:
    value = asked.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"{name} is missing or no text")
    return value


def _number(asked: dict[str, Any], name: str, default: float) -> float:
    value = asked.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 10_000:
        raise BadRequest(f"{name} is no number from 0 to 10000")
    return float(value)

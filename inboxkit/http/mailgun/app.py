"""The Mailgun facade in an aiohttp application: its door, and the form of its errors."""

from __future__ import annotations

import binascii
import json
import logging
from base64 import b64decode
from functools import cache
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ...blocking import in_thread
from ...errors import InboxKitError
from ...providers.mailgun_requests import Refusal
from ..api.app import ACCESS, base, in_pieces
from ..api.envelope import ApiError, refusal
from ..intake import BodyRefused
from .call import Call, Table, WrongMethod
from .resources import ROUTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..api.access import Access, Identity
    from ..parts import Parts

log = logging.getLogger("inboxkit.mailgun")
_QUICKLY_WRITTEN = 64 * 1024  # characters
_VERSIONS = "{version:v[1-5]}"
_WHO = "send HTTP Basic auth: user api, password an API key (inboxkit key create NAME)"


def add_mailgun(app: web.Application, parts: Parts) -> None:
    """Hang the facade into an application that has the API already."""
    facade = Facade(parts, app[ACCESS])
    app.router.add_route("*", f"/{_VERSIONS}/{{rest:[\\s\\S]*}}", facade.answer)


@cache
def _table() -> Table:
    """Return what all servers of the process share."""
    return Table(ROUTES)


class Facade:
    """Finds the route of a request, lets it in, and calls its handler."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._parts = parts
        self._access = access
        self._table = _table()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request; only our own defects are logged."""
        try:
            return await self._serve(request)
        except WrongMethod as error:
            headers = {"Allow": error.allowed}
            if request.method == "OPTIONS":
                return web.Response(status=204, headers=headers)
            return _said(error.status, error.message, headers)
        except Refusal as error:
            return _said(error.status, error.message)
        except BodyRefused as error:
            return _said(error.status, str(error))
        except ApiError as error:
            return _refused(error)
        except InboxKitError as error:
            refused = refusal(error)
            if refused.status >= 500:
                log.error("%s %s: %s", request.method, request.rel_url.raw_path, error)
            return _refused(refused)
        except web.HTTPException:
            raise
        except Exception:  # foreign input meets our code here
            log.exception("%s %s failed", request.method, request.rel_url.raw_path)
            return _said(500, "Internal Server Error")

    async def _serve(self, request: web.Request) -> web.Response:
        path, _, query = request.raw_path.partition("?")
        who = await self._identify(request)
        route, ids = self._table.find(request.method, path)
        if not who.allows(route.permission):
            raise Refusal(403, f"The key lacks the permission {route.permission}")
        if route.account and (who.pod_id is not None or who.inbox_id is not None):
            raise Refusal(403, "A key that is bound to a pod or an inbox may not do this")
        async with self._parts.intake.of(request, most=route.most_bytes) as body:
            call = Call(
                parts=self._parts,
                who=who,
                ids=ids,
                headers=request.headers,
                query=query,
                body=body,
                base=base(request),
            )
            answer = await route.handler(call)
        return answer if isinstance(answer, web.Response) else await made(answer)

    async def _identify(self, request: web.Request) -> Identity:
        secret = basic_password(request.headers.get("Authorization", ""))
        known = await self._access.known(secret) if secret else None
        if known is not None:
            return known
        try:
            return await self._access.identify(request)
        except ApiError as error:
            if error.status == 401:
                raise Refusal(401, f"Forbidden: {_WHO}") from None
            raise


def basic_password(header: str) -> str:
    """Return the password of user ``api`` (RFC 7617), "" for anything else."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        user, _, password = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return password if user == "api" else ""


def _refused(error: ApiError) -> web.Response:
    words = f"{error.message}; {error.fix}" if error.fix else error.message
    return _said(error.status, words, error.headers)


def _said(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    answer = _json(status, {"message": message})
    if status == 401:  # some clients send what they have only when they are asked for it
        answer.headers["WWW-Authenticate"] = 'Basic realm="inboxkit", charset="UTF-8"'
    answer.headers.update(headers or {})
    return answer


async def made(answer: Mapping[str, Any]) -> web.Response:
    """Return an answer in JSON; one that brings a long mail is written in a thread."""
    size = sum(len(value) for value in answer.values() if isinstance(value, str))
    body = await in_thread(_dumped, answer) if size > _QUICKLY_WRITTEN else _dumped(answer)
    return in_pieces(web.Response(body=body, content_type="application/json"))


def _json(status: int, value: object) -> web.Response:
    return web.Response(status=status, body=_dumped(value), content_type="application/json")


def _dumped(value: object) -> bytes:
    return json.dumps(value).encode()

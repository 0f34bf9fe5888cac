"""Signing in with an API key: a form, a cookie that is not the key, and the way out again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from ..api.app import base
from ..api.envelope import ApiError
from ..intake import BodyRefused
from .rendering import page, see_other, sendable
from .sessions import LIFETIME

if TYPE_CHECKING:
    from aiohttp import web

    from ..api.access import Access
    from ..intake import Intake
    from .sessions import Sessions

_MOST_BYTES = 8 * 1024
_OURS = re.compile(r"/(?:mail/[!-\[\]-~]*)?(?:\?[!-\[\]-~]*)?")  # a page of ours, no backslash
_HOME = "/"


class SigningIn:
    """Takes keys from the form."""

    def __init__(self, access: Access, sessions: Sessions, intake: Intake) -> None:
        self._access = access
        self._sessions = sessions
        self._intake = intake

    async def lead(self, _request: web.Request) -> web.Response:
        """Lead to mail, which asks for a key if it needs one."""
        return see_other(_HOME)

    async def begin(self, request: web.Request) -> web.Response:
        """Take a key, and go on where it was asked for; or ask again."""
        check_same_origin(request)
        fields = await self._fields(request)
        place = _place(fields.get("next", _HOME))
        who = await self._access.known(fields.get("key", "").strip())
        if who is None:
            return await asked(place, problem="The key is unknown, expired or revoked.")
        answer = see_other(place)
        answer.set_cookie(
            self._sessions.name,
            self._sessions.begun(who),
            max_age=int(LIFETIME.total_seconds()),
            path="/",
            httponly=True,
            samesite="Strict",
            secure=_is_secure(request),
        )
        return answer

    async def end(self, request: web.Request) -> web.Response:
        """Forget who it was; another site could do no more than have it asked again."""
        answer = see_other(_HOME)
        answer.del_cookie(
            self._sessions.name,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=_is_secure(request),
        )
        return answer

    async def _fields(self, request: web.Request) -> dict[str, str]:
        try:
            async with self._intake.of(request, most=_MOST_BYTES) as body:
                given = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
        except BodyRefused as refused:
            raise ApiError("validation_error", str(refused)) from None
        except ValueError:
            raise ApiError("validation_error", "The form has too many fields") from None
        return {name: values[-1] for name, values in given.items()}


async def asked(place: str, *, problem: str = "") -> web.Response:
    """Return the form that asks for a key and then leads to ``place``."""
    return sendable(await page("sign_in.html", status=401, next=_place(place), problem=problem))


def check_same_origin(request: web.Request) -> None:
    """Refuse what another site made a browser send, even in the name of a page of ours."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if site is None:  # an old browser, or plain HTTP to another host
        is_ours = origin is None or _host(origin) == request.host
    else:
        is_ours = site in ("same-origin", "none")
    if not is_ours:
        raise ApiError("forbidden", "The request comes from another site")


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _place(wanted: str) -> str:
    return wanted if _OURS.fullmatch(wanted) else _HOME


def _is_secure(request: web.Request) -> bool:
    return base(request).startswith("https:")

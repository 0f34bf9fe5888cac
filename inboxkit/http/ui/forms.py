"""The forms of pages: what somebody typed, within bounds, and the token that a form carries.

A token is good for one form, one key and a day. It shows that the form is one of ours, and is what
makes a second click, or a reload of the answer, send nothing again.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...blocking import in_thread
from ...providers import forms
from ...providers.base import ParseError
from ...values import entries
from ..api.envelope import ApiError, invalid
from ..api.input import whole
from ..api.page_tokens import micros, moment
from ..api.sends import KEPT, check_head

if TYPE_CHECKING:
    from datetime import datetime

    from ...providers.forms import Field, Form
    from .look import Look

log = logging.getLogger("inboxkit.pages")
_NONCE_BYTES, _NUMBER_BYTES = 16, 8
_BODY_BYTES = _NONCE_BYTES + _NUMBER_BYTES
_KEYS = "form-"
_NOT_AT_A_FORM = ("missing_permission", "unknown_api_key", "not_found", "method_not_allowed")


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed into a form; ``key`` is "" when the form is none that we gave them."""

    form: Form
    key: str

    @property
    def shown_at(self) -> datetime:
        """When the form was shown."""
        body = bytes.fromhex(self.key.removeprefix(_KEYS))
        return moment(int.from_bytes(body[_NONCE_BYTES:], "big")) - KEPT

    def text(self, name: str) -> str:
        """Return what was typed, with plain line breaks; browsers send CRLF."""
        return self.form.text(name).replace("\r\n", "\n").replace("\r", "\n")

    def has(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self.form.text(name))

    def addresses(self, name: str) -> list[str]:
        """Return the addresses of a field as they were typed, one by one.

        Raise ApiError for more than a mail may have.
        """
        typed = self.form.text(name)
        check_head([typed])
        return [one for entry in entries(typed, ",;") if (one := entry.strip())]

    def files(self, name: str) -> list[Field]:
        """Return the files that were chosen; a browser sends one without a name for none."""
        return [one for one in self.form.all(name) if one.filename]

    def lost(self, name: str) -> list[str]:
        """Return the names of the chosen files: a form that is shown again cannot hold them."""
        return [one.filename for one in self.form.all(name) if one.filename]

    def check(self) -> None:
        """Raise ApiError unless the form is one of ours."""
        if not self.key:
            raise ApiError(
                "forbidden",
                "This form is too old, or none of this server's; nothing was done",
                fix="Look at it once more, and press the button again.",
            )


async def read(look: Look, place: str, most_bytes: int) -> Typed:
    """Return what came with a form of this place; raise ApiError for what is none, or too large."""
    async with whole(look.request, look.parts.intake, most_bytes) as data:
        kind = look.request.headers.get("Content-Type", "")
        try:
            form = await in_thread(forms.read, kind, data)
        except ParseError as error:
            raise invalid(f"the form cannot be read: {error}") from None
    return Typed(form, _key(look, place, form.text("token")))


def token(look: Look, place: str) -> str:
    """Return a token for a form that is about to be shown; ``place`` says what it will do."""
    until = micros(look.parts.store.clock.now() + KEPT)
    body = secrets.token_bytes(_NONCE_BYTES) + until.to_bytes(_NUMBER_BYTES, "big")
    return urlsafe_b64encode(body + _mac(look, place, body)).rstrip(b"=").decode()


def _key(look: Look, place: str, token: str) -> str:
    """Return the idempotency key of a token, "" when it is not good here."""
    try:
        data = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError:
        return ""
    body, mac = data[:_BODY_BYTES], data[_BODY_BYTES:]
    if not hmac.compare_digest(mac, _mac(look, place, body)):
        return ""
    # The answer under a key is kept for as long from its first use: no reload comes after that.
    until = moment(int.from_bytes(body[_NONCE_BYTES:], "big"))
    return f"{_KEYS}{body.hex()}" if until > look.parts.store.clock.now() else ""


def _mac(look: Look, place: str, body: bytes) -> bytes:
    who = 0 if look.who.key is None else look.who.key.id
    signed = f"form:{look.api.access.mark}:{who}:{place}:".encode("utf-8", "replace") + body
    return hmac.digest(look.parts.store.secret, signed, hashlib.sha256)


def told(error: ApiError) -> ApiError:
    """Return what to say at the form, in the words of one; raise what no form can put right."""
    if error.code in _NOT_AT_A_FORM:
        raise error
    if error.status >= 500:
        log.error("a form: %s", error.__cause__ or error)
    if error.code == "conflict":
        return ApiError(
            "conflict",
            "This form was sent before with other words, and those are on their way",
            fix="Press the button again to send these as well.",
        )
    return error

"""A mail from outside: written or pasted on a page, it arrives as if it had come by SMTP.

Only where any recipient is taken, as ``inboxkit dev`` does, and for who may do everything: SMTP
takes the same from anybody there.
"""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING, Any

import anyio

from ...blocking import in_thread
from ...compose import references_for, reply_subject
from ...errors import NotFound, SendError
from ...sending import people
from ..api.envelope import ApiError, invalid
from . import forms
from .rendering import form_page, see_other

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from ...models import Message
    from .forms import Typed
    from .look import Look

_PLACE = "arrive"
_FIELDS = ("sender", "to", "subject", "text", "source", "pasted")
_MOST_CHARACTERS = 2_000  # of a field that becomes a header: to fold a long one takes long
_FORM_BYTES = 64 * 1024  # beside the mail itself
_READ_SECONDS = 10.0


def is_open(look: Look) -> bool:
    """Whether the caller may let a mail arrive here."""
    who = look.who
    is_whole = who.pod_id is None and who.inbox_id is None and who.permissions is None
    return look.parts.settings.any_recipient and is_whole


async def arrive(look: Look) -> web.Response:
    """Show the forms of a mail from outside; with ``answers`` of one that answers a message."""
    _require(look)
    answered = await _answered(look, look.said("answers"))
    wishes = dict.fromkeys(_FIELDS, "") | {"to": look.said("to")}
    if answered is not None:
        sender = (*answered.to, *answered.cc)
        wishes["sender"] = str(sender[0]) if sender else ""
        wishes["to"] = (answered.reply_to or (answered.sender,))[0].email
        wishes["subject"] = reply_subject(answered.subject)
    return await _form(look, answered, wishes)


async def take(look: Look) -> web.Response:
    """Take the mail in, and lead to the message that it became; or say what is wrong with it."""
    _require(look)
    most = look.parts.settings.max_message_bytes + _FORM_BYTES
    typed = await forms.read(look, _PLACE, most)
    answered = await _answered(look, typed.text("answers").strip())
    try:
        typed.check()
        mail_from, to = _address(typed, "sender"), _address(typed, "to")
        raw = await in_thread(_source if typed.has("pasted") else _written, typed, answered)
        if len(raw) > look.parts.settings.max_message_bytes:
            raise ApiError("payload_too_large", "The mail is larger than max_message_bytes")
        return await _taken(look, raw, mail_from, to)
    except ApiError as error:
        wishes = {name: typed.text(name) for name in _FIELDS}
        return await _form(look, answered, wishes, forms.told(error), lost=typed.lost("file"))


async def _taken(look: Look, raw: bytes, mail_from: str, to: str) -> web.Response:
    try:
        with anyio.move_on_after(_READ_SECONDS):  # the mail is stored long before
            message = await look.parts.receive(raw, mail_from, [to])
            return see_other(f"/mail/messages/{message.id}")
    except NotFound as error:
        raise invalid(str(error), "to") from None
    return see_other("/")


def _require(look: Look) -> None:
    if not look.parts.settings.any_recipient:
        raise ApiError("not_found", "There is no such page where not any recipient is taken")
    if not is_open(look):
        raise ApiError("forbidden", "Only a key that may do everything lets mail arrive")


async def _answered(look: Look, name: str) -> Message | None:
    """Return the message that the mail answers."""
    if not name:
        return None
    found = await look.get("messages", name)
    return await look.parts.actions.message(found.id)


def _address(typed: Typed, name: str) -> str:
    """Return the one address of a field; raise ApiError."""
    _check_length(typed, name)
    try:
        (found,) = people(typed.addresses(name))
    except ValueError:
        raise invalid("give one address", name) from None
    except SendError as error:
        raise invalid(str(error), name) from None
    return found.email


def _check_length(typed: Typed, name: str) -> None:
    if len(typed.form.text(name)) > _MOST_CHARACTERS:
        raise invalid(f"has more than {_MOST_CHARACTERS} characters", name)


def _source(typed: Typed, _answered: Message | None) -> bytes:
    """Return the mail that was pasted, or chosen as a file; raise ApiError without either."""
    files = typed.files("file")
    raw = files[0].data if files else typed.text("source").replace("\n", "\r\n").encode()
    if not raw.strip():
        raise invalid("paste the source of a mail, or choose a file", "source")
    return raw


def _written(typed: Typed, answered: Message | None) -> bytes:
    """Return a mail of what was typed. A second click makes the same one, which is known then."""
    _check_length(typed, "subject")
    mail = EmailMessage()
    fields: dict[str, Any] = {
        "From": typed.addresses("sender")[0],
        "To": typed.addresses("to")[0],
        "Subject": typed.form.text("subject"),
        "Date": typed.shown_at,
        "Message-ID": f"<{typed.key}@outside.example>",
    }
    if answered is not None:
        chain = references_for(answered.message_id, answered.references, answered.in_reply_to)
        fields |= {"In-Reply-To": answered.message_id, "References": " ".join(chain)}
    for name, value in fields.items():
        try:
            mail[name] = value
        except ValueError as error:
            raise invalid(str(error), name.lower()) from None
    mail.set_content(typed.text("text"))
    return mail.as_bytes(policy=SMTP)


async def _form(
    look: Look,
    answered: Message | None,
    wishes: Mapping[str, str],
    problem: ApiError | None = None,
    *,
    lost: Sequence[str] = (),
) -> web.Response:
    return await form_page(
        "arrive.html",
        problem,
        look=look,
        answered=answered,
        typed=wishes,
        lost=lost,
        token=forms.token(look, _PLACE),
    )

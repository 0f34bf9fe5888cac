"""The pages that write: an answer to a message, and a new mail from an inbox.

Each form shows who gets the mail, and sends by the route of the API that a program would use.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from ...blocking import in_thread
from ...compose import reply_subject
from ...drafting import quoted
from ...sending import Context, recipients
from ...store import inboxes
from ...values import Draft
from ..api.envelope import ApiError, invalid, not_found
from ..api.files import MOST_BYTES, too_large
from . import forms
from .rendering import form_page, see_other

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from ...models import Message
    from .forms import Typed
    from .look import Look

_MOST_WORDS_BYTES = 1024 * 1024
_LINES = ("to", "cc", "subject")


async def reply(look: Look) -> web.Response:
    """Show the form that answers a message."""
    wishes = {"text": "", "everyone": look.said("everyone") == "1", "quote": True}
    return await _reply_form(look, await _answerable(look), wishes)


async def send_reply(look: Look) -> web.Response:
    """Answer a message, and lead to the answer; or show the form again with what is wrong."""
    parent = await _answerable(look)
    typed = await forms.read(look, f"reply {parent.id}", _MOST_WORDS_BYTES)
    text, everyone, quote = typed.text("text"), typed.has("everyone"), typed.has("quote")
    given = {"text": text, "reply_all": everyone, "inboxkit": {"quote": quote}}
    try:
        typed.check()
        _require_words(text)
        sent = await look.do("POST", *_replies(parent), given=given, key=typed.key)
    except ApiError as error:
        wishes = {"text": text, "everyone": everyone, "quote": quote}
        return await _reply_form(look, parent, wishes, forms.told(error))
    return _shown(sent)


def _replies(parent: Message) -> tuple[str, ...]:
    return "inboxes", parent.inbox, "messages", parent.id, "reply"


async def _answerable(look: Look) -> Message:
    """Return the message to answer; raise ApiError when it cannot be seen, or not be answered."""
    found = await look.get("messages", look.name("message_id"))
    parent = await look.parts.actions.message(found.id)
    look.require("POST", *_replies(parent))
    if not parent.thread_id:
        why = "The message is not read yet, so that it has no thread; try again in a moment"
        raise ApiError("unprocessable", why)
    return parent


async def _reply_form(
    look: Look, parent: Message, wishes: Mapping[str, Any], problem: ApiError | None = None
) -> web.Response:
    inbox = await look.parts.store.read(inboxes.require, parent.inbox)
    ways = [
        recipients(Draft(), Context(inbox=inbox, parent=parent, everyone=everyone))
        for everyone in (False, True)
    ]
    return await form_page(
        "reply.html",
        problem,
        look=look,
        parent=parent,
        ways=ways,
        subject=reply_subject(parent.subject),
        quoted=quoted(parent) if parent.text else "",
        typed=wishes,
        token=forms.token(look, f"reply {parent.id}"),
    )


async def compose(look: Look) -> web.Response:
    """Show the form of a new mail from an inbox."""
    inbox = await _sender(look)
    return await _compose_form(look, inbox, dict.fromkeys((*_LINES, "text"), ""))


async def send_new(look: Look) -> web.Response:
    """Send a new mail, and lead to it; or show the form again with what is wrong."""
    inbox = await _sender(look)
    typed = await forms.read(look, f"compose {inbox}", MOST_BYTES + _MOST_WORDS_BYTES)
    try:
        typed.check()
        given = await in_thread(_new_mail, typed)
        sent = await look.do("POST", *_sends(inbox), given=given, key=typed.key)
    except ApiError as error:
        wishes = {name: typed.form.text(name) for name in _LINES} | {"text": typed.text("text")}
        lost = typed.lost("files")
        return await _compose_form(look, inbox, wishes, forms.told(error), lost=lost)
    return _shown(sent)


def _sends(inbox: str) -> tuple[str, ...]:
    return "inboxes", inbox, "messages", "send"


async def _sender(look: Look) -> str:
    """Return the address to send from; raise ApiError when it is out of reach."""
    look.require("GET", "messages")  # the mail is shown once it is sent
    wanted = look.said("inbox")
    look.require("POST", *_sends(wanted or "-"))
    found = await look.parts.store.read(inboxes.within, look.who.reach(), wanted)
    if found is None:
        raise not_found("Inbox", wanted)
    return found.address


def _new_mail(typed: Typed) -> dict[str, Any]:
    """Return what the API takes for what was typed; raise ApiError."""
    files = typed.files("files")
    if sum(len(one.data) for one in files) > MOST_BYTES:
        raise too_large()
    text = typed.text("text")
    if not files:
        _require_words(text)
    attachments = [
        {
            "filename": one.filename,
            "content_type": one.content_type,
            "content": b64encode(one.data).decode(),
        }
        for one in files
    ]
    return {
        "to": typed.addresses("to"),
        "cc": typed.addresses("cc"),
        "subject": typed.form.text("subject"),
        "text": text,
        "attachments": attachments,
    }


async def _compose_form(
    look: Look,
    inbox: str,
    wishes: Mapping[str, Any],
    problem: ApiError | None = None,
    *,
    lost: Sequence[str] = (),
) -> web.Response:
    return await form_page(
        "compose.html",
        problem,
        look=look,
        sender=inbox,
        typed=wishes,
        lost=lost,
        token=forms.token(look, f"compose {inbox}"),
    )


def _require_words(text: str) -> None:
    if not text.strip():
        raise invalid("there is nothing to send yet", "text")


def _shown(sent: Any) -> web.Response:
    return see_other(f"/mail/messages/{sent.inboxkit.id}")

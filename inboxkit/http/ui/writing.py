"""The pages that write: an answer to a message.

Each form shows who gets the mail, and sends by the route of the API that a program would use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...compose import reply_subject
from ...drafting import quoted
from ...sending import Context, recipients
from ...store import inboxes
from ...values import Draft
from ..api.envelope import ApiError, invalid
from . import forms
from .rendering import form_page, see_other

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from ...models import Message
    from .look import Look

_MOST_WORDS_BYTES = 1024 * 1024


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


def _require_words(text: str) -> None:
    if not text.strip():
        raise invalid("there is nothing to send yet", "text")


def _shown(sent: Any) -> web.Response:
    return see_other(f"/mail/messages/{sent.inboxkit.id}")

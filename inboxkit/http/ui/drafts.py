"""The pages of drafts: a person looks at what a program would send, and sends or deletes it.

What is sent is what was looked at: a draft that has changed meanwhile is shown anew instead.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ... import drafting
from ...blocking import in_thread
from ...compose import reply_subject
from ...parsing.hidden import hidden_words
from ...sending import Context, recipients
from ...store import drafts as rows
from ...store import inboxes
from ...store.rows import number_of
from ...tokens import public_id
from ..api import downloads
from ..api.app import base
from ..api.envelope import ApiError, invalid, not_found
from ..api.preconditions import etag
from . import forms
from .frames import framed
from .messages import download
from .rendering import MOST_CHARACTERS, form_page, next_page, page, see_other

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aiohttp import web

    from ...models import Message
    from ...store.drafts import DraftRecord
    from ...values import Address, Draft
    from .forms import Typed
    from .look import Look

_DRAFTS = 25
_MOST_FORM_BYTES = 8 * 1024
_ETAG = re.compile('"[0-9a-f]{1,16}"')
_LIST = "/mail/drafts"


@dataclass(frozen=True, slots=True)
class Sight:
    """A draft as it would leave now, and why that cannot be looked at from here.

    ``hidden`` are the words that its HTML hides from who gets it.
    """

    record: DraftRecord
    becomes: Draft
    to: Sequence[Address]
    cc: Sequence[Address]
    subject: str
    hidden: str
    parent: Message | None = None
    unseen: str = ""

    @property
    def id(self) -> str:
        """The id that users see."""
        return public_id("drf", self.record.id)

    @property
    def version(self) -> str:
        """What tells what was looked at from what the draft has become since."""
        return etag(self.record.updated_at)


async def listed(look: Look) -> web.Response:
    """Show drafts, the newest first, a page at a time."""
    found = await look.get("drafts", limit=_DRAFTS, page_token=look.said("page_token"))
    return await page("drafts.html", look=look, drafts=found.drafts, older=next_page(_LIST, found))


async def shown(look: Look) -> web.Response:
    """Show a draft whole, with what it quotes."""
    return await _page(look, await _sight(look))


async def frame(look: Look) -> web.Response:
    """Answer with the HTML of a draft; with ``remote=1`` its images may be loaded from afar."""
    sight, parts = await _sight(look), look.parts
    until = downloads.expiry(parts.store.clock.now())
    origin = base(look.request)
    images = {
        file.content_id: downloads.draft_file_url(origin, parts.store.secret, file.id, until)
        for file in sight.record.files
        if file.content_id
    }
    return framed(look, sight.becomes.html, images)


async def attachment(look: Look) -> web.Response:
    """Lead to a file of a draft, as a download."""
    draft, file = look.name("draft_id"), look.name("attachment_id")
    return download(await look.get("drafts", draft, "attachments", file))


async def send(look: Look) -> web.Response:
    """Send a draft as it was looked at, and lead to the message that it became."""
    typed, path, problem = await _pressed(look, "POST", "send")
    if problem is None:
        record = await _record(look)
        unseen = "" if record is None else (await _seen(look, record)).unseen
        problem = ApiError("forbidden", unseen) if unseen else None
    if problem is None:
        try:
            sent = await look.do("POST", *path, given={}, key=typed.key, if_match=_looked_at(typed))
        except ApiError as error:
            problem = error
        else:
            may_look = look.may("GET", "messages")
            return see_other(f"/mail/messages/{sent.inboxkit.id}" if may_look else _LIST)
    return await _again(look, problem)


async def delete(look: Look) -> web.Response:
    """Delete a draft as it was looked at."""
    typed, path, problem = await _pressed(look, "DELETE")
    if problem is None:
        try:
            await look.do("DELETE", *path, if_match=_looked_at(typed))
        except ApiError as error:
            problem = None if error.code == "not_found" else error  # by a click before
    return see_other(_LIST) if problem is None else await _again(look, problem)


async def _pressed(
    look: Look, method: str, *more: str
) -> tuple[Typed, tuple[str, ...], ApiError | None]:
    """Return the form that was sent, the path of what it asks for, and what is wrong with it."""
    draft = look.name("draft_id")
    look.require("GET", "drafts", draft)
    look.require(method, "inboxes", "-", "drafts", draft, *more)
    typed = await forms.read(look, f"draft {draft}", _MOST_FORM_BYTES)
    path = ("inboxes", typed.text("inbox") or "-", "drafts", draft, *more)
    try:
        typed.check()
    except ApiError as error:
        return typed, path, error
    return typed, path, None


def _looked_at(typed: Typed) -> str:
    """Return the version that was looked at; raise ApiError."""
    said = typed.text("version")
    if not _ETAG.fullmatch(said):
        raise invalid("says not what was looked at", "version")
    return said


async def _again(look: Look, error: ApiError) -> web.Response:
    """Show the draft as it is now, with what is wrong; raise ApiError when it is gone."""
    told = _changed() if error.code == "precondition_failed" else forms.told(error)
    return await _page(look, await _sight(look), told)


def _changed() -> ApiError:
    return ApiError(
        "precondition_failed",
        "The draft was changed since you looked at it, and nothing was done with it",
        fix="Here is what it is now; look at it, and press the button again.",
    )


async def _record(look: Look) -> DraftRecord | None:
    """Return the draft of the path, None when there is none; raise ApiError without permission."""
    name = look.name("draft_id")
    look.require("GET", "drafts", name)
    return await look.parts.store.read(rows.find, look.who.reach(), number_of("drf", name))


async def _sight(look: Look) -> Sight:
    record = await _record(look)
    if record is None:
        raise not_found("Draft", look.name("draft_id"))
    return await _seen(look, record)


async def _seen(look: Look, record: DraftRecord) -> Sight:
    """Return a draft with what the caller may see of the message that it is about."""
    parent = await _parent(look, record)
    becomes = await drafting.completed(record, parent)
    answered = None if record.forward_of else parent
    inbox = await look.parts.store.read(inboxes.require, record.inbox)
    context = Context(inbox=inbox, parent=answered, everyone=record.reply_all)
    to, cc = recipients(becomes, context)
    hidden = await in_thread(hidden_words, becomes.html)
    unseen = ""
    if record.parent_id is not None and parent is None:
        unseen = "It is about a message that this key may not see, or that is gone"
    elif max(len(becomes.text), len(hidden)) > MOST_CHARACTERS:
        unseen = "It is too long to be shown whole"
    subject = becomes.subject or (reply_subject(answered.subject) if answered else "")
    return Sight(record, becomes, to, cc, subject, hidden, parent, unseen)


async def _parent(look: Look, record: DraftRecord) -> Message | None:
    """Return the message that a draft answers or sends on, if the caller may see it."""
    if record.parent_id is None:
        return None
    try:
        found = await look.get("messages", public_id("msg", record.parent_id))
    except ApiError as error:
        if error.code in ("missing_permission", "not_found"):
            return None
        raise
    return await look.parts.actions.message(found.id)


async def _page(look: Look, sight: Sight, problem: ApiError | None = None) -> web.Response:
    path = ("inboxes", sight.record.inbox, "drafts", sight.id)
    return await form_page(
        "draft.html",
        problem,
        look=look,
        sight=sight,
        draft=sight.record,
        beside=list(_beside(sight.becomes)),
        remote=look.said("remote") == "1",
        may_send=not sight.unseen and look.may("POST", *path, "send"),
        may_delete=look.may("DELETE", *path),
        token=forms.token(look, f"draft {sight.id}"),
        public_id=public_id,
    )


def _beside(draft: Draft) -> Iterator[tuple[str, str]]:
    """Yield what else goes with a draft, or happens with it at its provider."""
    yield from ((f"header {name}", value) for name, value in draft.headers.items())
    if draft.tag:
        yield "tag", draft.tag
    yield from ((f"metadata {name}", value) for name, value in draft.metadata.items())
    given: dict[str, Any] = draft.options.given()
    yield from ((name, json.dumps(value, ensure_ascii=False)) for name, value in given.items())

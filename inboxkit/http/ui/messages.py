"""The pages of mail: inboxes and what is newest, a thread, a message, its bytes and its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...blocking import in_thread
from ..api.envelope import ApiError
from . import arriving
from .rendering import next_page, page, see_other

if TYPE_CHECKING:
    from aiohttp import web

    from .look import Look

_MESSAGES, _INBOXES, _INBOXES_ASIDE, _IN_THREAD = 25, 50, 30, 20
_SOURCE_BYTES = 128 * 1024
_WRONG_QUERY = ("validation_error", "unprocessable")


async def newest(look: Look) -> web.Response:
    """Show the newest messages, of one inbox or all, or those that a search finds."""
    query, inbox = look.said("q"), look.said("inbox")
    problem, listed = "", None
    try:
        listed = await look.get(
            "messages",
            query=query,
            inbox=inbox,
            limit=_MESSAGES,
            brief="true",
            page_token=look.said("page_token"),
        )
    except ApiError as error:
        if error.code not in _WRONG_QUERY:
            raise
        problem = error.message
    return await page(
        "newest.html",
        status=400 if problem else 200,
        look=look,
        query=query,
        inbox=inbox,
        problem=problem,
        messages=[] if listed is None else listed.messages,
        older=next_page("/", listed, q=query, inbox=inbox),
        inboxes=await look.get_if_allowed("inboxes", limit=_INBOXES_ASIDE),
        may_arrive=arriving.is_open(look),
        may_write=bool(inbox) and look.may("POST", "inboxes", inbox, "messages", "send"),
    )


async def inboxes(look: Look) -> web.Response:
    """Show all inboxes, a page at a time, or those whose words begin so."""
    query, token = look.said("q"), look.said("page_token")
    if query:
        listed = await look.get("inboxes", "search", q=query, limit=_INBOXES, page_token=token)
    else:
        listed = await look.get("inboxes", limit=_INBOXES, page_token=token)
    return await page(
        "inboxes.html",
        look=look,
        query=query,
        inboxes=listed.inboxes,
        older=next_page("/mail/inboxes", listed, q=query),
    )


async def thread(look: Look) -> web.Response:
    """Show a conversation, what came and what went, the oldest first on each page."""
    thread_id = look.name("thread_id")
    found = await look.get(
        "threads", thread_id, limit=_IN_THREAD, page_token=look.said("page_token")
    )
    return await page(
        "thread.html",
        look=look,
        thread=found,
        messages=[(m, _folded(m.text or "", m.extracted_text or "")) for m in found.messages],
        older=next_page(f"/mail/threads/{found.thread_id}", found),
        may_reply=look.may("POST", "inboxes", found.inbox_id, "messages", "-", "reply"),
    )


async def message(look: Look) -> web.Response:
    """Show a message with all that is known of it."""
    found = await look.get("messages", look.name("message_id"))
    about = None
    if found.thread_id:  # else it is not read yet, and there is nothing to explain
        about = await look.get_if_allowed("inboxes", found.inbox, "messages", found.id, "explain")
    return await page(
        "message.html",
        look=look,
        message=found,
        about=about,
        remote=look.said("remote") == "1",
        may_arrive=found.direction == "outbound" and arriving.is_open(look),
        may_reply=bool(found.thread_id)
        and look.may("POST", "inboxes", found.inbox, "messages", found.id, "reply"),
    )


async def source(look: Look) -> web.Response:
    """Show the beginning of a message's bytes as they came."""
    found = await look.get("messages", look.name("message_id"))
    whole = await look.parts.actions.open_raw(await look.parts.actions.message(found.id))
    with whole:
        begin = await in_thread(whole.read, _SOURCE_BYTES)
    text = begin.decode("utf-8", "replace").replace("\r\n", "\n")
    return await page(
        "source.html", look=look, message=found, text=text, more=found.size > len(begin)
    )


async def raw(look: Look) -> web.Response:
    """Lead to a message's bytes, as a download."""
    found = await look.get("messages", look.name("message_id"))
    return download(await look.get("inboxes", found.inbox, "messages", found.id, "raw"))


async def attachment(look: Look) -> web.Response:
    """Lead to a file, as a download."""
    found, file = await look.get("messages", look.name("message_id")), look.name("attachment_id")
    where = ("inboxes", found.inbox, "messages", found.id, "attachments", file)
    return download(await look.get(*where))


def download(answer: Any) -> web.Response:
    """Lead to a download; each click asks for its address, which is good for an hour."""
    url: str = answer.download_url
    return see_other(urlsplit(url).path)


def _folded(text: str, new: str) -> tuple[str, str]:
    """Return the new words of a message, and what stands behind them (quotes, a signature).

    What was quoted in between cannot be told apart so: the whole is folded then.
    """
    whole, new = text.strip(), new.strip()
    if not new or new == whole:
        return whole, ""
    return new, whole.removeprefix(new).lstrip("\n")

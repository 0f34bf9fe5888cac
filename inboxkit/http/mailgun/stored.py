"""Stored messages: read, download, send again, delete; and what waits to be sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ...errors import NotFound
from ...pipeline.deletion import delete_messages, delete_scheduled
from ...providers import mailgun_requests
from ...providers.mailgun_requests import Refusal, SendRequest
from ...store import inboxes, mailgun_sends, records
from ...tokens import row_id
from ..api import downloads
from .call import Call, Route
from .messages import accepted, mime_draft
from .webhooks import check_reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...store.records import Shown

_MIME = ("message/rfc2822", "message/rfc822")


async def _wanted(call: Call) -> Shown:
    """Return the message of the path; raise Refusal 404 for one out of reach."""
    try:
        row = row_id("msg", call.ids["key"])
    except ValueError:
        raise Refusal(404, "Message not found") from None
    if not await call.store.read(mailgun_sends.within, call.reach, call.domain, row):
        raise Refusal(404, "Message not found")
    found = await call.store.read(records.shown, [row], call.parts.actions)
    if not found or found[0].labels & set(call.reach.forbidden):
        raise Refusal(404, "Message not found")
    return found[0]


async def _raw(shown: Shown) -> bytes:
    try:
        return await shown.message.raw()
    except NotFound:
        raise Refusal(404, "Message not found") from None


async def get(call: Call) -> Mapping[str, Any]:
    """Return a stored message: its parts, or with Accept: message/rfc2822 its bytes."""
    shown = await _wanted(call)
    message = shown.message
    said: dict[str, Any] = {
        "From": str(message.sender),
        "To": ", ".join(map(str, message.to)),
        "Subject": message.subject,
        "Message-Id": message.message_id,
        "sender": message.envelope.mail_from or message.sender.email,
        "recipients": ", ".join(message.envelope.rcpt_to),
        "from": str(message.sender),
        "subject": message.subject,
    }
    if _asks_for_mime(call):
        return said | {"body-mime": (await _raw(shown)).decode("utf-8", "replace")}
    files = _files(call, shown)
    headers = message.headers or {n: said[n] for n in ("From", "To", "Subject", "Message-Id")}
    return said | {
        "body-plain": message.text,
        "body-html": message.html,
        "stripped-text": message.reply_text,
        "stripped-html": shown.reply_html or message.html,
        "stripped-signature": message.signature,
        "message-headers": [[name, value] for name, value in headers.items()],
        "content-id-map": {
            f"<{file.content_id}>": told
            for file, told in zip(message.attachments, files, strict=True)
            if file.content_id
        },
        "attachments": files,
    }


def _asks_for_mime(call: Call) -> bool:
    """Whether Accept names the type of a whole mail, among others or alone."""
    ranges = call.headers.get("Accept", "").split(",")
    return any(one.partition(";")[0].strip().lower() in _MIME for one in ranges)


def _files(call: Call, shown: Shown) -> list[dict[str, Any]]:
    expires_at = downloads.expiry(call.now)
    return [
        {
            "name": file.filename,
            "content-type": file.content_type,
            "size": file.size,
            "url": downloads.file_url(call.base, call.store.secret, file, expires_at),
        }
        for file in shown.message.attachments
    ]


async def attachment(call: Call) -> web.Response:
    """Return a file of a stored message, by its place."""
    files = (await _wanted(call)).message.attachments
    number = call.ids["number"]
    if number not in map(str, range(len(files))):
        raise Refusal(404, "Attachment not found")
    file = files[int(number)]
    data = await call.parts.actions.open_attachment(file)
    return downloads.served(downloads.Download(data, file.content_type, file.safe_name))


async def resend(call: Call) -> Mapping[str, Any]:
    """Send a stored message again, from its inbox, to others."""
    shown = await _wanted(call)
    check_reader(call)
    form = mailgun_requests.read_form(call.content_type, call.body)
    to = mailgun_requests.people(form, "to")
    parsed = await call.parts.parser.read(await _raw(shown))
    asked = SendRequest(sender=shown.message.inbox, to=to)
    drafts = [mime_draft(asked, parsed, asked.rcpt_to)]
    inbox = await call.store.read(inboxes.require, shown.message.inbox)
    return await accepted(call, asked, drafts, inbox, answers=parsed.in_reply_to)


async def delete(call: Call) -> Mapping[str, Any]:
    """Delete a stored message for good."""
    shown = await _wanted(call)
    rows = [row_id("msg", shown.message.id)]
    await delete_messages(call.store, rows)
    return {"message": "Message has been deleted"}


async def drop_scheduled(call: Call) -> Mapping[str, Any]:
    """Take back what a domain has not sent yet because its time has not come."""
    rows = await call.store.read_at_length(mailgun_sends.scheduled, call.reach, call.domain)
    await delete_scheduled(call.store, rows)
    return {"message": "done"}


async def queues(call: Call) -> web.Response:
    """Say that the queues are open: sends are stored before they are answered."""
    open_ = {"is_disabled": False, "disabled": {"until": "", "reason": ""}}
    body = json.dumps({"regular": open_, "scheduled": open_}).encode()
    return web.Response(body=body, content_type="application/json")


_ITEM = "/v3/domains/{domain}/messages/{key}"
ROUTES = (
    Route("GET", _ITEM, get, "message_read"),
    Route("GET", f"{_ITEM}/attachments/{{number}}", attachment, "message_read"),
    Route("POST", _ITEM, resend, "message_send"),
    Route("DELETE", _ITEM, delete, "message_delete"),
    Route("DELETE", "/v3/{domain}/envelopes", drop_scheduled, "message_delete"),
    Route("GET", "/v3/domains/{domain}/sending_queues", queues, "message_read"),
    Route("GET", "/v3/{domain}/sending_queues", queues, "message_read"),
)

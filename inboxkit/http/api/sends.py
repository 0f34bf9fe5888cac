"""Send, reply, reply to all, forward: the way of ``Inbox.send``, with labels and idempotency."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from ...drafting import quoting
from ...store import acceptance, idempotency
from ...store.acceptance import Acceptance
from ...store.idempotency import Claim
from ...tokens import row_id
from ...values import Draft
from .envelope import ApiError, invalid
from .messages import wanted
from .routing import At, Route
from .schemas.messages import (
    ComposeRequest,
    ReplyAllMessageRequest,
    ReplyToMessageRequest,
    SendMessageRequest,
    SendMessageResponse,
    SentExtra,
)
from .targets import shown_message_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ...actions import LocalActions
    from ...models import Message
    from ...settings import Settings
    from ...values import File
    from .access import Identity
    from .call import Call
    from .routing import Answer
    from .schemas.attachments import SendAttachment

R = TypeVar("R", bound=ComposeRequest)
_KEPT = timedelta(hours=24)
_MOST_KEY_CHARACTERS = 256
MOST_BYTES = 36 * 1024 * 1024  # 25 MiB of files in base64


async def send(call: Call[SendMessageRequest]) -> SendMessageResponse:
    """Send a mail. The header Idempotency-Key makes a repeated request send once."""
    _require_recipients(call.given)

    async def go(actions: LocalActions, draft: Draft) -> Message:
        return await actions.send(call.inbox.address, draft)

    return await accepted(call, "send", go)


async def reply(call: Call[ReplyToMessageRequest]) -> SendMessageResponse:
    """Answer a message in its thread, to its Reply-To or sender unless told otherwise."""
    asked = call.given
    return await _reply(call, "reply", everyone=asked.reply_all or asked.inboxkit.everyone)


async def reply_all(call: Call[ReplyAllMessageRequest]) -> SendMessageResponse:
    """Answer a message in its thread, to everybody who got it."""
    return await _reply(call, "reply-all", everyone=True)


async def _reply(call: Call[R], endpoint: str, *, everyone: bool) -> SendMessageResponse:
    parent = (await wanted(call)).message

    async def go(actions: LocalActions, draft: Draft) -> Message:
        quoted = quoting(draft, parent) if call.given.inboxkit.quote else draft
        return await actions.reply(parent, quoted, everyone=everyone)

    return await accepted(call, f"{endpoint} {parent.id}", go)


async def forward(call: Call[SendMessageRequest]) -> SendMessageResponse:
    """Send a message on, as an attached message, to somebody else."""
    _require_recipients(call.given)
    found = (await wanted(call)).message

    async def go(actions: LocalActions, draft: Draft) -> Message:
        return await actions.forward(found, draft)

    return await accepted(call, f"forward {found.id}", go)


def _require_recipients(asked: SendMessageRequest) -> None:
    if not (asked.to or asked.cc or asked.bcc):
        raise invalid("give at least one recipient", "to")


async def accepted(
    call: Call[R],
    endpoint: str,
    go: Callable[[LocalActions, Draft], Awaitable[Message]],
) -> SendMessageResponse:
    """Send once under the request's idempotency key; what is refused is not stored."""
    claim = claimed(call, endpoint)
    if claim is not None:
        known = await call.store.read(idempotency.answered, claim, call.now)
        if known is not None:
            return answer(known)
    check_sending(call)
    draft = drafted(call.given)
    stored = Acceptance(call.given.labels, claim, call.now)
    return await sent(call, await go(call.parts.actions.storing(stored.store), draft))


async def sent(call: Call[Any], message: Message) -> SendMessageResponse:
    """Return what a send is answered with."""
    return answer(await call.store.read(acceptance.answer, row_id("msg", message.id)))


def answer(said: Mapping[str, Any]) -> SendMessageResponse:
    """Return what was remembered of a send for the wire."""
    message_id = shown_message_id(said["message_id"])
    extra = SentExtra(id=said["id"]) if "id" in said else None
    return SendMessageResponse(message_id=message_id, thread_id=said["thread_id"], inboxkit=extra)


def claimed(call: Call[Any], endpoint: str) -> Claim | None:
    """Return the claim of the header Idempotency-Key, which holds for a day and the key's scope."""
    key = call.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not key.strip() or len(key) > _MOST_KEY_CHARACTERS:
        raise invalid(f"has 1 to {_MOST_KEY_CHARACTERS} characters", "Idempotency-Key")
    asked = f"{call.inbox.address} {endpoint} {call.given.model_dump_json()}"
    fingerprint = hashlib.sha256(asked.encode("utf-8", "replace")).hexdigest()
    scope = "organization" if call.who.pod_id is None else call.who.pod_id
    return Claim(scope, key.strip(), fingerprint, call.now + _KEPT)


def check_sending(call: Call[Any]) -> None:
    """Raise ApiError when the inbox is paused, or a test key would reach people."""
    if call.inbox.status == "paused":
        raise ApiError("message_rejected", f"Inbox {call.inbox.address} is paused")
    check_live(call.parts.settings, call.who)


def check_live(settings: Settings, who: Identity) -> None:
    """Raise ApiError when a test key would reach people."""
    real = [name for name in settings.provider if name != "memory"]
    if real and not who.live:
        raise ApiError(
            "message_rejected",
            f"A test key cannot send through {real[0]}",
            fix="use a live key; make one with: inboxkit key create --live NAME",
        )


def drafted(asked: ComposeRequest) -> Draft:
    """Return what a request wants sent; raise ApiError for files that cannot be read."""
    draft = Draft(
        text=asked.text or "",
        html=asked.html or "",
        reply_to=tuple(asked.reply_to),
        attachments=tuple(files(asked.attachments)),
        headers=dict(asked.headers),
        tag=asked.inboxkit.tag,
        metadata=dict(asked.inboxkit.metadata),
        key=asked.inboxkit.key,
        at=asked.inboxkit.at,
    )
    if isinstance(asked, (SendMessageRequest, ReplyToMessageRequest)):
        draft = replace(draft, to=tuple(asked.to), cc=tuple(asked.cc), bcc=tuple(asked.bcc))
    if isinstance(asked, SendMessageRequest):
        draft = replace(draft, subject=asked.subject or "")
    return draft


def files(asked: Sequence[SendAttachment]) -> Sequence[File]:
    """Return the files to send; raise ApiError for those that cannot be read."""
    found: list[File] = []
    for place, one in enumerate(asked):
        if one.url is not None:
            raise ApiError(
                "unprocessable",
                f"attachments.{place}.url: files are not fetched from elsewhere",
                fix="give the file itself as content, in base64",
            )
        try:
            found.append(one.file())
        except ValueError as error:
            raise invalid(str(error), "attachments", str(place)) from None
    return found


def _route(path: str, handler: Callable[[Call[R]], Awaitable[Answer]], takes: type[R]) -> Route[R]:
    gives, at = SendMessageResponse, At.INBOX
    return Route("POST", path, handler, takes, gives, "message_send", at, MOST_BYTES)


_ITEM = "/messages/{message_id}"
ROUTES: tuple[Route[Any], ...] = (
    _route("/messages/send", send, SendMessageRequest),
    _route(f"{_ITEM}/reply", reply, ReplyToMessageRequest),
    _route(f"{_ITEM}/reply-all", reply_all, ReplyAllMessageRequest),
    _route(f"{_ITEM}/forward", forward, SendMessageRequest),
)

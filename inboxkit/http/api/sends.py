"""Send, reply, reply to all, forward: the way of ``Inbox.send``, with labels and idempotency."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from ...blocking import in_thread
from ...drafting import quoted_below
from ...errors import SendError
from ...sending import people
from ...store import acceptance, idempotency
from ...store.acceptance import Acceptance
from ...store.idempotency import Claim
from ...store.inboxes import PAUSED
from ...tokens import row_id
from ...values import Draft, ProviderOptions
from .envelope import ApiError, invalid
from .files import files
from .input import is_text
from .messages import SYSTEM_LABELS, wanted
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
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from pydantic import BaseModel

    from ...actions import LocalActions
    from ...models import Message
    from ...settings import Settings
    from ...values import File
    from .access import Identity
    from .call import Call
    from .routing import Answer

R = TypeVar("R", bound=ComposeRequest)
KEPT = timedelta(hours=24)  # what was answered under an idempotency key
_MOST_KEY_CHARACTERS = 256
_MOST_HEAD_CHARACTERS = 256 * 1024
_QUICKLY_HASHED = 64 * 1024  # characters
_QUICKLY_CHECKED = 2 * 1024  # characters of addresses, of which each takes 0.05 to 0.2 ms
MOST_BYTES = 36 * 1024 * 1024  # 25 MiB of files in base64


async def send(call: Call[SendMessageRequest]) -> SendMessageResponse:
    """Send a mail. The header Idempotency-Key makes a repeated request send once."""
    _require_recipients(call.given)

    async def go(actions: LocalActions, draft: Draft) -> Message:
        return await actions.send(call.inbox.address, draft)

    return await accepted(call, "send", go)


async def reply(call: Call[ReplyToMessageRequest]) -> SendMessageResponse:
    """Answer a message in its thread, to its Reply-To or sender unless told otherwise.

    To answer to others the key needs ``message_read`` as well: they read what is quoted.
    """
    asked = call.given
    if asked.to or asked.cc or asked.bcc:
        await _readable(call)
    return await _reply(call, "reply", everyone=asked.reply_all or asked.inboxkit.everyone)


async def reply_all(call: Call[ReplyAllMessageRequest]) -> SendMessageResponse:
    """Answer a message in its thread, to everybody who got it."""
    return await _reply(call, "reply-all", everyone=True)


async def _reply(call: Call[R], endpoint: str, *, everyone: bool) -> SendMessageResponse:
    parent = (await wanted(call)).message

    async def go(actions: LocalActions, draft: Draft) -> Message:
        quoted = await quoted_below(draft, parent) if call.given.inboxkit.quote else draft
        return await actions.reply(parent, quoted, everyone=everyone)

    return await accepted(call, f"{endpoint} {parent.id}", go)


async def forward(call: Call[SendMessageRequest]) -> SendMessageResponse:
    """Send a message on, as an attached message, to somebody else.

    The key needs ``message_read`` as well.
    """
    _require_recipients(call.given)
    found = await _readable(call)

    async def go(actions: LocalActions, draft: Draft) -> Message:
        return await actions.forward(found, draft)

    return await accepted(call, f"forward {found.id}", go)


async def _readable(call: Call[Any]) -> Message:
    """Return the message of the path; raise ApiError for a key that may not read it."""
    found = (await wanted(call)).message
    if not call.who.allows("message_read"):
        raise ApiError("missing_permission", "The key lacks the permission message_read")
    return found


def _require_recipients(asked: SendMessageRequest) -> None:
    if not (asked.to or asked.cc or asked.bcc):
        raise invalid("give at least one recipient", "to")


async def accepted(
    call: Call[R],
    endpoint: str,
    go: Callable[[LocalActions, Draft], Awaitable[Message]],
) -> SendMessageResponse:
    """Send once under the request's idempotency key; what is refused is not stored."""
    claim = await claimed(call, endpoint)
    if claim is not None:
        known = await call.store.read(idempotency.answered, claim, call.now)
        if known is not None:
            return answer(known)
    check_sending(call)
    check_labels(call.given.labels)
    draft = await drafted(call.given, await files(call, call.given.attachments))
    stored = Acceptance(call.given.labels, claim, call.now)
    return await sent(call, await go(call.parts.actions.storing(stored.store), draft), stored.said)


async def sent(call: Call[Any], message: Message, said: Mapping[str, Any]) -> SendMessageResponse:
    """Return what a send is answered with: ``said``, or nothing was stored as it was here before.

    After the commit nothing is read, so that no failure makes a client send it again.
    """
    found = said or await call.store.read(acceptance.answer, row_id("msg", message.id))
    return answer(found)


def answer(said: Mapping[str, Any]) -> SendMessageResponse:
    """Return what was remembered of a send for the wire."""
    message_id = shown_message_id(said["message_id"])
    extra = SentExtra(id=said["id"]) if "id" in said else None
    return SendMessageResponse(message_id=message_id, thread_id=said["thread_id"], inboxkit=extra)


async def claimed(call: Call[Any], endpoint: str) -> Claim | None:
    """Return the claim of the header Idempotency-Key, which holds for a day and the key's scope.

    Without the header: where the settings say so, the claim of the very same request.
    """
    key = idempotency_key(call)
    if key is None:
        return await _same(call, endpoint)
    until = call.now + KEPT
    return Claim(call.who.claims_in, key, await _fingerprint(call, endpoint), until)


def idempotency_key(call: Call[Any]) -> str | None:
    """Return the header Idempotency-Key, None without it; raise ApiError for what is no key."""
    key = call.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not key.strip() or len(key) > _MOST_KEY_CHARACTERS:
        raise invalid(f"has 1 to {_MOST_KEY_CHARACTERS} characters", "Idempotency-Key")
    if not is_text(key):
        raise invalid("is not UTF-8", "Idempotency-Key")
    return key.strip()


async def _same(call: Call[Any], endpoint: str) -> Claim | None:
    window = call.parts.settings.same_send_seconds
    if not window:
        return None
    caller = 0 if call.who.key is None else call.who.key.id
    fingerprint = await _fingerprint(call, endpoint)
    until = call.now + timedelta(seconds=window)
    return Claim(f"same {caller}", fingerprint, fingerprint, until, idempotency.is_there)


async def _fingerprint(call: Call[Any], endpoint: str) -> str:
    said = f"{call.inbox.address} {endpoint} "
    if _is_long(call.given):
        return await in_thread(_hashed, said, call.given)
    return _hashed(said, call.given)


def _is_long(given: BaseModel) -> bool:
    """Whether a request is so long that others would wait while it is written and hashed."""
    if not isinstance(given, ComposeRequest):
        return False
    words = len(given.text or "") + len(given.html or "")
    return words + sum(len(f.content or "") for f in given.attachments) > _QUICKLY_HASHED


def _hashed(said: str, given: BaseModel) -> str:
    # Without defaults: a field that a later version adds makes no request another one.
    asked = said + given.model_dump_json(exclude_defaults=True)
    return hashlib.sha256(asked.encode("utf-8", "replace")).hexdigest()


def check_sending(call: Call[Any]) -> None:
    """Raise ApiError when the inbox is paused, or a test key would reach people."""
    if call.inbox.status == PAUSED:
        raise ApiError(
            "inbox_paused",
            f"Inbox {call.inbox.address} is paused and sends nothing",
            fix='make it active again: PATCH /v0/inboxes/{inbox_id} with {"status": "active"}',
        )
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


def check_labels(labels: Sequence[str]) -> None:
    """Raise ApiError for a label that says what a message is: nobody else can give it."""
    refused = sorted(SYSTEM_LABELS.intersection(labels))
    if refused:
        raise invalid(f"{refused[0]!r} is given by the server", "labels")


async def check_addresses(named: Mapping[str, Sequence[str]]) -> None:
    """Raise ApiError that names the field of what is no address; of many this is seen aside."""
    check_head(one for addresses in named.values() for one in addresses)
    if sum(len(one) for addresses in named.values() for one in addresses) > _QUICKLY_CHECKED:
        await in_thread(_check_addresses, named)
    else:
        _check_addresses(named)


def _check_addresses(named: Mapping[str, Sequence[str]]) -> None:
    for field, addresses in named.items():
        try:
            people(addresses)
        except SendError as error:
            raise invalid(str(error), field) from None


def check_head(words: Iterable[str]) -> None:
    """Raise ApiError when the header of a mail would take long to read, to write and to send.

    ``words`` are the addresses, the subject and whatever else stands there.
    """
    if sum(map(len, words)) > _MOST_HEAD_CHARACTERS:
        raise ApiError(
            "payload_too_large",
            f"Recipients, subject and headers have more than {_MOST_HEAD_CHARACTERS} characters",
            fix="send to fewer at once",
        )


async def drafted(asked: ComposeRequest, attachments: Sequence[File]) -> Draft:
    """Return what a request wants sent."""
    draft = Draft(
        text=asked.text or "",
        html=asked.html or "",
        reply_to=tuple(asked.reply_to),
        attachments=tuple(attachments),
        headers=dict(asked.headers),
        tag=asked.inboxkit.tag,
        metadata=dict(asked.inboxkit.metadata),
        key=asked.inboxkit.key,
        at=asked.inboxkit.at or asked.send_at,
        options=_options(asked),
    )
    if isinstance(asked, (SendMessageRequest, ReplyToMessageRequest)):
        draft = replace(draft, to=tuple(asked.to), cc=tuple(asked.cc), bcc=tuple(asked.bcc))
    if isinstance(asked, SendMessageRequest):
        draft = replace(draft, subject=asked.subject or "")
    check_head((draft.subject, *(word for field in draft.headers.items() for word in field)))
    check_head(word for f in draft.attachments for word in (f.filename, f.content_type))
    await check_addresses({name: getattr(draft, name) for name in ("to", "cc", "bcc", "reply_to")})
    return draft


def _options(asked: ComposeRequest) -> ProviderOptions:
    ours = asked.inboxkit
    return ProviderOptions(
        track_opens=asked.track_opens,
        track_clicks=ours.track_clicks,
        template=ours.template,
        variables=ours.variables,
        recipient_variables=ours.recipient_variables,
    )


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

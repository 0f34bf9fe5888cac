"""Drafts: create, list, get, change, delete, send; a person approves one by sending it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...compose import references_for, reply_subject
from ...drafting import Drafting
from ...sending import Context, recipients
from ...store import drafts, idempotency, wire_ids
from ...store.departing import Changed, Departure
from ...store.drafts import FAILED, SCHEDULED, DraftRecord
from ...tokens import new_id, row_id
from ...values import Draft as OurDraft
from . import downloads, files, messages, preconditions, sends
from .envelope import ApiError, invalid
from .routing import EVERYWHERE, At, Route
from .schemas.attachments import AttachmentResponse
from .schemas.drafts import (
    CreateDraftRequest,
    Draft,
    ListDraftsQuery,
    ListDraftsResponse,
    SendDraftRequest,
    UpdateDraftRequest,
    draft,
    file,
    item,
)
from .schemas.messages import SendMessageResponse
from .schemas.wire import Nothing
from .targets import names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ...models import Message
    from ...store.drafts import DraftFile
    from ...values import File
    from .call import Call
    from .schemas.attachments import SendAttachment

_SYSTEM_LABELS = frozenset({SCHEDULED, FAILED, "received", "sent", "bounced"})
_MOST_LABELS = 100
_RECIPIENTS = ("to", "cc", "bcc", "reply_to")
_WORDS = ("subject", "text", "html")


async def create(call: Call[CreateDraftRequest]) -> Draft:
    """Make a draft; the same ``client_id`` returns the same draft.

    ``inboxkit.key`` is the key of its send: 409 when a mail was sent under it. An answer takes its
    recipients and its subject from the message that it answers.
    """
    asked = call.given
    plain = DraftRecord(
        id=new_id(),
        inbox_id=call.inbox.id,
        inbox=call.inbox.address,
        client_id=asked.client_id,
        labels=_labels(asked.labels or (), ()),
        **_given(asked, (*_RECIPIENTS, *_WORDS)),
        reply_all=bool(asked.reply_all),
        extra={} if asked.inboxkit.key is None else {"key": asked.inboxkit.key},
        send_at=asked.send_at,
        send_status=SCHEDULED if asked.send_at else "",
        created_at=call.now,
        updated_at=call.now,
    )
    wanted = await _placed(call, plain)
    await _check(call, wanted, asked.send_at)
    given = await _files(call, asked.attachments or ())
    return draft(await call.store.write(drafts.create_once, wanted, given))


def _given(asked: CreateDraftRequest | UpdateDraftRequest, fields: Sequence[str]) -> dict[str, Any]:
    """Return these fields; what is null is empty."""
    words = {name: getattr(asked, name) or "" for name in fields if name in _WORDS}
    return words | {n: tuple(getattr(asked, n) or ()) for n in fields if n in _RECIPIENTS}


async def _placed(call: Call[CreateDraftRequest], plain: DraftRecord) -> DraftRecord:
    """Return a draft with what it takes from the message that it answers or sends on."""
    asked = call.given
    if asked.forward_of:
        parent, row, name = await _parent(call, asked.forward_of, "forward_of")
        subject = plain.subject or f"Fwd: {' '.join(parent.subject.split())}"
        return replace(plain, parent_id=row, forward_of=name, subject=subject)
    if not asked.in_reply_to:
        return plain
    parent, row, name = await _parent(call, asked.in_reply_to, "in_reply_to")
    context = Context(inbox=call.inbox, parent=parent, everyone=plain.reply_all)
    to, cc = recipients(OurDraft(to=plain.to, cc=plain.cc), context)
    return replace(
        plain,
        parent_id=row,
        in_reply_to=name,
        to=tuple(map(str, to)),
        cc=tuple(map(str, cc)),
        subject=plain.subject or reply_subject(parent.subject),
        references=tuple(references_for(parent.message_id, parent.references, parent.in_reply_to)),
    )


async def _parent(call: Call[Any], given: str, field: str) -> tuple[Message, int, str]:
    if not call.who.allows("message_read"):
        raise ApiError("missing_permission", "The key lacks the permission message_read")
    wanted = list(dict.fromkeys((given, *names(given))))
    row = await call.store.read(wire_ids.find, call.reach, call.inbox.id, wanted)
    found = [] if row is None else await messages.shown(call, [row])
    if not found or row is None:
        raise invalid("names no message of this inbox", field)
    return found[0].message, row, found[0].name


async def _check(call: Call[Any], wanted: DraftRecord, send_at: datetime | None) -> None:
    """Raise unless everybody can be written to, and the key may have it sent if it will be.

    ``send_at`` is what the request says of that; without it a draft keeps the time that it has.
    """
    await sends.check_addresses({name: getattr(wanted, name) for name in _RECIPIENTS})
    sends.check_head([wanted.subject])
    if wanted.send_status != SCHEDULED:
        return
    if not call.who.allows("draft_send"):
        raise ApiError(
            "missing_permission",
            "The key lacks the permission draft_send, and the draft will be sent at its send_at",
            fix="give no send_at, or null to take it back: who has the permission sends the draft",
        )
    if send_at is None:
        sends.check_live(call.parts.settings, call.who)
        return
    if send_at <= call.now:
        raise invalid("lies in the past", "send_at")
    if not (wanted.to or wanted.cc or wanted.bcc):
        raise invalid("a draft that is to be sent needs a recipient", "to")
    sends.check_sending(call)


def _labels(
    add: Sequence[str], remove: Sequence[str], known: Sequence[str] = ()
) -> tuple[str, ...]:
    refused = sorted(_SYSTEM_LABELS.intersection((*add, *remove)))
    if refused:
        raise invalid(f"{refused[0]!r} is given by the server", "labels")
    found = tuple(name for name in dict.fromkeys((*known, *add)) if name not in remove)
    if len(found) > _MOST_LABELS:
        raise invalid(f"more than {_MOST_LABELS} labels", "labels")
    return found


async def _files(call: Call[Any], asked: Sequence[SendAttachment], kept: int = 0) -> Sequence[File]:
    """Return the files to add; raise ApiError when all files are too large together."""
    found = await files.files(call, asked)
    if kept + sum(len(one.data) for one in found) > files.MOST_BYTES:
        raise files.too_large()
    return found


async def listed(call: Call[ListDraftsQuery]) -> ListDraftsResponse:
    """List drafts, newest first."""
    asked = call.given
    page = call.by_id("drafts", asked)
    found = await call.store.read_at_length(
        drafts.listed,
        call.reach,
        page,
        labels=asked.labels,
        before=asked.before,
        after=asked.after,
    )
    items, fields = call.cut("drafts", page, found, lambda record: [record.id])
    return ListDraftsResponse(drafts=[item(record) for record in items], **fields)


async def _wanted(call: Call[Any]) -> DraftRecord:
    """Return the draft of the path; raise ApiError 404."""
    try:
        row = row_id("drf", call.name("draft_id"))
    except ValueError:
        raise call.unknown("Draft", "draft_id") from None
    found = await call.store.read(drafts.find, call.reach, row)
    if found is None:
        raise call.unknown("Draft", "draft_id")
    return found


async def _seen(call: Call[Any]) -> DraftRecord:
    """Return the draft of the path as the caller has seen it; raise ApiError 404 or 412."""
    found = await _wanted(call)
    preconditions.check(call.headers, preconditions.etag(found.updated_at), _named(call))
    return found


def _named(call: Call[Any]) -> str:
    return f"Draft {call.name('draft_id')}"


async def get(call: Call[Nothing]) -> Draft:
    """Return a draft with its words.

    The header ETag is its version: with If-Match it is changed, sent or deleted as it was seen.
    """
    return draft(await _wanted(call))


async def get_attachment(call: Call[Nothing]) -> AttachmentResponse:
    """Return a file of a draft, with where it can be downloaded."""
    found = _file(call, await _wanted(call), call.name("attachment_id"))
    if found is None:
        raise call.unknown("Attachment", "attachment_id")
    until = downloads.expiry(call.now)
    return AttachmentResponse(
        **file(found).model_dump(),
        download_url=downloads.draft_file_url(call.base, call.store.secret, found.id, until),
        expires_at=until,
    )


def _file(call: Call[Any], record: DraftRecord, name: str) -> DraftFile | None:
    try:
        row = row_id("att", name)
    except ValueError:
        return None
    return next((one for one in record.files if one.id == row), None)


async def update(call: Call[UpdateDraftRequest]) -> Draft:
    """Change a draft, or when it is to be sent.

    With If-Match only the version that this header names: 412 for any other.
    """
    known, asked = await _seen(call), call.given
    given = asked.model_fields_set
    values = _given(asked, [name for name in (*_RECIPIENTS, *_WORDS) if name in given])
    values["labels"] = _labels(asked.add_labels or (), asked.remove_labels or (), known.labels)
    if "send_at" in given:
        status = SCHEDULED if asked.send_at else ""
        values |= {"send_at": asked.send_at, "send_status": status, "error": ""}
    await _check(call, replace(known, **values), asked.send_at)
    removed = [_file(call, known, name) for name in asked.remove_attachments or ()]
    if None in removed:
        raise invalid("names no file of this draft", "remove_attachments")
    gone = [one.id for one in removed if one is not None]
    kept = sum(one.size for one in known.files if one.id not in gone)
    added = await _files(call, asked.add_attachments or (), kept)
    changed = await call.store.write(
        drafts.change,
        known,
        values,
        add=added,
        remove=gone,
        now=call.now,
    )
    if changed is None:
        raise _changed(call)
    return draft(changed)


async def delete(call: Call[Nothing]) -> None:
    """Delete a draft; one that was scheduled is not sent.

    With If-Match only the version that this header names: 412 for any other.
    """
    if not await call.store.write(drafts.remove, await _seen(call)):
        raise _changed(call)


async def send(call: Call[SendDraftRequest]) -> SendMessageResponse:
    """Send a draft; it vanishes. Who may do this approves what others have drafted.

    The header Idempotency-Key makes a repeated request send once. With If-Match only the version
    that this header names is sent: 412 for any other.
    """
    claim = await sends.claimed(call, f"draft {call.ids['draft_id']}")
    if claim is not None:
        known = await call.store.read(idempotency.answered, claim, call.now)
        if known is not None:
            return sends.answer(known)
    record = await _seen(call)
    sends.check_sending(call)
    labels = _labels(call.given.add_labels or (), call.given.remove_labels or (), record.labels)
    departure = Departure(record, labels, call.now, claim)
    try:
        sent = await Drafting(call.store, call.parts.actions).send(departure)
    except Changed:
        raise _changed(call) from None
    return await sends.sent(call, sent, departure.said)


def _changed(call: Call[Any]) -> ApiError:
    if preconditions.is_conditional(call.headers):
        return preconditions.failed(_named(call))
    return ApiError(
        "conflict",
        f"{_named(call)} was changed, sent or deleted meanwhile",
        fix="get it again",
    )


_LIST, _ITEM = "/drafts", "/drafts/{draft_id}"
_FILE = f"{_ITEM}/attachments/{{attachment_id}}"
_AT = At.INBOX
_BYTES = sends.MOST_BYTES
ROUTES: tuple[Route[Any], ...] = (
    Route("POST", _LIST, create, CreateDraftRequest, Draft, "draft_create", _AT, _BYTES),
    Route("GET", _LIST, listed, ListDraftsQuery, ListDraftsResponse, "draft_read", EVERYWHERE),
    Route("GET", _ITEM, get, Nothing, Draft, "draft_read", EVERYWHERE),
    Route("PATCH", _ITEM, update, UpdateDraftRequest, Draft, "draft_update", _AT, _BYTES, True),
    Route("DELETE", _ITEM, delete, Nothing, None, "draft_delete", _AT, is_conditional=True),
    Route(
        "POST",
        f"{_ITEM}/send",
        send,
        SendDraftRequest,
        SendMessageResponse,
        "draft_send",
        _AT,
        is_conditional=True,
    ),
    Route("GET", _FILE, get_attachment, Nothing, AttachmentResponse, "draft_read", EVERYWHERE),
)

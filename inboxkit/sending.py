"""From what a caller wants sent to a composed message with a place in a thread, ready to store."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any

from .addresses import check_address, listed_form
from .compose import (
    Composition,
    compose,
    new_message_id,
    references_for,
    reply_subject,
)
from .errors import SendError
from .pipeline.addresses import reply_address
from .providers.base import Outgoing
from .store.messages import pairs
from .store.records import addresses
from .store.sends import Staged, blank_send
from .thread_index import index_root, thread_index_child, thread_index_root
from .tokens import new_id, public_id
from .values import Address, Draft, File

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from .models import Message
    from .settings import Settings
    from .store.inboxes import InboxRecord
    from .store.sends import Capped
    from .store.store import Store


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MANY_WORDS = 16 * 1024  # characters of the body
_FEW = 4  # mails of less than a millisecond each
_LONG_HEAD = 2 * 1024  # characters, such as 80 addresses of 0.05 to 0.2 ms each


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a draft is sent from and what it belongs to."""

    inbox: InboxRecord
    thread_id: int | None = None
    parent: Message | None = None  # the message that is answered, or the thread's last
    everyone: bool = False
    automatic: bool = False
    reminder: bool = False
    stopped: str = ""
    capped: Capped | None = None
    forwarded: bytes = b""
    original: Message | None = None  # the message that is sent on


def take_long(drafts: Sequence[Draft], context: Context) -> bool:
    """Whether others would have to wait while drafts are composed."""
    return len(drafts) > _FEW or any(_takes_long(draft, context) for draft in drafts)


def _takes_long(draft: Draft, context: Context) -> bool:
    if draft.attachments or context.forwarded or len(draft.text) + len(draft.html) > _MANY_WORDS:
        return True
    return sum(map(len, _head(draft, context))) > _LONG_HEAD


def _head(draft: Draft, context: Context) -> Iterator[str]:
    """Iterate over what is written into the header of a mail, or read for it."""
    yield draft.subject
    for given in (draft.to, draft.cc, draft.bcc, draft.reply_to):
        yield from given
    for name, value in draft.headers.items():
        yield from (name, value)
    parent = context.parent
    if parent is not None:
        yield parent.subject
        yield from parent.references
        for person in (*parent.to, *parent.cc, *parent.reply_to):
            yield from (person.name, person.email)


class Composer:
    """Makes staged sends; pure but for the ids and the large files that it writes."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self.loop_id = hashlib.sha256(b"loop" + store.identity).hexdigest()[:16]

    def stage_all(self, drafts: Sequence[Draft], context: Context, now: datetime) -> list[Staged]:
        """Compose drafts, as ``stage`` does each of them."""
        return [self.stage(draft, context, now) for draft in drafts]

    def stage(self, draft: Draft, context: Context, now: datetime) -> Staged:
        """Compose a draft; raise SendError when it cannot become a mail."""
        row_id = new_id()
        composition = self._composition(draft, context, row_id, now)
        try:
            raw = compose(composition)
        except ValueError as error:
            raise SendError(f"send from {context.inbox.address}: {error}") from error
        return self._staged(draft, context, composition, raw, row_id, now)

    def _composition(
        self, draft: Draft, context: Context, row_id: int, now: datetime
    ) -> Composition:
        inbox, parent = context.inbox, context.parent
        to, cc = recipients(draft, context)
        bcc = people(draft.bcc)
        if not (to or cc or bcc):
            raise SendError(f"send from {inbox.address}: it has no recipient")
        secret = self._store.secret
        tagged = reply_address(inbox.address, row_id, secret, self._settings.reply_domain)
        index = thread_index(parent, row_id, now)
        subject = draft.subject or (reply_subject(parent.subject) if parent else "")
        return Composition(
            draft=draft,
            sender=Address(inbox.address, inbox.display_name),
            message_id=new_message_id(row_id, inbox.address.rpartition("@")[2], secret),
            date=now,
            to=to,
            cc=cc,
            bcc=bcc,
            reply_to=people(draft.reply_to) or (Address(tagged, inbox.display_name),),
            subject=subject,
            in_reply_to=parent.message_id if parent else "",
            references=_references(parent),
            thread_index=index,
            thread_topic=subject,
            auto_submitted=context.automatic,
            loop_id=self.loop_id if context.automatic else "",
            forwarded=context.forwarded,
        )

    def _staged(
        self,
        draft: Draft,
        context: Context,
        made: Composition,
        raw: bytes,
        row_id: int,
        now: datetime,
    ) -> Staged:
        everybody = (*made.to, *made.cc, *made.bcc)
        later = draft.at is not None and draft.at > now
        return Staged(
            row=_row(draft, context, made, raw, row_id, now),
            content=_content(draft, made),
            packed=self._store.blobs.pack(raw),
            references=made.references,
            thread_id=context.thread_id,
            subject=made.subject,
            topic=index_root(made.thread_index),
            people=tuple((a.email, a.name) for a in (made.sender, *everybody)),
            due_at=draft.at if draft.at is not None and later else now,
            reminder=context.reminder,
            stopped=context.stopped,
            capped=context.capped,
            files=_as_composed(draft),
        )


def _row(
    draft: Draft, context: Context, made: Composition, raw: bytes, row_id: int, now: datetime
) -> dict[str, Any]:
    """Return the columns of the message."""
    later = draft.at is not None and draft.at > now
    asked = {
        "tag": draft.tag,
        "metadata": dict(draft.metadata),
        "send_key": draft.key,
        "send_at": draft.at,
        "text": draft.text,
        "attachment_count": len(draft.attachments),
        "fingerprint": fingerprint(draft, context),
        "state": "rejected" if context.stopped else "scheduled" if later else "queued",
    }
    placed = {
        "inbox_id": context.inbox.id,
        "thread_id": context.thread_id,
        "thread_reason": "send",
        "mail_from": context.inbox.address,
        "automatic": context.automatic,
        "error": context.stopped,
    }
    times = dict.fromkeys(("date_at", "received_at", "created_at", "updated_at"), now)
    return blank_send(id=row_id, **asked, **placed, **times, **_composed(made, raw))


def _composed(made: Composition, raw: bytes) -> dict[str, Any]:
    """Return the columns that say what was composed."""
    everybody = (*made.to, *made.cc, *made.bcc)
    return {
        "message_id": made.message_id,
        "rcpt_to": list(dict.fromkeys(a.email for a in everybody)),
        "sender_email": made.sender.email,
        "sender_name": made.sender.name,
        "to": pairs(made.to),
        "cc": pairs(made.cc),
        "bcc": pairs(made.bcc),
        "reply_to": pairs(made.reply_to),
        "subject": made.subject,
        "in_reply_to": made.in_reply_to,
        "size": len(raw),
        "sha256": hashlib.sha256(raw).hexdigest(),
    }


def _as_composed(draft: Draft) -> tuple[File, ...]:
    """Return the files in the order that ``compose`` puts them in: by it they are read again."""
    images = tuple(f for f in draft.attachments if f.content_id and draft.html)
    return (*images, *(f for f in draft.attachments if f not in images))


def _content(draft: Draft, made: Composition) -> dict[str, Any]:
    return {
        "text": draft.text,
        "html": draft.html,
        "reply_text": draft.text,
        "reply_html": draft.html,
        "signature": "",
        "visible_text": draft.text,
        "headers": [[name, value] for name, value in draft.headers.items()],
        "references": list(made.references),
        "links": [],
        "calendar": {},
        "defects": [],
        "kind_reason": "",
        "options": draft.options.given(),
    }


def _references(parent: Message | None) -> tuple[str, ...]:
    if parent is None:
        return ()
    return tuple(references_for(parent.message_id, parent.references, parent.in_reply_to))


def thread_index(parent: Message | None, row_id: int, now: datetime) -> str:
    """Return the Thread-Index by which Outlook groups our mail with what it answers."""
    before = ""
    if parent is not None:
        before = next((v for n, v in parent.headers.items() if n.lower() == "thread-index"), "")
    if index_root(before):
        return thread_index_child(before, now)
    seed = parent.thread_id if parent is not None else str(row_id)
    root = thread_index_root(seed.encode(), now)
    return thread_index_child(root, now) if parent is not None else root


def people(values: Sequence[str]) -> tuple[Address, ...]:
    """Return addresses from ``ann@example.com`` and ``Ann <ann@example.com>``; raise SendError."""
    found: list[Address] = []
    for value in values:
        if _CONTROL.search(value):
            raise SendError(f"recipient {value!r}: holds a line break or a control character")
        try:
            name, email = _named(value) if "<" in value else ("", value)
            found.append(Address(check_address(email), name))
        except ValueError as error:
            why = "give each address by itself" if value.count("@") > 1 else error
            raise SendError(f"recipient {value!r}: {why}") from error
    return tuple(found)


def _named(value: str) -> tuple[str, str]:
    """Return the name and the address of ``Ann <ann@example.com>``; raise ValueError.

    The address is what stands at the end: the name may be somebody else's words, with another.
    """
    parsed = getaddresses([value])
    last, end, more = value.rpartition("<")[2].partition(">")
    if [email for _, email in parsed] != [last.strip()] or not end or more.strip():
        raise ValueError("write Ann <ann@example.com>; a name with marks in it needs quotes")
    return parsed[0]


def recipients(draft: Draft, context: Context) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """Return who a draft is to and cc: those it names, else those of the message it answers."""
    to, cc = people(draft.to), people(draft.cc)
    parent = context.parent
    if to or parent is None or context.forwarded:
        return to, cc
    if parent.direction == "outbound":  # a follow-up goes to whom we wrote before
        return parent.to, cc or parent.cc
    own = {listed_form(name) for name in (context.inbox.address, *context.inbox.aliases)}
    answered = tuple(_sendable(a) for a in parent.reply_to or (parent.sender,) if a.email)
    if not context.everyone:
        return answered, cc
    seen = {listed_form(a.email) for a in (*answered, *cc)}
    others = [_sendable(a) for a in (*parent.to, *parent.cc) if _is_other(a, own, seen)]
    return answered, (*cc, *others)


def _sendable(address: Address) -> Address:
    """Return a foreign address in ASCII where that can be done; odd ones stay as they came."""
    try:
        return Address(check_address(address.email), address.name)
    except ValueError:
        return address


def _is_other(address: Address, own: set[str], seen: set[str]) -> bool:
    email = listed_form(address.email)
    local, _, domain = email.rpartition("@")
    return bool(email) and not (
        {email, f"{local.partition('+')[0]}@{domain}"} & own | {email} & seen
    )


def fingerprint(draft: Draft, context: Context) -> str:
    """Return a hash of what the caller asked for, by which a reused key is told apart."""
    asked = replace(draft, key=None, at=None, attachments=())
    parts = {
        "draft": {name: getattr(asked, name) for name in ("to", "cc", "bcc", "subject", "text")},
        "html": draft.html,
        "files": [hashlib.sha256(f.data).hexdigest() for f in draft.attachments],
        "thread": context.thread_id,
        "forwarded": hashlib.sha256(context.forwarded).hexdigest(),
        **draft.options.given(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def outgoing(draft: Draft, row: Mapping[str, Any]) -> Outgoing:
    """Return what a provider must be able to do, without the bytes."""
    return Outgoing(
        id=public_id("msg", row["id"]),
        message_id=row["message_id"],
        idempotency_key="",
        sender=Address(row["sender_email"]),
        mail_from=row["mail_from"],
        rcpt_to=tuple(row["rcpt_to"]),
        mime=b"",
        cc=addresses(row["cc"]),
        bcc=addresses(row["bcc"]),
        reply_to=addresses(row["reply_to"]),
        headers=draft.headers,
        attachments=draft.attachments,
        tag=draft.tag,
        metadata=draft.metadata,
        **draft.options.given(),
    )

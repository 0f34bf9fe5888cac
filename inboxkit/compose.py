"""From a draft to the bytes of a mail (RFC 5322), and what an answer takes from its parent."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from . import tokens
from .outbound_headers import (
    Field,
    addresses,
    custom,
    header_block,
    is_message_id,
    is_token,
    message_ids,
    plain_line,
    unstructured,
)
from .outbound_parts import (
    Part,
    file_part,
    has_bare_line_ends,
    joined,
    mail_part,
    multipart,
    text_part,
)
from .parsing.html import to_text
from .subjects import bare_subject, reply_subject

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .values import Address, Draft

__all__ = [
    "Composition",
    "compose",
    "message_id_row",
    "new_message_id",
    "quote",
    "references_for",
    "reply_subject",
]

_NEAREST_REFERENCES = 20
_OWN_ID = re.compile(r"<([0-9a-z]{13})\.([0-9a-z]{16})@[^\s<>]{1,255}>")
_RESERVED = frozenset(
    {
        "bcc",
        "cc",
        "date",
        "dkim-signature",
        "errors-to",
        "from",
        "message-id",
        "mime-version",
        "received",
        "return-path",
        "sender",
        "subject",
        "to",
        "x-inboxkit-loop",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """A draft with its place: who, when, under which id, in answer to what.

    The addresses and Reply-To are those given here; of the draft the texts, the files and the
    headers are taken, and the subject when none is given here. ``forwarded`` is a raw mail to
    attach.
    """

    draft: Draft
    sender: Address
    message_id: str
    date: datetime
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    thread_index: str = ""
    thread_topic: str = ""
    auto_submitted: bool = False
    loop_id: str = ""
    forwarded: bytes = field(default=b"", repr=False)


def compose(composition: Composition) -> bytes:
    """Return the mail, with CRLF and without Bcc; the same composition gives the same bytes.

    Raises ValueError, naming the header or the file, for what cannot be sent as it is. Ids that
    a hostile mail made up are left out instead: it must remain possible to answer it.
    """
    fields = [*_people(composition), *_placing(composition), *_behaviour(composition)]
    written = {name.lower() for name, _ in fields}
    for name, value in composition.draft.headers.items():
        _check_name(name, written)
        fields.append(custom(name, value))
    content = _content(composition)
    header = header_block([*fields, ("MIME-Version", "1.0"), *content.fields])
    raw = joined((header, *content.body))
    if has_bare_line_ends(raw):
        raise ValueError("the mail would hold a line end that is not CRLF")
    return raw


def _people(made: Composition) -> list[Field]:
    if not (made.to or made.cc or made.bcc):
        raise ValueError("a mail needs at least one recipient")
    lists = [("From", (made.sender,)), ("To", made.to), ("Cc", made.cc), ("Bcc", made.bcc)]
    fields = [addresses(name, people) for name, people in lists if people]
    shown = [written for written in fields if written[0] != "Bcc"]
    if not (made.to or made.cc):
        shown.append(("To", "undisclosed-recipients:;"))  # RFC 5322 appendix A.1.3
    if made.reply_to:
        shown.append(addresses("Reply-To", made.reply_to))
    return shown


def _placing(made: Composition) -> list[Field]:
    """Write what places the mail in time and in its thread.

    Our id stands in References too: a provider that replaces Message-ID leaves it there.
    """
    if not is_message_id(made.message_id):
        raise ValueError(f"{made.message_id[:80]!r} is not a Message-ID")
    if made.date.tzinfo is None:
        raise ValueError("the date of a mail needs a time zone")
    fields = [
        unstructured("Subject", made.subject or made.draft.subject),
        ("Date", format_datetime(made.date)),
        ("Message-ID", made.message_id),
    ]
    if is_message_id(made.in_reply_to):
        fields.append(("In-Reply-To", made.in_reply_to))
    fields.append(message_ids("References", dict.fromkeys([*made.references, made.message_id])))
    if topic := bare_subject(made.thread_topic):
        fields.append(unstructured("Thread-Topic", topic))
    if made.thread_index:
        fields.append(custom("Thread-Index", made.thread_index))
    return fields


def _behaviour(made: Composition) -> list[Field]:
    """Write what tells other programs not to answer (RFC 3834 section 5); the draft's own wins."""
    given = {name.lower() for name in made.draft.headers}
    automatic = [("Auto-Submitted", "auto-replied"), ("X-Auto-Response-Suppress", "All")]
    fields = [f for f in automatic if made.auto_submitted and f[0].lower() not in given]
    if made.loop_id:
        if not is_token(made.loop_id):
            raise ValueError(f"{made.loop_id[:80]!r} is not a loop id: it must be one word")
        fields.append(("X-Inboxkit-Loop", made.loop_id))
    return fields


def _check_name(name: str, written: set[str]) -> None:
    folded = name.lower()
    if folded in _RESERVED | written or folded.startswith(("content-", "resent-")):
        raise ValueError(f"header {name}: it is written from the message and cannot be given")


def _content(made: Composition) -> Part:
    """Build the tree: mixed(alternative(text, related(html, images)), files, forwarded mail)."""
    draft = made.draft
    images = [file for file in draft.attachments if file.content_id and draft.html]
    texts = [text_part("plain", draft.text or to_text(draft.html))]
    if draft.html:
        shown = [file_part(image, inline=True) for image in images]
        texts.append(multipart("related", [text_part("html", draft.html), *shown]))
    parts = [multipart("alternative", texts)]
    parts += [file_part(file) for file in draft.attachments if file not in images]
    if made.forwarded:
        parts.append(mail_part(made.forwarded))
    return multipart("mixed", parts)


def new_message_id(row: int, domain: str, secret: bytes) -> str:
    """Return the Message-ID of a send: its row and a signature that only we can make.

    The signature is not the one in the Reply-To token of the same row: an id is seen by many.
    """
    token = tokens.sign(_id_secret(secret), row)
    return f"<{token[:-16]}.{token[-16:]}@{domain}>"


def message_id_row(message_id: str, secret: bytes) -> int | None:
    """Return the row of a Message-ID of ours, whatever its domain; None if foreign or forged."""
    match = _OWN_ID.fullmatch(message_id)
    return tokens.verify(_id_secret(secret), match[1] + match[2]) if match else None


@lru_cache(maxsize=8)  # the keys are few, and asked for with every mail
def _id_secret(secret: bytes) -> bytes:
    return hmac.digest(secret, b"message-id", hashlib.sha256)


def references_for(message_id: str, references: Sequence[str], in_reply_to: str) -> tuple[str, ...]:
    """Return the References of an answer to a message (RFC 5322 section 3.6.4).

    Of a long chain the first id and the nearest twenty are kept.
    """
    before = [*references] or [in_reply_to]
    parents = [mid for mid in before if mid != message_id]
    chain = [mid for mid in dict.fromkeys([*parents, message_id]) if is_message_id(mid)]
    return (*chain[:1], *chain[1:][-_NEAREST_REFERENCES:])


def quote(text: str, sender: Address, date: datetime | None) -> str:
    """Return a text as it is quoted under an answer, with the line that says whose it is."""
    who = f"{plain_line(sender.name)} <{sender.email}>" if sender.name else sender.email
    when = f"On {date:%Y-%m-%d at %H:%M %Z}".rstrip() + ", " if date else ""
    lines = [f"> {line}" if line and line[0] != ">" else f">{line}" for line in text.splitlines()]
    return "\n".join([f"{when}{plain_line(who)} wrote:", "", *lines])

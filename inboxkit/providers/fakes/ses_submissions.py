"""What Amazon SES's Fake makes of a send request: who gets which bytes, and what it refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from .. import payloads
from ..base import ParseError
from ..mime import Piece
from ..ses_events import read_tags
from ..submission import Submission, decoded, listed, parsed
from . import account as fake_account
from .account import json_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

_MOST_BYTES = 40 * 1024 * 1024
_MOST_RECIPIENTS = 50
_TAG = re.compile(r"[\w-]{1,256}", re.ASCII)
_FIELD = re.compile(rb"\r?\n(?![ \t])")
_REPLACED = (b"message-id", b"date")
_DATA = "ReplacementTemplateData"
_FORBIDDEN = ("message-id", "date", "from", "to", "cc", "bcc", "subject", "return-path")


class Refusal(fake_account.Refusal):
    """What the API answers to a request that it does not take: the type is in a header."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(status, {"message": message})
        self.answer = json_answer(status, {"message": message}, {"x-amzn-errortype": kind})


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One mail of a request."""

    rcpt_to: tuple[str, ...]
    raw: bytes = field(default=b"", repr=False)
    parts: Submission | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    options: Mapping[str, str] = field(default_factory=dict[str, str])

    def mime(self, message_id: str, at: datetime) -> bytes:
        """Return what the recipients get: Message-ID and Date are always SES's own."""
        if self.parts:
            return self.parts.mime(message_id, at)
        head, blank, body = self.raw.partition(b"\r\n\r\n")
        kept = [
            line
            for line in _FIELD.split(head)
            if line.partition(b":")[0].strip().lower() not in _REPLACED
        ]
        own = f"Message-ID: {message_id}\r\nDate: {format_datetime(at)}".encode()
        return b"\r\n".join([own, *kept]) + blank + body


def read(body: bytes, *, bulk: bool) -> tuple[Taken, ...]:
    """Read a request; raise Refusal with the error of SES's."""
    if len(body) > _MOST_BYTES:
        raise Refusal(400, "BadRequestException", "Message length is more than 41943040 bytes long")
    try:
        asked = payloads.read_object(body)
        return tuple(_entries(asked)) if bulk else (_single(asked),)
    except (ParseError, ValueError):
        raise Refusal(400, "BadRequestException", "The request could not be read") from None


def _single(asked: dict[str, Any]) -> Taken:
    content = payloads.mapping(asked.get("Content"))
    taken = _noted(asked, payloads.objects(asked.get("EmailTags")))
    if raw := payloads.mapping(content.get("Raw")).get("Data"):
        mime = decoded(raw)
        if not re.match(rb"[!-9;-~]+[ \t]*:", mime):
            raise Refusal(400, "BadRequestException", "Missing a header field")
        return replace(taken, raw=mime)
    return replace(taken, parts=_parts(asked, content, ""))


def _entries(asked: dict[str, Any]) -> Iterator[Taken]:
    entries = list(payloads.objects(asked.get("BulkEmailEntries")))
    if not 0 < len(entries) <= _MOST_RECIPIENTS:
        raise Refusal(400, "BadRequestException", "Between 1 and 50 entries are needed")
    content = payloads.mapping(asked.get("DefaultContent"))
    for entry in entries:
        whole = {**asked, **entry}
        tags = [
            *payloads.objects(asked.get("DefaultEmailTags")),
            *payloads.objects(entry.get("ReplacementTags")),
        ]
        replaced = payloads.mapping(entry.get("ReplacementEmailContent"))
        data = payloads.mapping(replaced.get("ReplacementTemplate")).get(_DATA)
        yield replace(_noted(whole, tags), parts=_parts(whole, content, str(data or "")))


def _noted(asked: Mapping[str, Any], tags: Iterable[Mapping[str, Any]]) -> Taken:
    """Return recipients and tags; raise Refusal for those that SES refuses."""
    to, cc, bcc = _people(asked)
    everybody = tuple(dict.fromkeys(a.email for a in parsed((*to, *cc, *bcc))))
    if not 0 < len(everybody) <= _MOST_RECIPIENTS:
        raise Refusal(400, "MessageRejected", "Recipient count is not between 1 and 50.")
    pairs = [(str(tag.get("Name")), str(tag.get("Value"))) for tag in tags]
    if not all(_TAG.fullmatch(text) for pair in pairs for text in pair):
        raise Refusal(400, "BadRequestException", "Invalid tag name or value.")
    labels, metadata = read_tags(pairs)
    name = payloads.text(asked.get("ConfigurationSetName"))
    options = {"ConfigurationSetName": name} if name else {}
    return Taken(rcpt_to=everybody, tags=tuple(labels), metadata=metadata, options=options)


def _people(asked: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    destination = payloads.mapping(asked.get("Destination"))
    return tuple(listed(destination.get(f"{name}Addresses")) for name in ("To", "Cc", "Bcc"))


def _parts(asked: Mapping[str, Any], content: Mapping[str, Any], data: str) -> Submission:
    """Return simple content, or a template that shows its name and data in place of a text."""
    simple, template = (payloads.mapping(content.get(name)) for name in ("Simple", "Template"))
    chosen, body = simple or template, payloads.mapping(simple.get("Body"))
    if not (chosen and asked.get("FromEmailAddress")):
        raise Refusal(400, "BadRequestException", "Missing required request parameters")
    headers = [
        (str(h.get("Name")), str(h.get("Value"))) for h in payloads.objects(chosen.get("Headers"))
    ]
    if any(name.lower() in _FORBIDDEN for name, _ in headers):
        raise Refusal(400, "BadRequestException", "Header name not allowed")
    to, cc, bcc = _people(asked)
    merged = f"{template.get('TemplateName')} {data or template.get('TemplateData', '')}"
    return Submission(
        sender=str(asked["FromEmailAddress"]),
        to=to,
        cc=cc,
        bcc=bcc,
        reply_to=listed(asked.get("ReplyToAddresses")),
        subject=_data(simple.get("Subject")),
        text=_data(body.get("Text")) if simple else merged,
        html=_data(body.get("Html")),
        headers=tuple(headers),
        files=tuple(map(_file, payloads.objects(chosen.get("Attachments")))),
    )


def _data(value: object) -> str:
    return str(payloads.mapping(value).get("Data", ""))


def _file(attachment: Mapping[str, Any]) -> Piece:
    return Piece(
        str(attachment.get("ContentType", "")),
        decoded(attachment.get("RawContent")),
        str(attachment.get("FileName", "")),
        str(attachment.get("ContentId", "")),
    )

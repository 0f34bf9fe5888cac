"""Mail that Mailjet's Parse API posts in pieces, all of them in one JSON object."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from ..parsing import parameters
from . import payloads
from .base import InboundMail, ParseError
from .mime import Piece, rebuild
from .parsed_mail import body, header, header_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def is_mail(payload: object) -> bool:
    """Whether a webhook brings a mail rather than events."""
    data = payloads.mapping(payload)
    return "event" not in data and "Headers" in data and "Recipient" in data


def mail(data: Mapping[str, Any], original: str) -> InboundMail:
    """Return the mail; ``original`` is the Message-ID of our message that Mailjet says it answers.

    It is added to References: the recipients saw a Message-ID of Mailjet's, and cite that one.
    """
    headers = list(header_pairs(data.get("Headers")))
    recipients = [r.strip("<> ") for r in payloads.text(data.get("Recipient"), 10_000).split(",")]
    if not any(recipients):
        raise ParseError("inbound mail without a recipient")
    if original:
        headers = list(_citing(headers, original))
    texts = {"text/plain": data.get("Text-part"), "text/html": data.get("Html-part")}
    return InboundMail(
        raw=rebuild(
            headers,
            [Piece(kind, body(text)) for kind, text in texts.items() if text],
            list(_files(data)),
        ),
        mail_from=payloads.text(data.get("Sender"), 1_000).strip("<> "),
        rcpt_to=tuple(filter(None, recipients)),
    )


def _citing(headers: list[tuple[str, str]], original: str) -> Iterator[tuple[str, str]]:
    """Yield the header fields with an id at the head of References, unless it is cited already."""
    chain = header(headers, "References") or header(headers, "In-Reply-To") or ""
    if original in chain:
        yield from headers
        return
    yield from ((name, value) for name, value in headers if name.lower() != "references")
    yield "References", f"{original} {chain}".strip()


def _files(data: Mapping[str, Any]) -> Iterator[Piece]:
    for part in payloads.objects(data.get("Parts")):
        reference = payloads.text(part.get("ContentRef"))
        content = data.get(reference) if "Attachment" in reference else None
        if not isinstance(content, str):
            continue
        headers = list(header_pairs(part.get("Headers")))
        kind = parameters.parse(header(headers, "Content-Type") or "")
        disposition = parameters.parse(header(headers, "Content-Disposition") or "")
        name = disposition.parameters.get("filename") or kind.parameters.get("name", "")
        content_id = header(headers, "Content-ID") or ""
        yield Piece(kind.value, _decoded(content), name or "attachment", content_id)


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content)
    except (binascii.Error, ValueError):
        return content.encode("utf-8", "replace")  # kept as it came rather than lost

"""The machine-readable parts of a report: field groups, and the header of the mail it returns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import addresses, charsets, notices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import Mail

Fields = dict[str, list[str]]

STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
FEEDBACK_TYPES = frozenset({"message/feedback-report"})
ORIGINAL_TYPES = frozenset(
    {
        "message/rfc822",
        "message/global",
        "text/rfc822-headers",
        "message/global-headers",
        "message/rfc822-headers",
        "text/rfc822-header",
        "text/rfc822",
        "message/partial",
    }
)
_START = re.compile(
    r"(?:reporting-mta|final-recipient|original-recipient|feedback-type)[ \t]?:", re.IGNORECASE
)
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,40})[ \t]?:[ \t]*(.*)$")
_ONCE = frozenset({"final-recipient", "original-recipient", "action", "status"})
_MESSAGE_ID = re.compile(r"<[^\s<>]{1,996}>")
_BARE_ID = re.compile(r"[^\s<>@]{1,500}@[^\s<>@]{1,255}")
_READ_BYTES = 256 * 1024


def loose_text(mail: Mail) -> str:
    """Return the text, or the undivided bytes of a mail whose MIME is broken."""
    if mail.text.strip():
        return mail.text
    for part in mail.parts:
        if part.content_type.startswith(("text/", "multipart/")) and part.data:
            return charsets.decode(part.data[:_READ_BYTES], part.charset)
    return ""


def groups(mail: Mail, types: frozenset[str], name: str) -> list[Fields]:
    """Return the field groups of the report's machine part, found even when it is plain text.

    ``name`` is a field that such a part always has; it marks the text of a report whose parts
    are mislabelled or were never divided.
    """
    labelled = [p for p in mail.parts if p.content_type in types]
    if labelled:
        texts = [charsets.decode(p.data[:_READ_BYTES], p.charset) for p in labelled[:20]]
        return _divide("\n\n".join(texts).splitlines())
    for text in _loose_texts(mail):
        if name in text.lower():
            lines = text.splitlines()
            start = next((i for i, line in enumerate(lines) if _START.match(line)), len(lines))
            return _divide(lines[start:])
    return []


def original_fields(mail: Mail, notice: notices.Notice) -> dict[str, str]:
    """Return the header fields of the mail that is reported on, names in lower case."""
    for part in mail.parts:
        if part.content_type in ORIGINAL_TYPES and part.data.strip():
            text = charsets.decode(part.data.lstrip()[:_READ_BYTES], part.charset)
            return notices.header_fields(tuple(text.splitlines()[:1_000]))
    return notices.header_fields(notice.returned) or _misplaced_fields(mail)


def address(value: str) -> str:
    """Return the address of a typed one such as ``rfc822; ann@example.com`` (RFC 3464 2.1.2)."""
    value = (value.partition(";")[2] or value).strip(" <>")
    if "@" in value and len(value) <= 320 and not any(c in value for c in " <>()\t"):
        return value.lower()
    match = notices.ADDRESS.search(value[:1_000])
    return match[0].lower() if match else ""


def first_address(value: str) -> str:
    """Return the first address of a header field's value, in lower case."""
    return next((a.email.lower() for a in addresses.parse(value[:4_000]) if a.email), "")


def header_addresses(mail: Mail, name: str) -> list[str]:
    """Return the addresses of the mail's own fields of that name, in lower case."""
    value = ", ".join(mail.headers.all(name))[:20_000]
    return [a.email.lower() for a in addresses.parse(value) if a.email]


def first_id(value: str) -> str:
    """Return the first Message-ID of a value in angle brackets, which some senders forget."""
    match = _MESSAGE_ID.search(value)
    if match:
        return match[0]
    bare = value.strip()
    return f"<{bare}>" if _BARE_ID.fullmatch(bare) else ""


def _misplaced_fields(mail: Mail) -> dict[str, str]:
    """Return the original's header where a broken report put it: in a part's own, or in another."""
    for part in mail.parts:
        if part.container and "message-id" in part.headers:
            return {n.lower(): v for n, v in part.headers}
        if part.content_type in STATUS_TYPES:
            below = notices.read(charsets.decode(part.data[:_READ_BYTES], part.charset)).returned
            if below:
                return notices.header_fields(below)
    return {}


def _loose_texts(mail: Mail) -> Iterable[str]:
    for part in mail.parts:
        if part.content_type.startswith(("text/", "multipart/", "application/octet-stream")):
            yield charsets.decode(part.data[:_READ_BYTES], part.charset)


def _divide(lines: list[str]) -> list[Fields]:
    """Divide fields into groups: at blank lines, and where a field comes a second time."""
    found: list[Fields] = [{}]
    name = ""
    for line in lines[:20_000]:
        match = _FIELD.match(line)
        if line[:1] in (" ", "\t") and name:
            values = found[-1][name]
            values[-1] = f"{values[-1]} {line.strip()}"[:4_000]
        elif match:
            name = match[1].lower()
            if name in _ONCE and name in found[-1]:
                found.append({})
            found[-1].setdefault(name, []).append(match[2].strip())
        elif not line.strip():
            name = ""
            if not found[-1].keys().isdisjoint(("final-recipient", "reporting-mta")):
                found.append({})
    return found

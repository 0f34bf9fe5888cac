"""The trace fields of a message that came in (RFC 5321 section 4.4): made when they are asked for.

What is stored stays byte for byte what was sent; these stand in front of it in an export, and are
taken off by an import.
"""

from __future__ import annotations

import re
from email.utils import format_datetime
from typing import Any

from .tokens import public_id

_UNSAFE = re.compile(r"[^!-~ ]|[()\\]")
_SAID = rb"[!-'*-\[\]-~ ]{0,255}"  # what ``_safe`` leaves
_FIELDS = re.compile(
    rb"Return-Path: <%(said)s>\r\n"
    rb"(?:Delivered-To: %(said)s\r\n)?"
    rb"Received: (?:from %(said)s \(\[(?:IPv6:)?%(said)s\]\)\r\n\t)?"
    rb"by [!-~]+ \(inboxkit\) with %(said)s\r\n"
    rb"\tid msg_[0-9a-z]{13,16}; [A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} [+-]\d{4}\r\n"
    % {b"said": _SAID}
)


def trace_fields(row: Any, hostname: str) -> bytes:
    """Return Return-Path and Received with CRLF, b"" for what we sent ourselves."""
    if row.direction != "inbound":
        return b""
    trace = row.trace
    peer, helo = _safe(trace.get("peer", "")), _safe(trace.get("helo", ""))
    literal = f"IPv6:{peer}" if ":" in peer else peer or "unknown"  # RFC 5321 section 4.1.3
    origin = f"from {helo or 'unknown'} ([{literal}])\r\n\t" if helo or peer else ""
    protocol = _safe(trace.get("protocol", "")) or "local"
    lines = [
        f"Return-Path: <{_safe(row.mail_from)}>",
        f"Received: {origin}by {hostname} (inboxkit) with {protocol}\r\n"
        f"\tid {public_id('msg', row.id)}; {format_datetime(row.received_at)}",
    ]
    if len(row.rcpt_to) == 1:
        lines.insert(1, f"Delivered-To: {_safe(row.rcpt_to[0])}")
    return "".join(f"{line}\r\n" for line in lines).encode("ascii", "replace")


def without_trace_fields(raw: bytes) -> bytes:
    """Return a message without the fields that an export of ours put in front of it."""
    found = _FIELDS.match(raw)
    return raw[found.end() :] if found else raw


def _safe(text: str) -> str:
    """Return what a client told us without what could end the field or its comment."""
    return _UNSAFE.sub("?", text)[:255]

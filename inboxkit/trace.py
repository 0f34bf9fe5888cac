"""The trace fields of a message that came in (RFC 5321 section 4.4): made when they are asked for.

What is stored stays byte for byte what was sent; these stand in front of it in an export.
"""

from __future__ import annotations

import re
from email.utils import format_datetime
from typing import Any

from .tokens import public_id

_UNSAFE = re.compile(r"[^!-~ ]|[()\\]")


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


def _safe(text: str) -> str:
    """Return what a client told us without what could end the field or its comment."""
    return _UNSAFE.sub("?", text)[:255]

"""Mail as a person reads it: pure functions from bytes and text to values.

``parse`` reads a whole message; the others do one thing to text that you have already. None of
them raises for what a mail holds, and all take linear time.
"""

from __future__ import annotations

from .codes import find_code
from .links import find_links
from .model import (
    ActionLink,
    Bounce,
    CalendarEvent,
    Code,
    Headers,
    Limits,
    Mail,
    ParsedAttachment,
    ParsedMessage,
    Part,
    Reply,
    Report,
)
from .read import parse
from .reply import reply_text

__all__ = [
    "ActionLink",
    "Bounce",
    "CalendarEvent",
    "Code",
    "Headers",
    "Limits",
    "Mail",
    "ParsedAttachment",
    "ParsedMessage",
    "Part",
    "Reply",
    "Report",
    "find_code",
    "find_links",
    "parse",
    "reply_text",
]

"""Cuts what others wrote from a text: lines that begin with ">" and forwarded or quoted mails.

Only for finding codes and links, where a false cut costs little; ``reply`` does it with care.
"""

from __future__ import annotations

import re

from .attributions import field_role, weight

_QUOTED = re.compile(r"\n[ \t]{0,3}>[^\n]*")
_INTRO = re.compile(r"[:：][ \t*_]{0,4}\n")
_FIELD = re.compile(r"\n([^\n:：]{1,48}[:：][^\n]{0,300})")
_HEAD_LINES = 6  # from the From field of a quoted head to its Subject field
_HEAD_LENGTH = 1_500
_INTROS = 200  # lines looked at, so that a text of nothing but them costs little


def without_quoted_lines(text: str) -> str:
    """Return the text without the lines that begin with ">", every line ended by a line feed."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if ">" not in text:
        return text
    return _QUOTED.sub("\n", f"\n{text}")[1:]


def without_forwarded(text: str) -> str:
    """Return the text up to where a mail of someone else begins: its head, or "Ann wrote:"."""
    padded = f"\n{text}\n"
    end = min(_head(padded), _attribution(padded))
    return text if end >= len(padded) else text[: max(0, end - 1)]


def _head(text: str) -> int:
    """Return where a block of From and Subject fields begins, or the end of the text."""
    start = -1
    for match in _FIELD.finditer(text):
        role = field_role(match.group(1))
        if role == "from":
            start = match.start()
        elif role == "subject" and 0 <= match.start() - start <= _HEAD_LENGTH and start >= 0:
            if text.count("\n", start, match.start()) <= _HEAD_LINES:
                return start
    return len(text)


def _attribution(text: str) -> int:
    """Return where a line such as "On Monday Ann wrote:" begins, or the end of the text."""
    for count, match in enumerate(_INTRO.finditer(text)):
        start = text.rfind("\n", max(0, match.start() - 300), match.start()) + 1
        line = text[start : match.start() + 1]
        if count > _INTROS:
            break
        if start and len(line) > 8 and weight(line, quoted=False) >= 2:
            return start
    return len(text)

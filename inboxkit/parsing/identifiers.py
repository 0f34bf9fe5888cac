"""Message ids (RFC 5322 section 3.6.4): Message-ID, In-Reply-To and References, with junk between.

Ids are given with their angle brackets, as they are stored and compared everywhere.
"""

from __future__ import annotations

import re

_BRACKETED = re.compile(r"<([^<>]+)>")
_MAX_ID = 998  # a line, RFC 5322 section 2.1.1


def parse(value: str) -> tuple[str, ...]:
    """Return the ids of a field's value in order, each once; never raises.

    Words, comments and dates between ids are skipped. Ids without brackets are taken only when
    the whole value is one word or consists of such ids, since other text may hold addresses.
    """
    if value[:1] == "<" and value.find(">") == len(value) - 1 <= _MAX_ID:
        inner = value[1:-1]
        if "<" not in inner and inner.split() == [inner]:
            return (value,)  # one id and nothing else, as nearly always
    found = ["".join(inner.split()) for inner in _BRACKETED.findall(value)]
    if not found and "<" not in value:
        words = value.replace(",", " ").split()
        bare = len(words) == 1 or all("@" in word.strip("@") for word in words)
        found = words if bare else []
    elif not found:
        found = [word for word in value.replace("<", " ").split() if "@" in word]
    ids = [f"<{text}>" for text in found if text and len(text) <= _MAX_ID]
    return tuple(dict.fromkeys(ids))


def references(references: tuple[str, ...], in_reply_to: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ancestors, oldest first: References, then what only In-Reply-To names."""
    ids = [found for value in references for found in parse(value)]
    ids += [found for value in in_reply_to for found in parse(value)]
    return tuple(dict.fromkeys(ids))

"""Where the words of a search stand in a message: fragments with the words between ``**``. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from .schemas.messages import Highlights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...models import Message
    from ...store.query import Query

_WORD = re.compile(r"\w+")
_AROUND = 60  # characters on each side
_FRAGMENTS = 3
_MOST_CHARACTERS = 16 * 1024


def highlights(message: Message, query: Query) -> Highlights | None:
    """Return the fragments of each field that has some of the words; None when none has."""
    asked = [one for t in query.words if not t.negated for one in (t, *t.others)]
    wanted = frozenset(_folded(word) for t in asked for word in _WORD.findall(t.value))
    recipients = ", ".join(str(address) for address in (*message.to, *message.cc))
    found = {
        "from_": _fragments(str(message.sender), wanted),
        "recipients": _fragments(recipients, wanted),
        "subject": _fragments(message.subject, wanted),
        "text": _fragments(message.text, wanted),
    }
    kept = {name: fragments for name, fragments in found.items() if fragments}
    return Highlights(**kept) if kept else None


def _fragments(text: str, wanted: frozenset[str]) -> list[str]:
    text = text[:_MOST_CHARACTERS]
    hits = [m.span() for m in _WORD.finditer(text) if _folded(m.group()) in wanted]
    fragments: list[str] = []
    while hits and len(fragments) < _FRAGMENTS:
        start, end = max(0, hits[0][0] - _AROUND), hits[0][1] + _AROUND
        inside = [span for span in hits if span[1] <= end]
        fragments.append(_marked(text, start, end, inside))
        hits = hits[len(inside) :]
    return fragments


def _marked(text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> str:
    pieces, place = list[str](), start
    for first, last in spans:
        pieces += (text[place:first], "**", text[first:last], "**")
        place = last
    return " ".join("".join((*pieces, text[place:end])).split())


def _folded(word: str) -> str:
    """Return a word as the index compares it: without case and accents."""
    if word.isascii():
        return word.lower()
    split = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in split if not unicodedata.combining(c))

"""Words from outside as an agent may see them: no more than a person who reads the mail. Pure."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from ..parsing import reply_text
from ..parsing.hidden import without_shapeless

if TYPE_CHECKING:
    from ..models import Message

_MOST_READ = 100_000


def seen(message: Message) -> str:
    """Return what a reader sees of a message."""
    return shown(message.visible_text or message.text)


def seen_newly(message: Message) -> str:
    """Return what a reader sees of a message beside what it quotes."""
    whole, new = seen(message)[:_MOST_READ], shown(message.reply_text)
    # The words of a plain text may be others than those of the HTML, which readers see instead.
    if new and _on_line(new) in _on_line(whole):
        return new
    return reply_text(whole) or whole


def shown(text: str) -> str:
    """Return a text without signs that have no shape: they can carry words that nobody sees."""
    return without_shapeless(text)[0]


def line(text: str, most: int) -> str:
    """Return the beginning of a text on one line."""
    return _on_line(shown(text[: 2 * most]))[:most]


def fenced(words: str) -> str:
    """Return words between two marks that whoever wrote them cannot have known."""
    mark = f"untrusted-{secrets.token_hex(8)}"
    return f"<{mark}>\n{words}\n</{mark}>"


def _on_line(text: str) -> str:
    return " ".join(text.split())

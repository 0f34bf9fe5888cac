"""Words from outside as an agent may see them: no more than a person who reads the mail. Pure."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..parsing import reply_text
from ..parsing.hidden import without_shapeless

if TYPE_CHECKING:
    from ..models import Message

_MOST_READ = 100_000
_ADDRESS_CHARACTERS = 320  # RFC 5321 section 4.5.3.1
_DOMAIN = r"@[\w.-]{1,255}"
_PLAIN = re.compile(rf"[^\s\"(),:;<>@\[\\\]]{{1,64}}{_DOMAIN}")
# Controls have no shape, but for those that end a line.
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85]")
_ENDS_IN_DOMAIN = re.compile(rf".*({_DOMAIN})")


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
    return _CONTROLS.sub("", _BREAKS.sub("\n", without_shapeless(text)[0]))


def link(url: str) -> str:
    """Return a link that leads to the same place, with the signs that have no shape encoded."""
    if shown(url) == url:
        return url
    return "".join(sign if shown(sign) == sign else quote(sign) for sign in url)


def line(text: str, most: int) -> str:
    """Return the beginning of a text on one line."""
    return _on_line(shown(text[: 2 * most]))[:most]


def address(email: str) -> str:
    """Return an address that others chose, as one word.

    Between quotes it may hold whole sentences: of such a one only the domain is told.
    """
    told = line(email, _ADDRESS_CHARACTERS)
    if _PLAIN.fullmatch(told):
        return told
    ending = _ENDS_IN_DOMAIN.fullmatch(told)
    return f"...{ending[1]}" if ending else ""


def fenced(words: str) -> str:
    """Return words between two marks that whoever wrote them cannot have known."""
    mark = f"untrusted-{secrets.token_hex(8)}"
    return f"<{mark}>\n{words}\n</{mark}>"


def _on_line(text: str) -> str:
    return " ".join(text.split())

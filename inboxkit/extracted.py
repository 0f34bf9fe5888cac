"""What was found in a message and is asked for by itself: a code, a link. Texts that know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Message


class Otp(str):
    """A one-time code, with the message it came in. Its repr hides the code."""

    __slots__ = ("link", "message")
    message: Message
    link: str | None

    def __new__(cls, code: str, message: Message, link: str | None = None) -> Otp:
        otp = super().__new__(cls, code)
        otp.message = message
        otp.link = link
        return otp

    def __repr__(self) -> str:
        return f"Otp({'*' * len(self)})"


class Link(str):
    """The link a message asks its reader to follow, with that message. Its repr hides the query."""

    __slots__ = ("message",)
    message: Message

    def __new__(cls, url: str, message: Message) -> Link:
        link = super().__new__(cls, url)
        link.message = message
        return link

    def __repr__(self) -> str:
        return f"Link({self.split('?')[0].split('#')[0]!r})"

"""Waits on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from .messages import Message, MessageItem
from .whole import WholeMessage
from .wire import Moment, Request, Text, Wire, Words

_MOST_SECONDS = 600
_MOST_KEYS = 100
_Glob = Annotated[Text, Field(max_length=1_000)]


class WaitQuery(Request):
    """What to wait for. ``whole``: also as ``inboxkit.client`` reads it.

    ``give_back``: the keys of waits of the same caller whose answers nobody got.
    """

    kind: Literal["message", "otp", "link"] = "message"
    sender: _Glob = "*"
    subject: _Glob = "*"
    host: _Glob = "*"
    timeout: float = Field(default=30, ge=0, le=_MOST_SECONDS)
    since: Moment | None = None
    reply_to: Text | None = None
    whole: bool = False
    give_back: Annotated[Words, Field(max_length=_MOST_KEYS)] = ()


class WaitResponse(Wire):
    """What came, or that it did not come in time: ``reason`` in words, ``arrived`` what did."""

    found: bool
    otp: str | None = None
    link: str | None = None
    message: Message | None = None
    whole: WholeMessage | None = None
    reason: str | None = None
    arrived: Sequence[MessageItem] | None = None
    arrived_whole: Sequence[WholeMessage] | None = None

    def characters(self) -> int:
        """Return how long the words are of what came."""
        came = (self.message, self.whole, *(self.arrived_whole or ()))
        return sum(one.characters() for one in came if one is not None)

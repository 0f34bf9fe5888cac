"""What a provider lacks and a message can do without, where the setting says to leave it out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .base import THREADING, Feature, Outgoing

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

# Without any of these everybody still gets the whole message; of all else that cannot be said.
_SPARE = frozenset({Feature.HEADERS, Feature.REPLY_TO, Feature.TRACKING})


def spare(message: Outgoing, capabilities: AbstractSet[Feature]) -> frozenset[Feature]:
    """Return what a message asks for, a provider lacks, and may be left out."""
    return (message.features & _SPARE) - capabilities


def without(message: Outgoing, features: AbstractSet[Feature]) -> Outgoing:
    """Return a message that asks for none of these; it still says where it belongs in a thread."""
    if Feature.HEADERS in features:
        kept = {n: v for n, v in message.headers.items() if n.lower() in THREADING}
        message = replace(message, headers=kept)
    if Feature.REPLY_TO in features:
        message = replace(message, reply_to=())
    if Feature.TRACKING in features:
        message = replace(message, track_opens=None, track_clicks=None)
    return message


def untracked(message: Outgoing) -> Outgoing:
    """Return a message that asks for no tracking, if all it asks is that there be none."""
    if True in (message.track_opens, message.track_clicks):
        return message
    return replace(message, track_opens=None, track_clicks=None)

"""Whom one request goes to, as texts, for vendors that take To, Cc and Bcc apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UnsupportedFeature
from .addressing import Named, named

if TYPE_CHECKING:
    from ..values import Address
    from .base import Outgoing


def written(address: Address) -> str:
    """Return an address with its name on one line, as a JSON API takes it."""
    return " ".join(str(address).split())


def fields(
    message: Outgoing, provider: str, most: int, *, blind: bool = False
) -> dict[str, tuple[str, ...]]:
    """Return ``to``, ``cc`` and ``bcc``, which together hold everybody of the envelope.

    ``blind``: the vendor takes a mail with nobody in To. Raise UnsupportedFeature for blind copies
    only where it does not, and for more than ``most`` recipients in one field.
    """
    mails = named(message)
    if len(mails) > 1 and not blind:
        raise UnsupportedFeature(f"{provider} wants somebody in To: {message.id}")
    mail = mails[0] if len(mails) == 1 else Named((), (), tuple(m.to[0] for m in mails))
    found = {"to": mail.to, "cc": mail.cc, "bcc": mail.bcc}
    if max(map(len, found.values())) > most:
        raise UnsupportedFeature(f"{provider} takes {most} recipients in a field: {message.id}")
    return {name: tuple(map(written, people)) for name, people in found.items()}

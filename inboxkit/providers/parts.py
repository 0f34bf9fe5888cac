"""How many recipients one request to a vendor takes, and to whom of many the first one goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_ANY = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """The most recipients of one request: of all kinds together, and in each field.

    ``blind`` is how many blind copies may go in one request that is to nobody else.
    """

    everybody: int = _ANY
    to: int = _ANY
    cc: int = _ANY
    bcc: int = _ANY
    blind: int = 1


@runtime_checkable
class Limited(Protocol):
    """A provider that takes so many recipients in one request."""

    @property
    def most(self) -> Most: ...


def first(
    most: Most, recipients: Sequence[str], *, to: Collection[str], cc: Collection[str]
) -> tuple[str, ...]:
    """Return whom the first request goes to, in order; ``to`` and ``cc`` are in lower case.

    Whoever is in neither has a blind copy. The same recipients make the same part.
    """
    kinds = [_kind(r.lower(), to, cc) for r in recipients]
    if set(kinds) == {"bcc"}:
        return tuple(recipients[: most.blind])
    room = {"to": most.to, "cc": most.cc, "bcc": most.bcc}
    part: list[str] = []
    for recipient, kind in zip(recipients, kinds, strict=True):
        if len(part) < most.everybody and room[kind]:
            room[kind] -= 1
            part.append(recipient)
    return tuple(part)


def _kind(recipient: str, to: Collection[str], cc: Collection[str]) -> str:
    return "to" if recipient in to else "cc" if recipient in cc else "bcc"

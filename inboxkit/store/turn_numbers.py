"""Numbers for what transactions take turns at by name; see ``Tx.take_turns``.

They are apart from row ids, and from those with the sign turned, which are taken as they are.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOWEST = -(1 << 63)
_BITS = 62


def numbered(what: str, names: Iterable[str]) -> list[int]:
    """Return a number for each of these names, the same in every process.

    Two names that share one wait for each other, and no more than that.
    """
    return [_LOWEST + _hash(f"{what}\n{name}") for name in names]


def _hash(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) >> (64 - _BITS)

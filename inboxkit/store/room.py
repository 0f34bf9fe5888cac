"""Whether the database has room for one more mail; asked by ``/readyz``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tokens import new_id
from . import facts

if TYPE_CHECKING:
    from .transactions import Tx

_BYTES = 64 * 1024


def try_room(tx: Tx) -> None:
    """Write as much as a mail takes, and take it away again; the database refuses when it is full.

    An empty transaction would succeed on a full disk.
    """
    key = f"room-{new_id()}"
    facts.put(tx.connection, key, "x" * _BYTES)
    facts.remove(tx, key)

"""Whether the database has room for one more mail; asked by ``/readyz``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert

from ..tokens import new_id
from .tables import setting

if TYPE_CHECKING:
    from .transactions import Tx

_BYTES = 64 * 1024


def try_room(tx: Tx) -> None:
    """Write as much as a mail takes, and take it away again; the database refuses when it is full.

    An empty transaction would succeed on a full disk.
    """
    key = f"room-{new_id()}"
    tx.connection.execute(insert(setting), [{"key": key, "value": "x" * _BYTES}])
    tx.connection.execute(delete(setting).where(setting.c.key == key))

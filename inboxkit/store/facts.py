"""Facts of a database itself: a text under a name, such as the secret that signs tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, bindparam, select

from . import driver
from .prepared import Prepared
from .tables import setting

if TYPE_CHECKING:
    from .transactions import Tx

_get = Prepared(select(setting.c.value).where(setting.c.key == bindparam("name")))


def get(connection: Connection, name: str) -> str | None:
    """Return the fact under a name, None when there is none."""
    row = _get.one(connection, name=name)
    return None if row is None else str(row.value)


def put(connection: Connection, name: str, value: str) -> None:
    """Write a fact in the place of an older one; of two at the same moment the later one stays."""
    _insert(connection, name, value, "DO UPDATE SET value = excluded.value")


def first(connection: Connection, name: str, value: str) -> str:
    """Write a fact unless it is there; return what is there then, of two the earlier one."""
    _insert(connection, name, value, "DO NOTHING")
    return get(connection, name) or value


def _insert(connection: Connection, name: str, value: str, otherwise: str) -> None:
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    into = f"INSERT INTO {setting.name} (key, value) VALUES ({mark}, {mark})"
    driver.change(connection, f"{into} ON CONFLICT (key) {otherwise}", (name, value))


def replace(tx: Tx, name: str, before: str, after: str) -> bool:
    """Write a fact in the place of this older one; return whether it was the older one still."""
    ours = (setting.c.key == name) & (setting.c.value == before)
    return tx.connection.execute(setting.update().where(ours).values(value=after)).rowcount == 1


def remove(tx: Tx, name: str) -> None:
    """Take a fact away."""
    tx.connection.execute(setting.delete().where(setting.c.key == name))

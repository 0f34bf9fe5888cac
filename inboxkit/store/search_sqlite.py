"""The full-text index on SQLite: FTS5 over ``inboxkit_searchable``, walked from the newest hit on.

The view gives every message a word for its inbox and one for all. So the index itself keeps to
one inbox, however many hits others have, and has something to take ``-not`` from.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Text, bindparam
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table

from . import driver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from .query import Query, Term

_COLUMNS = "rowid, subject, sender, recipients, body"
_SOURCE = "SELECT id, subject, sender, recipients, body FROM inboxkit_searchable WHERE id"
_EVERY = 0  # no inbox has this id
hits = sql_table("inboxkit_search", sql_column("rowid"), sql_column("inboxkit_search"))
hit = hits.c.rowid


def index(connection: Connection, ids: Sequence[int]) -> None:
    """Add messages to the index, once their content is stored."""
    sql = f"INSERT INTO inboxkit_search({_COLUMNS}) {_SOURCE} IN (SELECT value FROM json_each(?))"
    driver.change(connection, sql, (json.dumps(list(ids)),))


def remove(connection: Connection, ids: Sequence[int]) -> None:
    """Take messages out of the index, while their content is still stored."""
    for row_id in ids:
        connection.exec_driver_sql(
            f"INSERT INTO inboxkit_search(inboxkit_search, {_COLUMNS}) "
            f"SELECT 'delete', * FROM ({_SOURCE} = ?)",
            (row_id,),
        )


def matches(query: Query, inbox_id: int | None) -> ColumnElement[bool]:
    """Return what holds for the rows of ``hits`` whose text matches."""
    wanted = [_term(term) for term in query.words if not term.negated]
    unwanted = [_term(term) for term in query.words if term.negated]
    if inbox_id is not None or not wanted:
        wanted.append(f'recipients : "{_mark(_EVERY if inbox_id is None else inbox_id)}"')
    asked = " AND ".join(wanted)
    if unwanted:
        asked = f"({asked}) NOT ({' OR '.join(unwanted)})"
    given = bindparam("asked", asked, type_=Text, unique=True)
    return hits.c.inboxkit_search.op("MATCH", is_comparison=True)(given)


def _term(term: Term) -> str:
    """Return a word or phrase quoted for FTS5, where a double quote and NUL are special."""
    if term.others:
        return f"({' OR '.join(map(_term, (replace(term, others=()), *term.others)))})"
    return '"' + term.value.replace('"', '""').replace("\0", " ") + '"'


def _mark(inbox_id: int) -> str:
    """Return the word of an inbox, as the view writes it. A mail may hold it too."""
    return f"inboxkitof{inbox_id}"

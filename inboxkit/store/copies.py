"""A copy of an SQLite database to try something out on; its work to do stays behind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from .api_tables import endpoint, route
from .mailgun_tables import mailgun_account_webhook, mailgun_webhook
from .tables import job, message

if TYPE_CHECKING:
    from pathlib import Path


# What would tell programs elsewhere of what happens in the copy.
_TOLD = (endpoint, mailgun_webhook, mailgun_account_webhook, route)


def copy(source: Path, target: Path, *, anew: bool = False) -> None:
    """Copy a database file that may be in use; nothing in the copy is waiting to be done.

    Nor is anybody told of what happens there. With ``anew`` all mail counts as new once more.
    """
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target, isolation_level=None)) as new,
    ):
        old.backup(new)
        known = {name for (name,) in new.execute("SELECT name FROM sqlite_master")}
        for table in (job, *_TOLD):
            if table.name in known:
                new.execute(f"DELETE FROM {table.name}")
        if message.name in known:
            # Mail that is not read yet never will be here: the same mail must count as new.
            some = "" if anew else "state = 'stored' AND "
            new.execute(f"UPDATE {message.name} SET dedupe = NULL WHERE {some}dedupe IS NOT NULL")

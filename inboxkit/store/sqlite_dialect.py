"""Where SQLAlchemy's SQL is not what SQLite is best asked with."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.sqlite.base import SQLiteCompiler


class Compiler(SQLiteCompiler):
    """Writes limits that no plan hangs on.

    SQLite 3.53 plans by the value of ``LIMIT ?``, and so prepares the statement anew each time that
    it is run; 3.40 did not. Of a sum it knows no value.
    """

    def limit_clause(self, select: Any, **kw: Any) -> str:
        """Return LIMIT and OFFSET, as far as they are asked for; SQLite has no OFFSET alone."""
        limit, offset = select._limit_clause, select._offset_clause
        if limit is None and offset is None:
            return ""
        most = "-1" if limit is None else f"{self.process(limit, **kw)} + 0"
        skipped = "" if offset is None else f" OFFSET {self.process(offset, **kw)}"
        return f"\n LIMIT {most}{skipped}"

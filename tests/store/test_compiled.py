"""What one engine has compiled, no other of the process compiles again."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, literal, select
from sqlalchemy.engine.interfaces import CacheStats

from inboxkit.store.compiled import Compiled
from inboxkit.store.database import open_database

if TYPE_CHECKING:
    from sqlalchemy import Engine


def ask(engine: Engine, words: str) -> tuple[str | None, list[CacheStats]]:
    """Return what a query of these words gives, and whether it had to be compiled."""
    heard: list[CacheStats] = []

    @event.listens_for(engine, "after_cursor_execute")
    def note(*told: Any) -> None:
        heard.append(told[4].cache_hit)

    with engine.connect() as connection:
        return connection.scalar(select(literal(words).label("these_words"))), heard


def test_what_an_engine_has_compiled_serves_all_others(database: str) -> None:
    with closing(open_database(database)) as first, closing(open_database(database)) as second:
        ask(first.writer, "one")
        assert ask(first.reader, "two") == ("two", [CacheStats.CACHE_HIT])
        assert ask(second.writer, "three") == ("three", [CacheStats.CACHE_HIT])


def test_what_is_compiled_for_a_dialect_is_for_that_one_only() -> None:
    sqlite, postgres = (create_engine(f"{n}://").dialect for n in ("sqlite", "postgresql+psycopg"))
    compiled, statement = Compiled(9), select(literal("word"))
    for dialect in (sqlite, postgres):
        compiled[dialect, "key"] = statement.compile(dialect=dialect)
    assert str(compiled[sqlite, "key"]) == "SELECT ? AS anon_1"
    assert str(compiled.get((postgres, "key"))).startswith("SELECT %(")

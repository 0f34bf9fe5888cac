"""Our tables beside a user's: the same names, the same process, the same file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect
from sqlmodel import Field, Session, SQLModel, create_engine, select

from examples.tickets import Ticket
from inboxkit.store import columns, schema
from inboxkit.store.database import open_database, parse_url

if TYPE_CHECKING:
    from pathlib import Path

    from inboxkit.store.store import Store


class Message(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    text: str


class Event(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)


class Thread(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)


class Inbox(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)


async def test_a_users_tables_live_beside_ours(store: Store, database: str) -> None:
    engine = create_engine(parse_url(database))
    for metadata in (SQLModel.metadata, Ticket.metadata):
        metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Message(text="mine"))
        session.commit()
        assert session.exec(select(Message)).one().text == "mine"
        assert session.exec(select(Ticket)).all() == []
    theirs = set(inspect(engine).get_table_names())
    for metadata in (SQLModel.metadata, Ticket.metadata):
        metadata.drop_all(engine)
    engine.dispose()
    assert {"message", "event", "thread", "inbox", "ticket"} <= theirs
    ours = await store.read(lambda c: set(inspect(c).get_table_names()))
    assert "inboxkit_message" in ours


def test_create_all_of_a_user_makes_none_of_ours() -> None:
    assert not [name for name in SQLModel.metadata.tables if name.startswith("inboxkit")]
    assert all(name.startswith("inboxkit_") for name in columns.metadata.tables)


def is_table_of_ours(name: str | None, *_: object) -> bool:
    """Leave out what is not described by the tables: the search index and the version."""
    return not str(name).startswith(("inboxkit_search", "inboxkit_version"))


def test_the_migrations_make_exactly_the_tables(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'new.db'}")
    schema.ensure(database)
    with database.reader.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_table_of_ours})
        assert compare_metadata(context, columns.metadata) == []
        assert schema.current(connection) == schema.HEAD
    database.close()

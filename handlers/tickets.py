"""tickets@...: a thread becomes a ticket, each message a comment, in a database of its own.

Two databases commit one after the other, and the process may die between them. Nothing is lost or
doubled, because every step may be repeated:

- Before our commit: nothing happened. The Run is tried again from the start.
- After our commit, before inboxkit's: the ticket is there, the staged reply is gone with the Run.
  The retry finds the ticket and stages the reply again, as the reply stands outside the ``if``.
- After both: the Run is done. The key keeps a replay, and every later message of the thread,
  from sending the reply a second time.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

from anyio import to_thread
from sqlalchemy import Engine
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, create_engine, select

from inboxkit import Message, Router


class Table(SQLModel, registry=registry()):
    """The base of both tables: a registry of our own never meets yours, whatever its tables."""


class Ticket(Table, table=True):
    """One thread. ``id`` is the number that people are told."""

    id: int = Field(default=None, primary_key=True)
    thread_id: str = Field(unique=True)
    sender: str
    subject: str
    opened_at: datetime


class Comment(Table, table=True):
    """One message of a ticket; keyed by the message, so that a retry writes the same row."""

    message_id: str = Field(primary_key=True)
    ticket_id: int = Field(foreign_key="ticket.id", index=True)
    sender: str
    text: str


@asynccontextmanager
async def open_database(url: str = "") -> AsyncGenerator[Engine]:
    """Open ``url``, or what INBOXKIT_TICKETS names; nothing is created before the first ticket."""
    engine = create_engine(url or os.environ.get("INBOXKIT_TICKETS", "sqlite:///tickets.db"))
    try:
        yield engine
    finally:
        engine.dispose()


router = Router(resource=open_database)


@router.on_message(to="tickets@*")
async def ingest(message: Message, engine: Engine) -> None:
    """Record the message, then say which ticket it is, once a thread."""
    number = await to_thread.run_sync(partial(record, engine, message))
    await message.reply(
        f"Thank you. Your ticket is number {number}; answer this message to add to it.",
        tag="tickets",
        key=f"ack-{message.thread_id}",
    )


def record(engine: Engine, message: Message) -> int:
    """Store the ticket if it is new, and the comment; return the ticket's number."""
    Table.metadata.create_all(engine)
    with Session(engine) as session:
        known = select(Ticket).where(Ticket.thread_id == message.thread_id)
        ticket = session.exec(known).first()
        if ticket is None:
            ticket = Ticket(
                thread_id=message.thread_id,
                sender=message.sender.email,
                subject=message.subject,
                opened_at=message.received_at,
            )
            session.add(ticket)
            session.flush()
        session.merge(
            Comment(
                message_id=message.id,
                ticket_id=ticket.id,
                sender=message.sender.email,
                text=message.reply_text or message.text,
            )
        )
        session.commit()
        return ticket.id

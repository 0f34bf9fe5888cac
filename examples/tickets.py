"""Mail to support@ becomes a ticket; later mail in the thread becomes a comment.

Copy it into ``handlers/`` of a project and start ``inboxkit dev``.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from anyio import to_thread
from sqlalchemy import Engine
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, create_engine

from inboxkit import Event, EventType, Message, Router


class Table(SQLModel, registry=registry()):
    """The base of both: with a registry of its own the file can be loaded again by ``dev``."""


class Ticket(Table, table=True):
    """One thread."""

    thread_id: str = Field(primary_key=True)
    sender: str
    subject: str
    reachable: bool = True


class Comment(Table, table=True):
    """One message; ``files`` holds a path a line."""

    message_id: str = Field(primary_key=True)
    thread_id: str = Field(index=True, foreign_key="ticket.thread_id")
    text: str
    files: str


@asynccontextmanager
async def open_database(url: str = "sqlite:///tickets.db") -> AsyncGenerator[Engine]:
    """Open the database once, when inboxkit starts."""
    engine = create_engine(url)
    try:
        Table.metadata.create_all(engine)
        yield engine
    finally:
        engine.dispose()


router = Router(resource=open_database)


@router.on_message(to="support@*")
async def ingest(message: Message, engine: Engine) -> None:
    """Store ticket, comment and files, then acknowledge: once a thread, whatever is retried."""
    files = [str(await a.save(Path("uploads"))) for a in message.attachments]
    await to_thread.run_sync(partial(record, engine, message, files))
    await message.reply(
        f"We opened ticket {message.thread_id}.", tag="ticket", key=f"ack-{message.thread_id}"
    )


def record(engine: Engine, message: Message, files: list[str]) -> None:
    """Write rows that a retry writes again without harm."""
    with Session(engine) as session:
        if session.get(Ticket, message.thread_id) is None:
            session.add(
                Ticket(
                    thread_id=message.thread_id,
                    sender=message.sender.email,
                    subject=message.subject,
                )
            )
        session.merge(
            Comment(
                message_id=message.id,
                thread_id=message.thread_id,
                text=message.reply_text,
                files="\n".join(files),
            )
        )
        session.commit()


@router.on_event(EventType.BOUNCED, tag="ticket")
async def mark_unreachable(event: Event, engine: Engine) -> None:
    """Note that our acknowledgement came back."""
    await to_thread.run_sync(partial(record_unreachable, engine, event.message.thread_id))


def record_unreachable(engine: Engine, thread_id: str) -> None:
    """Mark the ticket, if there is one."""
    with Session(engine) as session:
        ticket = session.get(Ticket, thread_id)
        if ticket is not None:
            ticket.reachable = False
            session.commit()

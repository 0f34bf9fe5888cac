"""Two transactions of PostgreSQL at once: one stays open until the other waits for it, or one is
done in the midst of the other.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import event, text

from inboxkit.store.transactions import Tx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from sqlalchemy import Connection

    from inboxkit.store.store import Store

T = TypeVar("T")
_PATIENCE = 30.0
_BEHIND = text(
    "SELECT count(*) FROM pg_locks"
    " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
)


async def behind(
    store: Store,
    first: Callable[[Tx], object],
    other: Awaitable[T],
    *,
    then: Callable[[Tx], object] | None = None,
) -> T:
    """Run ``first``, and ``other`` beside it; commit once ``other`` waits for what is locked.

    Return or raise what ``other`` does. It must have waited: else it saw nothing of ``first``.
    ``then`` is done before the commit; it raises when ``other`` holds what it needs, as of two that
    wait for each other PostgreSQL refuses the one that looks first.
    """
    with store.database.writer.connect() as connection:
        connection.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
        tx = Tx(connection)
        first(tx)
        waiting = asyncio.ensure_future(other)
        waited = await waits(connection, waiting)
        if then is not None:
            await asyncio.to_thread(then, tx)
        connection.commit()
    await asyncio.wait({waiting}, timeout=_PATIENCE)
    outcome = waiting.exception()
    assert waited, f"it waited for nobody: {outcome or waiting.result()}"
    return waiting.result()


@contextmanager
def overtaken(store: Store, look: str, by: Callable[[Tx], object]) -> Generator[None]:
    """Let ``by`` be done and committed between the next statement with ``look`` and what follows.

    It must come to that.
    """
    engine, left = store.database.writer, [by]

    def heard(_connection: Any, _cursor: Any, statement: str, *_more: object) -> None:
        if left and look in statement:
            work = left.pop()
            with engine.connect() as connection, connection.begin():
                work(Tx(connection))

    event.listen(engine, "after_cursor_execute", heard)
    try:
        yield
    finally:
        event.remove(engine, "after_cursor_execute", heard)
    assert not left, f"nothing asked {look}"


async def waits(connection: Connection, other: asyncio.Future[Any]) -> bool:
    """Wait until ``other`` waits for a lock of this transaction; False when it came through."""
    async with asyncio.timeout(_PATIENCE):
        while not connection.execute(_BEHIND).scalar_one():
            if other.done():
                return False
            await asyncio.wait({other}, timeout=0.01)
    return True

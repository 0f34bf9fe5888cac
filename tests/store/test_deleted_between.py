"""What is deleted between two statements of a look, of which PostgreSQL shows each by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, select

from inboxkit.store import conversations, drafts, messages, purge, records
from inboxkit.store.drafts import DraftRecord
from inboxkit.store.reach import EVERYTHING
from inboxkit.store.tables import draft, inbox, message, thread
from inboxkit.tokens import new_id
from inboxkit.values import File

from .arriving import mail, recorded
from .at_once import overtaken
from .sending import ANN, NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

    Look = Callable[[Connection], Any]


pytestmark = pytest.mark.postgres
NOBODYS: Any = None
UNSEEN = replace(EVERYTHING, forbidden=("spam",))


def fill(tx: Tx) -> None:
    """Make an inbox with a thread, of which one message of two is spam, and a draft with a file."""
    first = recorded(tx, mail("one"), mail("two", "one"))["one"]
    messages.set_labels(tx, first.id, add=["spam"], remove=(), now=NOW)
    known: dict[str, Any] = {"inbox": "", "to": (ANN,), "created_at": NOW, "updated_at": NOW}
    wanted = DraftRecord(id=new_id(), inbox_id=first.inbox_id, **known)
    drafts.create(tx, wanted, [File("a.txt", b"a"), File("b.txt", b"b")])


def ids(connection: Connection, table: Any) -> list[int]:
    return sorted(connection.execute(select(table.c.id)).scalars())


def delete_inbox(tx: Tx) -> None:
    purge.inbox(tx, ids(tx.connection, inbox)[0])


def delete_newest(tx: Tx) -> None:
    purge.messages(tx, ids(tx.connection, message)[-1:])


def take_first_file_out(tx: Tx) -> None:
    known = drafts.by_id(tx.connection, ids(tx.connection, draft)[0])
    assert known is not None
    assert drafts.change(tx, known, {}, remove=[known.files[0].id], now=NOW)


def shown(connection: Connection) -> list[str]:
    found = records.shown(connection, ids(connection, message), NOBODYS)
    return [one.message.text.strip() for one in found]


def thread_shown(connection: Connection) -> object:
    return records.thread(connection, ids(connection, thread)[0], NOBODYS)


def seen(connection: Connection) -> object:
    return conversations.find(connection, UNSEEN, ids(connection, thread)[0])


def second_file(connection: Connection) -> bytes | None:
    row = connection.execute(select(draft.c.attachments)).scalar_one()
    found = drafts.file(connection, row[1]["id"])
    return None if found is None else found.data


CASES: list[tuple[Look, str, Callable[[Tx], object], object]] = [
    (shown, "inboxkit_content.reply_html", delete_newest, ["Hello from one"]),
    (thread_shown, "inboxkit_thread.waiting_since", delete_inbox, None),
    (seen, "SELECT count(*)", delete_newest, None),
    (second_file, "FROM inboxkit_draft JOIN", take_first_file_out, b"b"),
]


@pytest.mark.parametrize(("look", "after", "change", "expected"), CASES)
async def test_what_is_gone_by_the_next_statement_is_left_out(
    store: Store, look: Look, after: str, change: Callable[[Tx], object], expected: object
) -> None:
    await store.write(fill)
    with overtaken(store, after, change):
        assert await store.read(look) == expected

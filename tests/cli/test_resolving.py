"""``inboxkit resolve``: a send whose outcome is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from .conftest import Command


def lose(inboxkit: Command) -> str:
    """Leave a send as the outbox leaves one of which nobody can tell whether it went out."""
    draft = ("--from=bot@inbox.example", "--to=ann@example.com", "--text=Hi")
    sent = inboxkit.rows("send", *draft)[0]["id"]
    engine = create_engine(f"sqlite:///{inboxkit.folder / 'inboxkit.db'}")
    with engine.begin() as connection:
        for table in ("delivery", "message"):
            connection.execute(text(f"UPDATE inboxkit_{table} SET state = 'unknown'"))
        connection.execute(text("DELETE FROM inboxkit_event WHERE type = 'accepted'"))
    engine.dispose()
    return str(sent)


def unknown(inboxkit: Command) -> list[str]:
    return [row["id"] for row in inboxkit.rows("messages", "--query", "state:unknown")]


@pytest.mark.parametrize(("how", "state"), [("sent", "accepted"), ("retry", "queued")])
def test_a_send_is_found_and_settled(inboxkit: Command, how: str, state: str) -> None:
    sent = lose(inboxkit)
    assert unknown(inboxkit) == [sent]
    done = inboxkit("resolve", sent, how)
    assert (done.code, done.err, unknown(inboxkit)) == (0, f"{how}: ann@example.com\n", [])
    assert inboxkit.rows("show", sent)[0]["state"] == state


@pytest.mark.parametrize(("id", "code"), [("msg_1", 3), ("nothing", 3)])
def test_what_does_not_exist_is_told(inboxkit: Command, id: str, code: int) -> None:
    assert inboxkit("resolve", id, "sent").code == code


def test_what_is_known_is_left_alone(inboxkit: Command) -> None:
    sent = lose(inboxkit)
    inboxkit("resolve", sent, "sent")
    done = inboxkit("resolve", sent, "retry")
    assert (done.code, "its outcome is known" in done.err) == (1, True)

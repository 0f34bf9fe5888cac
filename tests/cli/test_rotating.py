"""``db rotate-secret``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inboxkit.store import token_keys
from inboxkit.store.database import open_database

if TYPE_CHECKING:
    from inboxkit.tokens import TokenKey

    from .conftest import Command


def keys(inboxkit: Command) -> tuple[TokenKey, ...]:
    opened = open_database(f"sqlite:///{inboxkit.folder / 'inboxkit.db'}")
    with opened.writer.connect() as connection:
        found = token_keys.load(connection, b"own").keys
    opened.close()
    return found


def test_a_new_secret_is_put_in_front_and_the_old_one_has_its_time(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "desk@inbox.example")
    assert [key.secret for key in keys(inboxkit)] == [b"own"]
    done = inboxkit("db", "rotate-secret", "--keep-days", "30")
    new, old = keys(inboxkit)
    assert done.code == 0, done.err
    assert old.good_until is not None
    assert abs(old.good_until - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=1)
    assert new.good_until is None
    assert not any(key.secret.hex() in done.out + done.err for key in (new, old))


def test_a_time_past_the_calendar_is_refused(inboxkit: Command) -> None:
    inboxkit("inbox", "create", "desk@inbox.example")
    assert inboxkit("db", "rotate-secret", "--keep-days", "99999999").code == 2
    assert [key.secret for key in keys(inboxkit)] == [b"own"]


def test_a_server_is_not_asked(inboxkit: Command) -> None:
    done = inboxkit("--url", "http://127.0.0.1:1", "db", "rotate-secret")
    assert done.code != 0
    assert "works on a database" in done.err

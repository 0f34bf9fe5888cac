"""Copies to try something out on: what happens there is told to nobody."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from inboxkit.store import copies, endpoints
from inboxkit.store.database import sqlite_file
from inboxkit.store.endpoints import EndpointRecord

if TYPE_CHECKING:
    from pathlib import Path

    from inboxkit.store.store import Store


@pytest.mark.sqlite
async def test_no_webhook_is_told_of_what_happens_in_a_copy(
    store: Store, database: str, tmp_path: Path
) -> None:
    now = store.clock.now()
    hook = EndpointRecord(
        url="https://x.example",
        secret="whsec_x",
        event_types=[],
        headers={},
        created_at=now,
        updated_at=now,
    )
    await store.write(endpoints.create, hook)
    source, target = sqlite_file(database), tmp_path / "copy.db"
    assert source is not None
    copies.copy(source, target)
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT count(*) FROM inboxkit_endpoint").fetchone() == (0,)
    assert len(await store.read(endpoints.enabled, now)) == 1

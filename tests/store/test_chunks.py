"""Large messages in PostgreSQL: rows before the message's row, read in pieces, deleted, swept."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, func, select, text

from inboxkit import File, InboxKit
from inboxkit.errors import StoreError
from inboxkit.pipeline.janitor import Janitor
from inboxkit.store import purge
from inboxkit.store.blobs import INLINE_BYTES_OF_ROWS, Blobs, Packed, Unreadable
from inboxkit.store.chunks import Chunks, chunk
from inboxkit.store.tables import raw
from inboxkit.tokens import row_id
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from inboxkit.store.store import Store

pytestmark = pytest.mark.postgres
NOISE = random.Random(11).randbytes(INLINE_BYTES_OF_ROWS * 5 // 2)  # zstd cannot make it smaller


def numbers(store: Store) -> list[int]:
    """Return the numbers of the rows that are there."""
    with store.database.reader.connect() as connection:
        return sorted(connection.execute(select(chunk.c.number)).scalars())


@pytest.mark.parametrize("how", ["bytes", "file"])
def test_what_is_large_is_parted_among_rows_and_read_again(store: Store, how: str) -> None:
    packed = store.blobs.pack(NOISE if how == "bytes" else BytesIO(NOISE))
    assert (packed.data, packed.location[:5]) == (None, "rows:")
    assert numbers(store) == [0, 1, 2]
    assert store.blobs.unpack(packed) == NOISE


def test_what_fits_in_a_row_stays_there(store: Store) -> None:
    packed = store.blobs.pack(NOISE[: INLINE_BYTES_OF_ROWS - 1000])
    assert (packed.location, numbers(store)) == ("", [])


@pytest.mark.parametrize(
    ("gone", "says"), [((0, 1, 2), "no rows"), ((2,), "cut off"), ((1,), "a message in rows:")]
)
def test_rows_that_are_gone_are_unreadable(store: Store, gone: tuple[int, ...], says: str) -> None:
    packed = store.blobs.pack(NOISE)
    with store.database.writer.begin() as connection:
        connection.execute(delete(chunk).where(chunk.c.number.in_(gone)))
    with pytest.raises(Unreadable, match=says):
        store.blobs.unpack(packed)


def test_a_database_that_refuses_takes_and_gives_nothing(store: Store) -> None:
    packed = store.blobs.pack(NOISE)
    with store.database.writer.begin() as connection:
        connection.execute(text("ALTER TABLE inboxkit_chunk RENAME TO elsewhere"))
    try:
        with pytest.raises(StoreError, match="takes no message"):
            store.blobs.pack(NOISE)
        with pytest.raises(StoreError, match="cannot be read") as raised:
            store.blobs.unpack(packed)
    finally:
        with store.database.writer.begin() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO inboxkit_chunk"))
    assert not isinstance(raised.value, Unreadable)


def test_the_connection_that_wrote_is_as_durable_as_before(store: Store) -> None:
    asked = text("SELECT setting FROM pg_settings WHERE name = 'synchronous_commit'")
    with store.database.reader.connect() as connection:
        before = connection.execute(asked).scalar()
    store.blobs.pack(NOISE)
    held = [store.database.reader.connect() for _ in range(3)]
    assert {connection.execute(asked).scalar() for connection in held} == {before}
    for connection in held:
        connection.close()


def test_only_orphans_a_day_old_are_swept(store: Store) -> None:
    kept, orphan = (store.blobs.pack(NOISE).location for _ in range(2))
    assert store.blobs.sweep({kept}) == 0
    tomorrow = Chunks(store.database.reader, lambda: datetime.now(UTC) + timedelta(hours=25))
    assert tomorrow.sweep({kept}) == 1
    assert store.blobs.unpack(Packed(None, kept)) == NOISE
    with pytest.raises(Unreadable):
        store.blobs.unpack(Packed(None, orphan))


async def test_a_mail_with_its_answer_lies_in_rows_and_leaves_with_them(database: str) -> None:
    letter = mail(files={"plans.bin": NOISE})
    async with InboxKit(database=database) as kit:
        await kit.inbox(DESK)
        came = await kit.receive(letter, mail_from=ANN, rcpt_to=[DESK])
        assert await came.raw() == letter
        assert await came.attachments[0].read() == NOISE
        answer = await came.reply("And yours.", attachments=[File("plan.bin", NOISE)])
        store = kit.runtime.store
        locations = await store.read(purge.locations)
        assert [where[:5] for where in locations] == ["rows:"] * 2
        assert await Janitor(store, kit.settings).sweep() == 0
        ids = [row_id("msg", m.id) for m in (came, answer)]
        store.blobs.remove(await store.write(purge.messages, ids))
    assert await counted(database) == (0, 0)


async def counted(database: str) -> tuple[int, int]:
    """Return how many mails and rows of large ones are left."""
    kit = InboxKit(database=database)
    kit.only_look()
    async with kit:
        return await kit.runtime.store.read(_counted)


def _counted(connection: Connection) -> tuple[int, int]:
    mails, rows = (select(func.count()).select_from(table) for table in (raw, chunk))
    return connection.execute(mails).scalar_one(), connection.execute(rows).scalar_one()


READS_A_FILE = """
import sys
from pathlib import Path
from inboxkit.pipeline import spooling
from inboxkit.store.blobs import Blobs, Packed
from inboxkit.store.chunks import Chunks, chunk
from inboxkit.store.database import open_database

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

def read(location, size, sha256):
    with spooling.part(blobs.stream(Packed(None, location)), int(size), sha256) as file:
        assert len(file.read(1024)) == 1024

_, url, *given = sys.argv
blobs = Blobs(None, None, Chunks(open_database(url).reader))
read(*given[:3])
before = peak()
read(*given[3:])
print((peak() - before) // 1024)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux for the peak")
def test_a_file_of_25_mb_is_read_with_less_than_10(store: Store, database: str) -> None:
    given: list[str] = []
    for size in (700_000, 25_000_000):
        data = random.Random(size).randbytes(size)
        location = store.blobs.pack(mail(files={"a.bin": data})).location
        given += [location, str(size), hashlib.sha256(data).hexdigest()]
    command = [sys.executable, "-c", READS_A_FILE, database, *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) <= 10


def test_without_rows_all_is_in_one(store: Store) -> None:
    packed = Blobs(None).pack(NOISE)
    assert (packed.location, numbers(store)) == ("", [])

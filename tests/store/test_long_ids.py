"""Ids of mail that are longer, in bytes, than PostgreSQL's index takes: such mail is read, too."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from inboxkit.store import readings
from inboxkit.store.refusals import Unstorable
from inboxkit.store.tables import reference
from inboxkit.store.threads import stored_id

from .arriving import mail, parsed, rows

if TYPE_CHECKING:
    from inboxkit.store.store import Store
    from inboxkit.store.transactions import Tx

DRAWN = random.Random(1)  # what repeats would be compressed
LONG = "".join(chr(DRAWN.randrange(0x4E00, 0x9FA5)) for _ in range(960))


@pytest.mark.parametrize(
    ("rfc_id", "length"), [("a" * 998, 998), ("a" * 999, 998), ("é" * 200, 200), ("é" * 998, 499)]
)
def test_an_id_is_stored_up_to_a_line_of_bytes(rfc_id: str, length: int) -> None:
    assert stored_id(rfc_id) == rfc_id[:length]


@pytest.mark.parametrize("cited", [(), ("elsewhere",), (LONG,)], ids=["its own", "after", "both"])
async def test_mail_with_a_long_id_is_read_and_its_answer_joins_it(
    store: Store, cited: tuple[str, ...]
) -> None:
    for raw in (mail(LONG, *cited), mail("answer", LONG, subject="Else")):
        await store.write_grouped(readings.record, (await store.write(parsed, raw))[0])
    found = await store.read(rows)
    assert {row.state for row in found.values()} == {"parsed"}
    assert len({row.thread_id for row in found.values()}) == 1


@pytest.mark.postgres
async def test_what_is_too_long_for_an_index_is_not_tried_again_for_ever(store: Store) -> None:
    def insert(tx: Tx) -> None:
        values = {"inbox_id": 1, "rfc_id": LONG, "thread_id": 1, "outbound": False, "alias": False}
        tx.connection.execute(reference.insert(), [values | {"message_id": None}])

    with pytest.raises(Unstorable, match="exceeds btree"):
        await store.write(insert)

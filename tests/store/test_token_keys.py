"""The keys of tokens in mail: one signs, older ones verify for a while, all processes know them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit.clock import Clock
from inboxkit.pipeline.addresses import reply_address, token_row
from inboxkit.store import token_keys
from inboxkit.store.store import Store
from inboxkit.tokens import Keyring, TokenKey, sign
from tests.mails import ANN, DESK, mail

if TYPE_CHECKING:
    from inboxkit import InboxKit

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
OLD, NEW = TokenKey(b"old", good_until=NOW + DAY), TokenKey(b"new", signs_from=NOW + 10 * SECOND)
RING = Keyring((NEW, OLD))


@pytest.mark.parametrize(
    ("at", "signs"),
    [(NOW, b"old"), (NOW + 9 * SECOND, b"old"), (NOW + 10 * SECOND, b"new"), (NOW - DAY, b"old")],
    ids=["rotated", "not known everywhere yet", "begins", "clock behind"],
)
def test_a_new_key_signs_once_every_process_knows_it(at: datetime, signs: bytes) -> None:
    assert RING.signing(at) == signs


@pytest.mark.parametrize(
    ("key", "at", "number"),
    [
        (b"new", NOW, 7),
        (b"old", NOW + DAY - SECOND, 7),
        (b"old", NOW + DAY, None),
        (b"foreign", NOW, None),
    ],
    ids=["new", "old", "too old", "foreign"],
)
def test_tokens_of_all_keys_that_are_good_are_believed(
    key: bytes, at: datetime, number: int | None
) -> None:
    assert RING.verify(sign(key, 7), at) == number
    assert token_row([reply_address(DESK, 7, key, "")], RING, at) == number


def test_a_key_shows_nothing_of_itself() -> None:
    assert "old" not in repr(RING)


async def test_keys_of_two_rotations_are_all_good_and_the_first_ends_first(store: Store) -> None:
    await store.write(token_keys.rotate, store.identity, NOW, 2 * DAY)
    await store.write(token_keys.rotate, store.identity, NOW + DAY, 2 * DAY)
    ring = await store.read(token_keys.load, store.identity)
    assert [key.good_until for key in ring.keys] == [None, NOW + 3 * DAY, NOW + 2 * DAY]
    assert ring.keys[-1].secret == store.identity
    assert len({key.secret for key in ring.keys}) == 3


async def test_keys_that_are_no_longer_good_are_deleted(store: Store) -> None:
    await store.write(token_keys.rotate, store.identity, NOW, DAY)
    ring = await store.write(token_keys.rotate, store.identity, NOW + DAY, DAY)
    assert len(ring.keys) == 2
    assert store.identity not in {key.secret for key in ring.keys}


async def test_a_process_that_runs_learns_of_a_rotation(database: str, store: Store) -> None:
    other = Store(database, Clock())
    await other.open()
    ring = await other.write(token_keys.rotate, other.identity, NOW, DAY)
    await other.close()
    assert store.keys != ring
    await store.write(store.beat)
    assert store.keys == ring


@pytest.mark.parametrize(("keep", "reason"), [(DAY, "token"), (timedelta(0), "new")])
async def test_a_reply_to_an_address_from_before_a_rotation(
    kit: InboxKit, keep: timedelta, reason: str
) -> None:
    inbox, store = await kit.inbox(DESK), kit.runtime.store
    sent = await inbox.send(ANN, "Size?", "Which size?")
    await store.write(token_keys.rotate, store.identity, kit.clock.now(), keep)
    await store.write(store.beat)
    answer = mail("Small.", subject="Lids", to=sent.reply_to[0].email)
    got = await kit.receive(answer, mail_from=ANN, rcpt_to=[sent.reply_to[0].email])
    assert got.thread_reason == reason
    assert (got.thread_id == sent.thread_id) is (reason == "token")

"""Accepting: inboxes that go away meanwhile, and files that no row names."""

from __future__ import annotations

import asyncio
import hashlib
import io
import secrets
import sqlite3
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import InboxKit, NotFound, StoreError
from inboxkit.pipeline.accept import Arriving, UnknownRecipient
from inboxkit.pipeline.addresses import UNROUTED
from inboxkit.store import inboxes, purge
from inboxkit.tokens import public_id
from tests.faults.locking import impatient, locked
from tests.mails import ANN, DESK, mail
from tests.outages import lose_an_answer, refuse_a_look

if TYPE_CHECKING:
    from pathlib import Path

    from inboxkit.store.transactions import Tx

LARGE = {"large.bin": secrets.token_bytes(200_000)}


async def take(kit: InboxKit, raw: bytes, *to: str) -> list[tuple[int, bool]]:
    return await kit.runtime.accept.mail(raw, mail_from=ANN, rcpt_to=to or [DESK])


def files(kit: InboxKit) -> list[Path]:
    folder = kit.runtime.store.files_folder
    if folder is None:  # PostgreSQL keeps all in rows
        return []
    return list(folder.rglob("*.zst*"))


def delete_elsewhere(tx: Tx, address: str) -> None:
    """Delete an inbox as another process does: our addresses are not told."""
    found = inboxes.find(tx.connection, address)
    assert found is not None
    purge.inbox(tx, found.id)


async def test_an_inbox_that_another_process_deleted_takes_no_more_mail(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await take(kit, mail())
    await kit.runtime.store.write(delete_elsewhere, DESK)
    with pytest.raises(UnknownRecipient, match=r"desk@inbox\.example"):
        await take(kit, mail(files=LARGE))
    assert files(kit) == []


async def test_mail_goes_to_the_inbox_that_has_the_address_now(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await take(kit, mail())
    await kit.runtime.store.write(delete_elsewhere, DESK)
    await kit.runtime.store.write(inboxes.create, DESK, now=kit.clock.now())
    [(_, before)] = await take(kit, mail())
    assert not before


async def test_the_other_recipients_of_a_mail_still_get_it(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    await kit.inbox("help@inbox.example")
    await take(kit, mail(), DESK, "help@inbox.example")
    await kit.runtime.store.write(delete_elsewhere, DESK)
    assert len(await take(kit, mail(), DESK, "help@inbox.example")) == 1


@pytest.mark.long
async def test_mail_whose_commit_was_made_but_not_confirmed_is_whole(kit: InboxKit) -> None:
    inbox, raw = await kit.inbox(DESK), mail(files=LARGE)
    lose_an_answer(kit.runtime.store.database.writer, "INTO inboxkit_raw")
    both = (DESK, (await kit.inbox("help@inbox.example")).address)
    with pytest.raises(StoreError):
        await take(kit, raw, *both)
    assert [before for _, before in await take(kit, raw, *both)] == [True, True]
    found = await inbox.wait_for_message(timeout=30)
    assert await found.attachments[0].read() == LARGE["large.bin"]


@pytest.mark.sqlite
async def test_a_large_mail_beside_a_repeated_one_keeps_its_file(kit: InboxKit) -> None:
    inbox, accept = await kit.inbox(DESK), kit.runtime.accept
    first, second = mail("first"), mail("second", files=LARGE)
    await take(kit, first)
    both = [await accept.prepare(arriving(raw)) for raw in (first, second)]
    await kit.runtime.store.write(lambda tx: refuse_a_look(driver(tx)))
    await asyncio.gather(*(accept.store(copies) for copies in both), return_exceptions=True)
    await take(kit, second)
    found = [await inbox.wait_for_message(timeout=30) for _ in both]
    assert await found[1].attachments[0].read() == LARGE["large.bin"]


def arriving(raw: bytes) -> Arriving:
    sha256 = hashlib.sha256(raw).hexdigest()
    return Arriving(raw=raw, mail_from=ANN, rcpt_to=(DESK,), size=len(raw), sha256=sha256)


def driver(tx: Tx) -> Any:
    return tx.connection.connection.dbapi_connection


def test_an_unknown_recipient_is_not_found() -> None:
    assert issubclass(UnknownRecipient, NotFound)


@pytest.mark.sqlite
async def test_a_large_mail_that_comes_again_leaves_one_file(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    raw = mail(files=LARGE)
    assert [(await take(kit, raw))[0][1] for _ in range(3)] == [False, True, True]
    assert len(files(kit)) == 1


@pytest.mark.sqlite
async def test_a_large_mail_that_is_refused_leaves_no_file(kit: InboxKit, tmp_path: Path) -> None:
    await kit.inbox(DESK)
    await impatient(kit.runtime.store)
    await kit.runtime.accept.check(DESK)
    with locked(tmp_path / "test.db"), pytest.raises(StoreError):
        await take(kit, mail(files=LARGE))
    assert files(kit) == []


@pytest.mark.parametrize("size", [100, 3_000_000], ids=["small", "in pieces"])
async def test_a_spooled_mail_is_stored_as_it_came(kit: InboxKit, size: int) -> None:
    raw = mail(files={"a.bin": secrets.token_bytes(size)})
    blobs = kit.runtime.store.blobs
    source = io.BytesIO(raw)
    source.seek(7)  # as somebody who looked at its beginning leaves it
    assert blobs.unpack(blobs.pack(source)) == raw


def spooled(raw: bytes, *to: str, **options: Any) -> Arriving:
    """Return a mail whose bytes are spooled, and were read to their end."""
    source = io.BytesIO(raw)
    source.seek(0, io.SEEK_END)
    sha256 = hashlib.sha256(raw).hexdigest()
    return Arriving(
        raw=source, mail_from=ANN, rcpt_to=to or (DESK,), size=len(raw), sha256=sha256, **options
    )


async def test_a_spooled_mail_is_known_when_it_comes_again(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    raw, accept = mail(files=LARGE), kit.runtime.accept
    assert [(await accept.take(spooled(raw)))[0][1] for _ in range(2)] == [False, True]


@pytest.mark.parametrize(("each", "copies"), [(False, 1), (True, 2)])
async def test_an_unknown_recipient_among_others_is_kept_only_when_asked_for(
    kit: InboxKit, each: bool, copies: int
) -> None:
    await kit.inbox(DESK)
    came = spooled(mail(), DESK, "gone@shop.example", keep_unrouted=True, each_unrouted=each)
    stored = await kit.runtime.accept.take(came)
    labels = [(await kit.message(public_id("msg", row))).labels for row, _ in stored]
    assert [UNROUTED in found for found in labels] == [False, True][:copies]


@pytest.mark.sqlite
async def test_a_folder_that_takes_nothing_refuses_with_store_error(
    kit: InboxKit, tmp_path: Path
) -> None:
    folder = kit.runtime.store.files_folder
    assert folder is not None
    await kit.inbox(DESK)
    for number in range(256):
        (folder / f"{number:02x}").touch()  # where the folders of files would be
    with pytest.raises(StoreError, match="takes no message"):
        await take(kit, mail(files=LARGE))
    with sqlite3.connect(tmp_path / "test.db") as connection:
        assert connection.execute("SELECT count(*) FROM inboxkit_message").fetchone() == (0,)
    connection.close()


@pytest.mark.sqlite
async def test_of_a_mail_whose_second_file_is_refused_none_is_left(kit: InboxKit) -> None:
    folder, accept = kit.runtime.store.files_folder, kit.runtime.accept
    assert folder is not None
    for address in (DESK, "help@inbox.example"):
        await kit.inbox(address)
    for number in range(0, 256, 2):
        (folder / f"{number:02x}").touch()  # half of the files find no folder, by their names
    both = replace(arriving(mail(files=LARGE)), rcpt_to=(DESK, "help@inbox.example"))
    kept = 0
    for _ in range(40):
        with suppress(StoreError):
            kept += len(await accept.prepare(both))
        assert len(files(kit)) == kept


@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
async def test_what_the_body_says_is_no_message_id(kit: InboxKit, end: bytes) -> None:
    await kit.inbox(DESK)
    raw = end.join([b"From: ann@example.com", b"", b"Message-ID: <1@example.com>", b""])
    [copy] = await kit.runtime.accept.prepare(arriving(raw))
    assert copy.message_id == ""

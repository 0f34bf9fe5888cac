"""Retention: by age and by count, rows and files together, while mail comes in."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit import InboxKit, Settings
from inboxkit.pipeline.janitor import Janitor
from inboxkit.testing.settling import settle
from tests.mails import DESK, arrive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FILE = {"large.bin": secrets.token_bytes(100_000)}


@pytest.fixture
async def planning(database: str) -> AsyncIterator[InboxKit]:
    kit = InboxKit(database=database)
    kit.plan_messages()
    async with kit:
        await kit.inbox(DESK)
        await kit.inbox("help@inbox.example")
        yield kit


def janitor(kit: InboxKit, **keep: int) -> Janitor:
    return Janitor(kit.runtime.store, Settings.model_validate(keep))


async def subjects(kit: InboxKit) -> list[str]:
    return sorted([message.subject async for message in kit.search()])


def files(kit: InboxKit) -> int:
    folder = kit.runtime.store.files_folder
    assert folder is not None
    return len(list(folder.rglob("*.zst")))


@pytest.mark.sqlite
async def test_each_inbox_keeps_its_newest_messages(planning: InboxKit) -> None:
    for number in range(4):
        await arrive(planning, subject=f"desk {number}", files=FILE)
    await arrive(planning, to="help@inbox.example", subject="help 0", files=FILE)
    await settle(planning, timeout=30)
    assert await janitor(planning, keep_messages=2).retain() == 2
    assert await subjects(planning) == ["desk 2", "desk 3", "help 0"]
    assert files(planning) == 3


@pytest.mark.sqlite
async def test_what_is_too_old_goes(planning: InboxKit) -> None:
    await arrive(planning, subject="old", files=FILE)
    await settle(planning, timeout=30)
    planning.clock.advance(timedelta(days=31))
    await arrive(planning, subject="new")
    await settle(planning, timeout=30)
    assert await janitor(planning, keep_days=30).retain() == 1
    assert await subjects(planning) == ["new"]
    assert files(planning) == 0


async def test_everything_is_kept_unless_somebody_says_otherwise(planning: InboxKit) -> None:
    await arrive(planning)
    await settle(planning, timeout=30)
    planning.clock.advance(timedelta(days=4_000))
    assert await janitor(planning).retain() == 0


async def test_what_is_not_done_with_is_kept(database: str) -> None:
    kit = InboxKit(database=database)
    kit.only_look()
    async with kit:
        await kit.inbox(DESK)
        await kit.runtime.accept.mail(b"Subject: x\r\n\r\n", mail_from="", rcpt_to=[DESK])
        kit.clock.advance(timedelta(days=2))
        assert await janitor(kit, keep_days=1).retain() == 0

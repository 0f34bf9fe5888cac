"""What a fake vendor has taken is found by whatever id its sender knows it under."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxkit import EventType, InboxKit, Settings
from inboxkit.testing.emulator import Emulator
from inboxkit.testing.vendors import VENDORS
from tests.mails import ANN, happened

if TYPE_CHECKING:
    from collections.abc import Mapping


def settings(database: str, name: str, options: Mapping[str, str]) -> Settings:
    return Settings(
        database=database,
        domain="mg.example.com",
        provider=(name,),
        options={name: dict(options)},
    )


@pytest.mark.parametrize("name", sorted(VENDORS))
async def test_a_send_is_found_by_the_ids_that_its_sender_sees(database: str, name: str) -> None:
    async with Emulator([name]) as emulator:
        options = emulator.accounts[name].options
        async with InboxKit(settings=settings(database, name, options)) as kit:
            inbox = await kit.inbox("shop@mg.example.com")
            first = await inbox.send(ANN, "Hi", "Hello")
            await happened(kit, EventType.ACCEPTED)
            await inbox.send(ANN, "Hi", "Hello again")
            await happened(kit, EventType.ACCEPTED, times=2)
    mails = [emulator.catch.find(id) for id in (first.id, first.message_id)]
    assert mails == [[*emulator.catch][1]] * 2

"""What must hold with every vendor: a connection that breaks never sends a mail twice."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit.testing import Sandbox
from inboxkit.testing.runner import Runner
from inboxkit.testing.vendors import VENDORS

from .sending import Sending, StandingClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from inboxkit.testing import Fakes

DAY = timedelta(days=1)


@asynccontextmanager
async def sending(name: str, fakes: Fakes) -> AsyncGenerator[Sending]:
    """Run a sandbox that sends through a vendor's Fake."""
    runner = Runner(
        clock=StandingClock(),
        provider=(name,),
        domain="shop.example",
        any_recipient=True,
        options={name: fakes(name).options},
    )
    await asyncio.to_thread(runner.start)
    try:
        yield Sending(runner, Sandbox(runner))
    finally:
        await asyncio.to_thread(runner.stop)


@pytest.mark.parametrize("name", sorted(VENDORS))
async def test_a_drop_after_the_request_was_read_never_sends_twice(
    fake_provider: Fakes, name: str
) -> None:
    account = fake_provider(name)
    account.drop_next(taken=True)
    async with sending(name, fake_provider) as opened:
        sent = await opened.send("ann@example.com")
        await opened.sandbox.advance(DAY)
        assert await opened.state(sent) in ("accepted", "unknown")
    assert len(account.sent) == 1


@pytest.mark.parametrize("name", sorted(VENDORS))
async def test_what_is_refused_for_now_is_sent_later_and_once(
    fake_provider: Fakes, name: str
) -> None:
    account = fake_provider(name)
    account.fail_next(429)
    async with sending(name, fake_provider) as opened:
        sent = await opened.send("ann@example.com")
        assert await opened.state(sent) == "queued"
        await opened.sandbox.advance(DAY)
        assert await opened.state(sent) == "accepted"
    assert len(account.sent) == 1

"""Certificates from a real server: fetched once, again after a day, never from elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from inboxkit.clock import Clock
from inboxkit.pipeline.certificates import Certificates
from inboxkit.pipeline.downloads import NotFetched
from inboxkit.providers.base import FetchPlan, HttpResponse
from inboxkit.providers.fakes.ses import SesFake
from inboxkit.providers.ses import Ses
from inboxkit.testing.fake_provider import FakeProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NAME = "SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
CONFIG = Ses().configure({"access_key_id": "a", "secret_access_key": "s"})


@pytest.fixture
async def server() -> AsyncIterator[FakeProvider]:
    async with FakeProvider(SesFake(CONFIG, Clock().now)) as opened:
        yield opened


def _plan(server: FakeProvider, *hosts: str, most: int = 65_536) -> FetchPlan:
    return FetchPlan(url=f"{server.url}/{NAME}", hosts=hosts or ("127.0.0.1",), max_bytes=most)


async def test_a_certificate_is_fetched_again_after_a_day(server: FakeProvider) -> None:
    clock = Clock()
    certificates = Certificates(clock)

    first = await certificates.get(_plan(server))
    assert first.body.startswith(b"-----BEGIN CERTIFICATE-----")
    clock.advance(timedelta(hours=23))
    assert await certificates.get(_plan(server)) is first
    clock.advance(timedelta(hours=2))
    assert await certificates.get(_plan(server)) is not first

    assert len(server.requests) == 2


async def test_what_is_no_certificate_is_not_remembered(server: FakeProvider) -> None:
    certificates = Certificates(Clock())
    server.answer_next(HttpResponse(404), HttpResponse(200, {}, b"x" * 100))

    with pytest.raises(NotFetched, match="404"):
        await certificates.get(_plan(server))
    with pytest.raises(NotFetched):
        await certificates.get(_plan(server, most=99))

    assert (await certificates.get(_plan(server))).status == 200


async def test_a_host_that_is_not_listed_is_never_asked(server: FakeProvider) -> None:
    with pytest.raises(NotFetched, match="not allowed"):
        await Certificates(Clock()).get(_plan(server, "sns.us-east-1.amazonaws.com"))

    assert server.requests == []


async def test_a_listed_name_that_leads_to_this_machine_is_not_connected_to(
    server: FakeProvider,
) -> None:
    url = server.url.replace("127.0.0.1", "vendor.localhost")
    plan = FetchPlan(url=f"{url}/{NAME}", hosts=(".localhost",))

    with pytest.raises(NotFetched, match="a name of this machine"):
        await Certificates(Clock()).get(plan)

    assert server.requests == []

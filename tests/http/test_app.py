"""The HTTP edge: what vendors get for an answer, and what is stored before they get it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from inboxkit import InboxKit
from inboxkit.http.app import make_app
from inboxkit.http.intake import MOST_BYTES, Intake
from inboxkit.providers.forms import Field
from inboxkit.settings import Settings
from inboxkit.store.tables import webhook
from tests.pipeline.mailgun import OPTIONS, Account, account
from tests.providers.mailgun_account import form_post, signature_block

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from inboxkit.providers.base import WebhookRequest
    from inboxkit.store.transactions import Tx

MAIL = (
    b"From: ann@example.com\r\nTo: bot@shop.example\r\nMessage-ID: <m1@example.com>\r\n\r\nHi\r\n"
)


@pytest.fixture
async def mailgun() -> AsyncIterator[Account]:
    async with account() as opened:
        yield opened


def mail(mailgun: Account, raw: bytes = MAIL) -> WebhookRequest:
    return mailgun.fake.inbound(raw, recipient="bot@shop.example", mail_from="ann@example.com")


async def ask(mailgun: Account, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
    """Make a request and return the status and the text of the answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{mailgun.sandbox.url}{path}", data=BytesIO(body)) as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("GET", "/readyz", 200),
        ("GET", "/webhooks/mailgun", 200),
        ("HEAD", "/webhooks/mailgun", 200),
        ("PUT", "/webhooks/mailgun", 401),
        ("DELETE", "/webhooks/mailgun", 405),
        ("POST", "/webhooks/nobody", 404),
        ("GET", "/webhooks/nobody", 404),
        ("POST", "/webhooks/memory", 404),
        ("POST", "/webhooks/smtp", 404),
        ("POST", "/webhooks/mailgun/deeper", 404),
        ("POST", "/", 404),
    ],
)
async def test_probes_and_wrong_addresses(
    mailgun: Account, method: str, path: str, status: int
) -> None:
    assert (await ask(mailgun, method, path))[0] == status
    assert await mailgun.webhooks() == []


async def test_a_webhook_is_stored_when_it_is_answered() -> None:
    async with account(provider=("memory",), domain="inbox.example") as mailgun:
        assert await mailgun.post(mail(mailgun)) == 200
        assert len(await mailgun.webhooks()) == 1


async def test_a_replay_is_answered_and_not_stored_again(mailgun: Account) -> None:
    post = mail(mailgun)
    assert [await mailgun.post(post) for _ in range(3)] == [200, 200, 200]
    assert len(await mailgun.webhooks()) == 1


async def test_the_same_moment_twice_is_stored_once(mailgun: Account) -> None:
    post = mail(mailgun)
    answers = await asyncio.gather(*(mailgun.post(post) for _ in range(8)))
    assert answers == [200] * 8
    assert len(await mailgun.webhooks()) == 1


def tampered(mailgun: Account, name: str) -> WebhookRequest:
    """Return a post that must not be trusted."""
    post = mail(mailgun)
    if name == "other key":
        stamp = str(int(mailgun.runner.clock.now().timestamp()))
        block = signature_block(stamp, "t" * 50, key="guessed")
        return form_post(*(Field(k, v.encode()) for k, v in block.items()))
    return replace(post, body=post.body.replace(b"signature", b"unsigned"))


@pytest.mark.parametrize(
    ("name", "reason"), [("other key", "wrong signature"), ("no signature", "not signed")]
)
async def test_a_bad_signature_is_refused_with_a_line_that_says_why(
    mailgun: Account, caplog: pytest.LogCaptureFixture, name: str, reason: str
) -> None:
    caplog.set_level(logging.DEBUG)
    assert await mailgun.post(tampered(mailgun, name)) == 401
    [line] = [r.getMessage() for r in caplog.records if r.name == "inboxkit.webhooks"]
    assert line == f"webhook of mailgun refused: {reason}"
    assert OPTIONS["signing_key"] not in caplog.text
    assert await mailgun.webhooks() == []


@pytest.mark.parametrize(("hours", "status"), [(8, 200), (10, 401)])
async def test_a_retry_may_carry_the_first_timestamp(
    mailgun: Account, hours: int, status: int
) -> None:
    post = mail(mailgun)
    await mailgun.sandbox.advance(timedelta(hours=hours))
    assert await mailgun.post(post) == status


async def test_without_a_signing_key_nothing_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    options = {"mailgun": {"api_key": "key-secret-1", "domain": "shop.example"}}
    async with account(provider=("memory",), options=options) as mailgun:
        assert await mailgun.post(mail(mailgun)) == 503
        assert await mailgun.webhooks() == []
    assert "signing_key is not set" in caplog.text


@pytest.mark.parametrize(("name", "expected"), [("mailgun", 503), ("brevo", 429)])
async def test_a_provider_without_settings_is_probed_and_has_its_vendor_try_again(
    name: str, expected: int
) -> None:
    async with account(provider=("memory",), options={}) as mailgun:
        assert (await ask(mailgun, "HEAD", f"/webhooks/{name}"))[0] == 200
        status, text = await ask(mailgun, "POST", f"/webhooks/{name}", b"{}")
    assert (status, text) == (expected, f"provider {name} is not configured")


@pytest.mark.parametrize(("name", "status"), [("mailgun", 503), ("brevo", 429)])
async def test_a_body_without_room_is_one_to_post_again(
    tmp_path: Path, name: str, status: int
) -> None:
    options = {"mailgun": OPTIONS, "brevo": {"api_key": "k", "webhook_password": "p"}}
    database = f"sqlite:///{tmp_path}/test.db"
    async with InboxKit(settings=Settings(database=database, options=options)) as kit:
        full = Intake(held=0, free=0, patience=0.01)
        app = make_app(replace(kit.runtime.parts, webhook_intake=full), kit.runtime)
        async with TestServer(app) as server, aiohttp.ClientSession() as session:
            url = server.make_url(f"/webhooks/{name}")
            async with session.post(url, data=b"x") as answer:
                assert (answer.status, answer.headers["retry-after"]) == (status, "10")


async def begun(
    mailgun: Account, path: str, body: bytes, length: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin a post of so many bytes that nobody has to have a key for."""
    host, _, port = mailgun.sandbox.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {length}\r\n\r\n".encode() + body)
    return reader, writer


@pytest.mark.parametrize("host", [b"\xff", b"a:99999", b"a:b:c"])
async def test_a_host_that_is_none_is_refused(mailgun: Account, host: bytes) -> None:
    where, _, port = mailgun.sandbox.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(where, int(port))
    writer.write(b"POST /webhooks/mailgun HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n" % host)
    async with asyncio.timeout(8):
        assert (await reader.readline()).split()[1] == b"400"
    writer.transport.abort()


@pytest.mark.parametrize(("path", "status"), [("mailgun", b"503"), ("nobody", b"404")])
async def test_a_body_that_leads_nowhere_is_not_waited_for(path: str, status: bytes) -> None:
    async with account(provider=("memory",), options={}) as mailgun:
        reader, writer = await begun(mailgun, f"/webhooks/{path}", b"", 64_000_000)
        async with asyncio.timeout(8):
            assert (await reader.readline()).split()[1] == status
        writer.transport.abort()
        assert (await ask(mailgun, "GET", "/livez"))[0] == 200


async def test_bodies_of_webhooks_take_no_room_from_others(mailgun: Account) -> None:
    held = bytes(MOST_BYTES - 1)
    streams = [await begun(mailgun, "/webhooks/mailgun", held, MOST_BYTES) for _ in range(2)]
    async with asyncio.timeout(60):
        for _, writer in streams:
            await writer.drain()
    async with asyncio.timeout(8):  # before those two are given up
        status, _ = await ask(mailgun, "POST", "/v3/shop.example/messages", b" " * 8_000_000)
    assert status == 400  # it was read: nothing in it says where to send
    for _, writer in streams:
        writer.transport.abort()


@pytest.mark.parametrize("path", ["/webhooks/mailgun", "/v0/inboxes", "/v3/shop.example/messages"])
async def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_defect(
    mailgun: Account, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await begun(mailgun, path, b"{", 100)
    await ask(mailgun, "GET", "/livez")  # once it is answered, what came before is under way
    writer.transport.abort()
    for _ in range(3):
        await ask(mailgun, "GET", "/livez")
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_a_body_beyond_the_limit_is_refused(mailgun: Account) -> None:
    status, _ = await ask(mailgun, "POST", "/webhooks/mailgun", bytes(64 * 1024 * 1024 + 1))
    assert status == 413
    assert await mailgun.webhooks() == []


def limit_pages(tx: Tx, extra: int) -> None:
    """Let the database grow by so many pages and no further, like a disk that fills up."""
    pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages + extra}")


async def test_a_full_disk_is_told_and_leaves_nothing_half_stored(mailgun: Account) -> None:
    large = mail(mailgun, MAIL + b"x" * 1_000_000)
    url = f"{mailgun.sandbox.url}/webhooks/mailgun"
    write = mailgun.sandbox.kit.runtime.store.write
    await mailgun.runner.acall(write, limit_pages, 0)
    async with (
        aiohttp.ClientSession(headers=large.headers) as session,
        session.post(url, data=BytesIO(large.body)) as answer,
    ):
        assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert await mailgun.webhooks() == []
    await mailgun.runner.acall(write, limit_pages, 1_000_000)
    assert await mailgun.post(large) == 200


async def test_no_key_of_a_url_or_a_header_is_logged_or_stored(
    mailgun: Account, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await ask(mailgun, "POST", "/webhooks/mailgun?key=canary-1", b"{}")
    post = mail(mailgun)
    headers = {**post.headers, "Authorization": "Basic canary-2", "Cookie": "canary-3"}
    await mailgun.post(replace(post, headers=headers))
    assert "canary" not in caplog.text
    [row] = await mailgun.rows(select(webhook))
    assert not {"authorization", "cookie"} & set(row.headers)

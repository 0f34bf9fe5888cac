"""The fixture ``fake_provider``: what people's tests do with a vendor that is not there."""

from __future__ import annotations

import asyncio
import base64
import http.client
import urllib.error
import urllib.request
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web

from inboxkit.errors import ConfigurationError
from inboxkit.pipeline.transport import NotDelivered, Transport
from inboxkit.providers.base import Feature, HttpRequest, Outgoing, ProviderEvent, Sent, Verified
from inboxkit.providers.registry import PROVIDERS, provider
from inboxkit.testing.desk import Hold
from inboxkit.testing.emulator import Emulator
from inboxkit.testing.fake_provider import FakeProvider
from inboxkit.testing.vendors import VENDORS, chosen
from inboxkit.values import Address, EventType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from inboxkit.providers.base import WebhookRequest
    from inboxkit.testing import FakeAccount, Fakes

    Listener = tuple[str, asyncio.Queue[bytes]]


@pytest.fixture
def mailgun(fake_provider: Fakes) -> FakeAccount:
    return fake_provider("mailgun")


def send(account: FakeAccount, *to: str, key: str = "") -> int:
    """Send as an application does that knows nothing but a URL and a key; return the status."""
    form = urlencode(
        {
            "from": "Shop <shop@mg.example.com>",
            "to": ", ".join(to),
            "subject": "Hi",
            "text": "Hello",
        }
    )
    domain = account.options["domain"]
    request = urllib.request.Request(f"{account.url}/v3/{domain}/messages", form.encode())
    token = base64.b64encode(f"api:{key or account.options['api_key']}".encode()).decode()
    request.add_header("Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def events(webhook: WebhookRequest, account: FakeAccount) -> list[tuple[EventType, str, bool]]:
    """Return what our own adapter reads in a webhook."""
    chosen = provider("mailgun")
    found = chosen.parse_events(webhook, chosen.configure(account.options))
    return [(e.type, e.recipient, e.hard) for e in found if isinstance(e, ProviderEvent)]


# what is sent


def test_what_is_sent_can_be_looked_at(mailgun: FakeAccount) -> None:
    assert send(mailgun, "ann@example.com", "ben@example.com") == 200
    [caught] = mailgun.sent
    assert caught.rcpt_to == ("ann@example.com", "ben@example.com")
    assert b"Subject: Hi" in caught.mime


def test_a_wrong_key_is_refused_as_the_vendor_refuses(mailgun: FakeAccount) -> None:
    assert send(mailgun, "ann@example.com", key="another") == 401
    assert (len(mailgun.requests), mailgun.sent) == (1, ())


def test_a_host_may_name_the_vendor(mailgun: FakeAccount) -> None:
    port = int(mailgun.url.split(":")[2].split("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/v3/x/events", headers={"Host": f"mailgun.localhost:{port}"})
    assert connection.getresponse().status == 401
    connection.close()
    assert mailgun.requests[0].url.endswith("/v3/x/events")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"X-Forwarded-For": "192.0.2.1"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "mailgun.localhost", "Origin": "http://app.localhost:3000"}, 401),
        ({"Origin": "http://127.0.0.1:3000"}, 401),
    ],
    ids=str,
)
def test_a_foreign_web_page_is_not_let_in(
    mailgun: FakeAccount, headers: dict[str, str], status: int
) -> None:
    port = int(mailgun.url.split(":")[2].split("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    named = headers.get("Host") == "mailgun.localhost"
    path = "/v3/x/events" if named else "/mailgun/v3/x/events"
    connection.request("GET", path, headers=headers)
    assert connection.getresponse().status == status
    connection.close()


async def test_a_port_that_others_reach_is_for_others_too() -> None:
    async with Emulator(["mailgun"], bind="0.0.0.0:0") as emulator:
        port = int(emulator.url.rpartition(":")[2])
        async with (
            aiohttp.ClientSession(headers={"Host": "fake:8026"}) as session,
            session.get(f"http://127.0.0.1:{port}/mailgun/v3/x/events") as answer,
        ):
            assert answer.status == 401


def test_a_vendor_that_is_not_emulated_is_refused_by_name(fake_provider: Fakes) -> None:
    with pytest.raises(ConfigurationError, match="no fake 'nosuch'; there are agentmail, "):
        fake_provider("nosuch")


def test_an_unknown_vendor_is_answered_with_those_there_are(fake_provider: Fakes) -> None:
    url = fake_provider("mailgun").url.replace("/mailgun", "/pigeon")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=30)
    with refused.value as answer:
        assert b"/mailgun/" in answer.read()
    assert refused.value.code == 404


# what goes wrong


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_is_told_and_takes_nothing(mailgun: FakeAccount, status: int) -> None:
    mailgun.fail_next(status, times=2)
    assert [send(mailgun, "ann@example.com") for _ in range(3)] == [status, status, 200]
    assert len(mailgun.sent) == 1


@pytest.mark.parametrize(("taken", "caught"), [(True, 1), (False, 0)], ids=["taken", "lost"])
def test_a_broken_connection_takes_the_message_or_not(
    mailgun: FakeAccount, taken: bool, caught: int
) -> None:
    mailgun.drop_next(taken=taken)
    with pytest.raises(OSError):
        send(mailgun, "ann@example.com")
    assert len(mailgun.sent) == caught


def test_a_late_answer_is_an_answer(mailgun: FakeAccount) -> None:
    mailgun.delay_next(0.05)
    assert send(mailgun, "ann@example.com") == 200


@pytest.mark.parametrize(
    ("address", "status"), [("ratelimit@x.example", 429), ("error+1@x.example", 503)]
)
def test_an_address_asks_for_a_failure(mailgun: FakeAccount, address: str, status: int) -> None:
    assert send(mailgun, address) == status
    assert mailgun.sent == ()


def test_an_address_asks_for_a_broken_connection(mailgun: FakeAccount) -> None:
    with pytest.raises(OSError):
        send(mailgun, "drop@x.example")
    assert len(mailgun.sent) == 1


# what comes back


def test_an_event_is_signed_as_the_vendor_signs(mailgun: FakeAccount) -> None:
    send(mailgun, "ann@example.com")
    webhook = mailgun.event("bounced", mailgun.sent[0])
    assert events(webhook, mailgun) == [(EventType.BOUNCED, "ann@example.com", True)]


def test_a_reply_cites_what_the_recipient_saw(mailgun: FakeAccount) -> None:
    send(mailgun, "ann@example.com")
    webhook = mailgun.reply(mailgun.sent[0], "Blue, please.")
    adapter = provider("mailgun")
    [mail] = adapter.parse_inbound(webhook, adapter.configure(mailgun.options))
    raw = getattr(mail, "raw", b"")
    assert mailgun.sent[0].message_id.encode() in raw
    assert (b"Blue, please." in raw, b"To: shop@mg.example.com" in raw) == (True, True)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """An application that takes webhooks, refusing the first of them."""
    bodies: asyncio.Queue[bytes] = asyncio.Queue()
    answers = iter([500])

    async def take(request: web.Request) -> web.Response:
        bodies.put_nowait(await request.read())
        return web.Response(status=next(answers, 200))

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", bodies
    await runner.cleanup()


async def test_what_becomes_of_a_message_is_posted_until_it_is_taken(
    mailgun: FakeAccount, listener: Listener
) -> None:
    url, bodies = listener
    await asyncio.to_thread(send, mailgun, "ann@example.com")
    mailgun.send_webhooks_to(url)
    [status] = await asyncio.wrap_future(mailgun.trigger("delivered", mailgun.sent[0]))
    assert (status, bodies.qsize()) == (200, 2)
    assert await bodies.get() == await bodies.get()


async def test_outcomes_follow_the_address(mailgun: FakeAccount, listener: Listener) -> None:
    url, bodies = listener
    mailgun.send_webhooks_to(url)
    await asyncio.to_thread(send, mailgun, "complaint@example.com")
    async with asyncio.timeout(30):
        told = [await bodies.get() for _ in range(3)]  # the first one twice
    assert [b'"delivered"' in told[1], b'"complained"' in told[2]] == [True, True]


# every vendor


OUTGOING = Outgoing(
    id="msg_1",
    message_id="<1@mg.example.com>",
    idempotency_key="k",
    sender=Address("shop@mg.example.com"),
    mail_from="shop@mg.example.com",
    rcpt_to=("ann@example.com",),
    mime=b"From: shop@mg.example.com\r\nTo: ann@example.com\r\nSubject: Hi\r\n"
    b"Message-ID: <1@mg.example.com>\r\n\r\nHello\r\n",
    to=(Address("ann@example.com"),),
    subject="Hi",
    text="Hello",
)


@pytest.mark.parametrize("name", sorted(VENDORS))
async def test_each_vendor_takes_what_its_adapter_builds(fake_provider: Fakes, name: str) -> None:
    account, adapter, transport = fake_provider(name), provider(name), Transport()
    config = adapter.configure(account.options)
    request = adapter.build_send(OUTGOING, config, datetime.now(UTC))
    assert isinstance(request, HttpRequest)
    answer = await transport.http(request)
    account.drop_next(taken=True)
    with pytest.raises(NotDelivered) as broken:
        await transport.http(request)
    await transport.close()
    assert isinstance(adapter.parse_send(answer, OUTGOING, config), Sent)
    assert broken.value.request_sent
    assert len(account.sent) == 1 or Feature.IDEMPOTENCY not in adapter.capabilities


SPECIAL = ("bounce", "softbounce", "defer", "reject", "complaint", "open", "click", "unsubscribe")


@pytest.mark.parametrize("name", sorted(VENDORS))
async def test_no_outcome_stops_the_emulator(
    fake_provider: Fakes, listener: Listener, name: str
) -> None:
    url, bodies = listener
    account, adapter, transport = fake_provider(name), provider(name), Transport()
    account.send_webhooks_to(url)
    config = adapter.configure(account.options)
    for local in (*SPECIAL, "ann"):
        to = f"{local}@example.com"
        message = replace(OUTGOING, id=f"msg_{local}", idempotency_key=local, rcpt_to=(to,))
        message = replace(message, to=(Address(to),))
        request = adapter.build_send(message, config, datetime.now(UTC))
        assert isinstance(request, HttpRequest)
        assert isinstance(adapter.parse_send(await transport.http(request), message, config), Sent)
    await transport.close()
    async with asyncio.timeout(30):
        for _ in SPECIAL:
            await bodies.get()


async def test_who_signs_the_address_signs_the_one_it_posts_to(
    fake_provider: Fakes, listener: Listener
) -> None:
    url, bodies = listener
    account, adapter, transport = fake_provider("mandrill"), provider("mandrill"), Transport()
    config = adapter.configure(account.options)
    request = adapter.build_send(OUTGOING, config, datetime.now(UTC))
    assert isinstance(request, HttpRequest)
    await transport.http(request)
    await transport.close()
    account.send_webhooks_to(url)
    webhook = account.event("delivered", account.sent[0])
    ours = adapter.configure({**account.options, "webhook_url": url})
    assert isinstance(adapter.verify(webhook, ours, datetime.now(UTC)), Verified)
    assert bodies.empty()


async def ask_in_vain(url: str, held: Hold, stop: Callable[[], Awaitable[object]]) -> None:
    """Stop a server while it keeps a request waiting."""
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        asking = asyncio.ensure_future(session.post(url, data=b"{}"))
        await held.reached.wait()
        await stop()
        with pytest.raises(aiohttp.ClientError):
            await asking


@pytest.mark.long
async def test_a_request_that_is_never_answered_does_not_hold_up_the_end() -> None:
    held = Hold()
    async with AsyncExitStack() as open_ones:
        account = (await open_ones.enter_async_context(Emulator(["resend"]))).accounts["resend"]
        account.desk.next.append(held)
        await ask_in_vain(f"{account.url}/emails", held, open_ones.aclose)
    async with AsyncExitStack() as open_ones:
        server = await open_ones.enter_async_context(FakeProvider(account.desk.fake))
        await ask_in_vain(f"{server.url}/emails", server.hold_next(), open_ones.aclose)


def test_every_provider_with_an_api_can_be_emulated() -> None:
    with_api = {name for name, found in PROVIDERS.items() if found.transport == "http"}
    assert with_api == set(VENDORS)
    assert chosen(()) == tuple(VENDORS)

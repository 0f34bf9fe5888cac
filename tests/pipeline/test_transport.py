"""The transport against real servers: whole answers, and whether a broken request went out."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.clock import Clock
from inboxkit.compose import Composition, compose
from inboxkit.pipeline.transport import NotDelivered, Transport
from inboxkit.providers.base import FetchPlan, HttpRequest, SmtpRequest
from inboxkit.smtp.incoming import Incoming
from inboxkit.smtp.listener import Listener
from inboxkit.smtp.replies import SmtpRefused
from inboxkit.smtp.settings import SmtpSettings
from inboxkit.values import Address, Draft, File
from tests.providers.vendor import NOW

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence

CERTIFICATE = Path(__file__).parents[1] / "smtp" / "localhost.pem"
MAIL = b"Subject: x\r\n\r\nHello\r\n"


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    opened = Transport()
    yield opened
    await opened.close()


@asynccontextmanager
async def serving(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any],
) -> AsyncGenerator[int]:
    """Serve raw connections on loopback and yield the port."""

    tasks = set[asyncio.Task[Any]]()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            with suppress(ConnectionError, asyncio.CancelledError):
                await handler(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the loop closes what was aborted in its next turn


def scripted(*replies: bytes) -> Callable[..., Any]:
    """Answer each line of a client with the next reply, then hang up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(replies[0] + b"\r\n")
        for reply in replies[1:]:
            await reader.readline()
            writer.write(reply + b"\r\n")
        await reader.readline()

    return handle


def session(port: int, *to: str, mime: bytes = MAIL, **changes: Any) -> SmtpRequest:
    """Return an SMTP session to hold with a server on loopback."""
    given: dict[str, Any] = {"tls": "none", "timeout": 5} | changes
    return SmtpRequest(
        host=given.pop("host", "127.0.0.1"),
        port=port,
        mail_from="support@shop.example",
        rcpt_to=to or ("ann@example.com",),
        mime=mime,
        **given,
    )


def get(port: int, path: str = "/", **changes: Any) -> HttpRequest:
    return HttpRequest(method="GET", url=f"http://127.0.0.1:{port}{path}", **changes)


async def _in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n")
    for _ in range(3):
        writer.write(b"x" * 100_000)
        await writer.drain()
        await asyncio.sleep(0.01)  # so that the client sees one piece at a time


async def test_an_answer_in_pieces_is_read_to_its_end(transport: Transport) -> None:
    async with serving(_in_pieces) as port:
        response = await transport.http(get(port))
    assert (response.status, response.body) == (200, b"x" * 300_000)


async def test_an_answer_is_read_as_far_as_its_limit_and_one_byte_more(
    transport: Transport,
) -> None:
    async with serving(_in_pieces) as port:
        assert len((await transport.http(get(port), most=150_000)).body) == 150_001
        plan = FetchPlan(url=f"http://127.0.0.1:{port}/", hosts=("127.0.0.1",), max_bytes=9)
        assert len((await transport.fetch(plan)).body) == 10


@pytest.mark.parametrize("size", [0, 1_000, 3_000_000])
async def test_a_body_goes_out_whole_with_its_length(transport: Transport, size: int) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(size)
        seen.append((f"Content-Length: {size}\r\n".encode() in head, len(body)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    seen = list[tuple[bool, int]]()
    async with serving(handle) as port:
        request = HttpRequest(method="POST", url=f"http://127.0.0.1:{port}/", body=b"x" * size)
        await transport.http(request)
    assert seen == [(True, size)]


async def test_every_request_has_a_connection_of_its_own(transport: Transport) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.readline()  # keep it open: whoever wants to may use it again

    connections = list[int]()
    async with serving(handle) as port:
        for _ in range(3):
            request = HttpRequest(method="POST", url=f"http://127.0.0.1:{port}/")
            assert (await transport.http(request)).status == 200
    assert len(connections) == 3


async def test_a_redirect_is_an_answer_and_is_not_followed(transport: Transport) -> None:
    asked = list[str]()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().split()[1])
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /secret\r\nContent-Length: 0\r\n\r\n")

    async with serving(handle) as port:
        assert (await transport.http(get(port, "/start"))).status == 302
    assert asked == ["/start"]


async def _reads_and_hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def _reads_and_waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _cuts_its_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123")


@pytest.mark.parametrize("handler", [_reads_and_hangs_up, _reads_and_waits, _cuts_its_answer])
async def test_what_breaks_after_the_connection_may_have_been_sent(
    transport: Transport, handler: Any
) -> None:
    async with serving(handler) as port:
        with pytest.raises(NotDelivered) as raised:
            await transport.http(get(port, timeout=1.5))
    assert raised.value.request_sent


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}/", "http://nowhere.invalid:{port}/", "http://[::1/", "https://x y/"],
)
async def test_without_a_connection_nothing_was_sent(transport: Transport, url: str) -> None:
    with socket.socket() as held, pytest.raises(NotDelivered) as raised:
        held.bind(("127.0.0.1", 0))  # nobody listens, and nobody else can
        port = held.getsockname()[1]
        await transport.http(HttpRequest(method="POST", url=url.format(port=port)))
    assert not raised.value.request_sent


async def test_no_tls_no_request(transport: Transport) -> None:
    async with serving(scripted(b"220 hi")) as port:
        request = HttpRequest(method="POST", url=f"https://127.0.0.1:{port}/")
        with pytest.raises(NotDelivered) as raised:
            await transport.http(request)
    assert not raised.value.request_sent


async def test_an_error_names_no_key(transport: Transport) -> None:
    request = get(9, "/?key=secret-1", headers={"Authorization": "Basic secret-2"})
    with pytest.raises(NotDelivered) as raised:
        await transport.http(request)
    assert "secret" not in f"{raised.value}{raised.value.reason}{request!r}"


# SMTP: a server that says its lines and hangs up

GREETING, EHLO, OK, GO_ON = b"220 hi", b"250 hi", b"250 ok", b"354 go on"


@pytest.mark.parametrize(
    ("replies", "sent"),
    [
        pytest.param([GREETING], False, id="EHLO"),
        pytest.param([GREETING, EHLO], False, id="MAIL"),
        pytest.param([GREETING, EHLO, OK], False, id="RCPT"),
        pytest.param([GREETING, EHLO, OK, OK], False, id="DATA"),
        pytest.param([GREETING, EHLO, OK, OK, GO_ON], True, id="content"),
        pytest.param([GREETING, EHLO, OK, OK, OK], False, id="no 354"),
        pytest.param([b"554 not today"], False, id="refused greeting"),
        pytest.param([GREETING, b"421 too busy", b"421 too busy"], False, id="refused EHLO"),
        pytest.param([GREETING, EHLO, b"334 what"], False, id="odd reply to MAIL"),
    ],
)
async def test_only_content_after_a_354_may_have_been_sent(
    transport: Transport, replies: Sequence[bytes], sent: bool
) -> None:
    async with serving(scripted(*replies)) as port:
        with pytest.raises(NotDelivered) as raised:
            await transport.smtp(session(port))
    assert raised.value.request_sent == sent


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        pytest.param([GREETING, EHLO, b"552 5.3.4 too large"], 552, id="MAIL"),
        pytest.param([GREETING, EHLO, OK, b"550 5.1.1 no such user"], 0, id="every RCPT"),
        pytest.param([GREETING, EHLO, OK, OK, b"451 4.3.0 later"], 451, id="DATA"),
    ],
)
async def test_a_refusal_is_an_answer(
    transport: Transport, replies: Sequence[bytes], code: int
) -> None:
    async with serving(scripted(*replies)) as port:
        assert (await transport.smtp(session(port))).code == code


@pytest.mark.parametrize("last", [b"250 taken", b"554 spam", b"421 closing"])
async def test_the_reply_to_the_content_decides(transport: Transport, last: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # 252 to MAIL and 251 to RCPT are rare, but they say yes
        await scripted(GREETING, EHLO, b"252 fine", b"251 fine", GO_ON)(reader, writer)
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(last + b"\r\n")

    async with serving(handle) as port:
        response = await transport.smtp(session(port, mime=b"Subject: x\r\n\r\n"))
    assert response.code == int(last[:3])


async def test_a_wrong_password_is_told_as_such(transport: Transport) -> None:
    replies = [GREETING, b"250-hi\r\n250 AUTH PLAIN", b"550 go away"]
    async with serving(scripted(*replies)) as port:
        response = await transport.smtp(session(port, username="shop", password="secret-3"))
    assert response.code == 535
    assert "secret" not in repr(response)


@dataclass
class Kept:
    """A listener that keeps what it accepts."""

    port: int = 0
    mails: list[Incoming] = field(default_factory=list[Incoming])
    bodies: list[bytes] = field(default_factory=list[bytes])


async def anybody(address: str) -> None:
    """Accept every recipient."""


@asynccontextmanager
async def listening(
    check: Callable[[str], Awaitable[None]] = anybody, **settings: Any
) -> AsyncGenerator[Kept]:
    async def keep(mail: Incoming) -> None:
        kept.mails.append(mail)
        kept.bodies.append(mail.body if isinstance(mail.body, bytes) else mail.body.read())

    kept = Kept()
    listener = Listener(SmtpSettings(**settings), keep, check, Clock())
    await listener.start()
    kept.port = listener.port
    try:
        yield kept
    finally:
        await listener.stop(0)


def composed() -> bytes:
    draft = Draft(
        text="Grüße\n.\n..zwei\n",
        html="<p>Grüße</p>",
        attachments=(File("ü.pdf", bytes(range(256)) * 2_000, "application/pdf"),),
    )
    return compose(
        Composition(
            draft=draft,
            sender=Address("support@shop.example", "Käthe"),
            message_id="<a.1@shop.example>",
            date=NOW,
            to=(Address("ann@example.com"),),
            subject="Größe",
        )
    )


@pytest.mark.parametrize(
    "mime",
    [
        pytest.param(composed(), id="text, html and a file"),
        pytest.param(MAIL + b".\r\n..\r\n.x\r\n\r\n.\r\n", id="dots"),
        pytest.param(b".\r\n" + MAIL, id="a dot first"),
        pytest.param(MAIL + bytes(range(128, 256)) + b"\r\n", id="8-bit"),
    ],
)
async def test_a_mail_arrives_byte_for_byte(transport: Transport, mime: bytes) -> None:
    async with listening() as server:
        response = await transport.smtp(session(server.port, mime=mime))
    assert (response.code, server.bodies) == (250, [mime])
    assert (server.mails[0].mail_from, server.mails[0].rcpt_to) == (
        "support@shop.example",
        ("ann@example.com",),
    )


async def test_a_bare_line_end_cannot_smuggle_a_second_mail(transport: Transport) -> None:
    mime = MAIL + b"a\n.\nMAIL FROM:<b@example.com>\r.\r\n.\nend"
    async with listening(bare_newline="refuse") as server:
        await transport.smtp(session(server.port, mime=mime))
    assert server.bodies == [MAIL + b"a\r\n.\r\nMAIL FROM:<b@example.com>\r\n.\r\n.\r\nend\r\n"]


async def test_an_address_with_a_line_end_is_no_command(transport: Transport) -> None:
    async with listening() as server:
        with suppress(NotDelivered):
            await transport.smtp(session(server.port, "a@b.example>\r\nRCPT TO:<eve@x.example"))
    assert not [to for mail in server.mails for to in mail.rcpt_to if "eve" in to]


async def test_an_address_in_another_script_asks_for_smtputf8(transport: Transport) -> None:
    async with listening() as server:
        await transport.smtp(session(server.port, "käthe@example.com"))
    assert server.mails[0].rcpt_to == ("käthe@example.com",)
    assert server.mails[0].smtputf8


async def test_recipients_are_refused_one_by_one(transport: Transport) -> None:
    async def check(address: str) -> None:
        replies = {"dead": SmtpRefused(550, "5.1.1", "who?"), "full": SmtpRefused(452, "4.2.2", "")}
        if refused := replies.get(address.partition("@")[0]):
            raise refused

    to = ("dead@example.com", "ann@example.com", "full@example.com")
    async with listening(check) as server:
        response = await transport.smtp(session(server.port, *to))
    assert {r: code for r, (code, _) in response.refused.items()} == {to[0]: 550, to[2]: 452}
    assert (response.code, server.mails[0].rcpt_to) == (250, (to[1],))


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


async def test_starttls_and_a_password(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with listening(tls_context=tls(), auth={"shop": "secret"}, require_auth=True) as server:
        request = session(server.port, tls="starttls", username="shop", password="secret")
        assert (await transport.smtp(request)).code == 250
    assert server.mails[0].protocol == "ESMTPSA"


@pytest.mark.parametrize("context", [None, tls()], ids=["no STARTTLS", "unknown certificate"])
async def test_without_the_tls_that_was_asked_for_nothing_is_sent(
    transport: Transport, context: ssl.SSLContext | None
) -> None:
    async with listening(tls_context=context) as server:
        with pytest.raises(NotDelivered) as raised:
            await transport.smtp(session(server.port, tls="starttls"))
    assert (raised.value.request_sent, server.mails) == (False, [])

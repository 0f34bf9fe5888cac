"""Smuggling, STARTTLS, AUTH, relaying and those who do not speak SMTP at all."""

from __future__ import annotations

import asyncio
import base64
import smtplib
import socket
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import ssl

    from tests.smtp.conftest import Client, Server, Serving

USERS = {"ann": "correct horse"}
END_FORMS = [
    pytest.param(b"\n.\n", id="LF.LF"),
    pytest.param(b"\n.\r\n", id="LF.CRLF"),
    pytest.param(b"\r\n.\n", id="CRLF.LF"),
    pytest.param(b"\r.\r", id="CR.CR"),
    pytest.param(b"\r.\r\n", id="CR.CRLF"),
    pytest.param(b"\r\n.\r", id="CRLF.CR"),
    pytest.param(b"\r\n\x00.\r\n", id="CRLF-NUL.CRLF"),
]
SMUGGLED = b"MAIL FROM:<admin@example.org>\r\nRCPT TO:<bot@example.org>\r\nDATA\r\nsmuggled\r\n"


@pytest.mark.parametrize("end", END_FORMS)
async def test_only_crlf_dot_crlf_ends_a_message(serving: Serving, end: bytes) -> None:
    async with serving() as server, server.client() as client:
        reply = await client.deliver(b"first" + end + SMUGGLED)
        assert (await client.command("NOOP")).startswith("250")
    assert reply.startswith("250 2.0.0")
    assert len(server.bodies) == 1
    assert server.bodies[0].endswith(SMUGGLED)


@pytest.mark.parametrize("end", END_FORMS)
async def test_bare_cr_and_lf_become_crlf_or_are_refused(serving: Serving, end: bytes) -> None:
    content = b"first" + end + b"rest\r\n"
    async with serving() as server, server.client() as client:
        await client.deliver(content)
    async with serving(bare_newline="refuse") as strict, strict.client() as client:
        reply = await client.deliver(content)
        assert (await client.command("NOOP")).startswith("250")
    body = server.bodies[0]
    assert body.count(b"\n") == body.count(b"\r") == body.count(b"\r\n")
    is_bare = b"\x00" not in end
    assert (reply[:9], len(strict.bodies)) == (("550 5.5.2", 0) if is_bare else ("250 2.0.0", 1))


@pytest.mark.parametrize(("policy", "code"), [("normalise", "250"), ("refuse", "500")])
async def test_a_command_that_ends_in_lf(serving: Serving, policy: str, code: str) -> None:
    async with serving(bare_newline=policy) as server, server.client() as client:
        client.send(b"NOOP\n")
        assert (await client.reply()).startswith(code)


async def test_a_control_character_in_a_command_is_refused(serving: Serving) -> None:
    async with serving() as server, server.client() as client:
        for line in ("MAIL FROM:<a@b.c>\rX: y", "MAIL FROM:<a\x00@b.c>", "EHLO a\x1bb"):
            assert (await client.command(line)).startswith("500 5.5.2")


@pytest.mark.parametrize(
    "recipient", ["a%other.example@us", "us!a", "@us:a@other.example", '"a@other.example"@us']
)
async def test_relaying_is_refused(serving: Serving, recipient: str) -> None:
    async with serving() as server, server.client() as client:
        await client.command("MAIL FROM:<ann@example.com>")
        assert (await client.command(f"RCPT TO:<{recipient}>")).startswith("550 5.7.1")


async def test_starttls_protects_the_message(
    serving: Serving, tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.starttls(context=client_tls)
            client.ehlo()
            assert not client.has_extn("starttls")
            client.sendmail("ann@example.com", ["bot@example.org"], b"x" * 600_000)

    async with serving(tls_context=tls) as server:
        await asyncio.to_thread(send, server.listener.port)
        assert (server.messages[0].protocol, server.messages[0].size) == ("ESMTPS", 600_002)


async def test_what_was_sent_ahead_of_tls_is_dropped(
    serving: Serving, tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with serving(tls_context=tls) as server, server.client() as client:
        client.send(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@example.com>\r\n")
        assert (await client.reply()).startswith("220 2.0.0")
        await client.writer.start_tls(client_tls)
        assert (await client.command("RCPT TO:<bot@example.org>")) == "503 5.5.1 Send EHLO first"


async def test_starttls_comes_alone_and_once(
    serving: Serving, tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with serving(tls_context=tls) as server, server.client() as client:
        assert await client.command("STARTTLS now") == "501 5.5.4 STARTTLS takes no argument"
        await client.command("STARTTLS")
        await client.writer.start_tls(client_tls)
        assert await client.command("STARTTLS") == "503 5.5.1 TLS is already in use"
        assert (await client.command("EHLO x")).startswith("250")


async def test_a_failed_handshake_ends_the_connection_only(
    serving: Serving, tls: ssl.SSLContext
) -> None:
    async with serving(tls_context=tls) as server:
        async with server.client() as client:
            await client.command("STARTTLS")
            client.send(b"this is no TLS\r\n")
            async with asyncio.timeout(30):
                while await client.reader.read(1024):
                    pass
        async with server.client(greet=False) as second:
            await second.reply()
            assert server.listener.connections == 1


async def test_a_handshake_that_never_comes_is_given_up(
    serving: Serving, tls: ssl.SSLContext
) -> None:
    async with serving(tls_context=tls, idle_seconds=0.2) as server, server.client() as client:
        await client.command("STARTTLS")
        assert await client.reply() == ""
        async with server.client(greet=False) as second:
            await second.reply()
            assert server.listener.connections == 1


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def log_in(client: Client, how: str, user: str, password: str) -> str:
    """Log in in one of the four ways that clients use."""
    plain = encoded(f"\0{user}\0{password}")
    if how == "plain at once":
        return await client.command(f"AUTH PLAIN {plain}")
    if how == "plain in two":
        assert (await client.command("AUTH plain")) == "334 "
        return await client.command(plain)
    if how == "login at once":
        assert (await client.command(f"AUTH LOGIN {encoded(user)}")) == "334 UGFzc3dvcmQ6"
        return await client.command(encoded(password))
    assert (await client.command("AUTH LOGIN")) == "334 VXNlcm5hbWU6"
    assert (await client.command(encoded(user))) == "334 UGFzc3dvcmQ6"
    return await client.command(encoded(password))


@pytest.mark.parametrize("how", ["plain at once", "plain in two", "login at once", "login in two"])
async def test_auth_names_the_user(serving: Serving, how: str) -> None:
    async with serving(auth=USERS, auth_without_tls=True, require_auth=True) as server:
        async with server.client() as client:
            assert (await client.command("MAIL FROM:<a@b.c>")).startswith("530 5.7.0")
            assert await log_in(client, how, "ann", "correct horse") == "235 2.7.0 Logged in"
            await client.deliver(b"x\r\n")
    assert (server.messages[0].auth_user, server.messages[0].protocol) == ("ann", "ESMTPA")


async def test_auth_comes_once_and_before_a_mail(serving: Serving) -> None:
    async with serving(auth=USERS, auth_without_tls=True) as server, server.client() as client:
        await client.command("MAIL FROM:<a@b.c>")
        assert (await client.command("AUTH PLAIN x")).startswith("503 5.5.1")
        await client.command("RSET")
        assert (await log_in(client, "plain at once", "ann", "correct horse")).startswith("235")
        assert (await client.command("AUTH PLAIN x")).startswith("503 5.5.1")


@pytest.mark.parametrize(
    ("user", "password"), [("ann", "wrong"), ("ann", ""), ("nobody", ""), ("nobody", "x")]
)
async def test_auth_refuses_strangers_and_stops_guessing(
    serving: Serving, user: str, password: str
) -> None:
    async with serving(auth=USERS, auth_without_tls=True) as server, server.client() as client:
        for _ in range(2):
            assert (await log_in(client, "plain at once", user, password)).startswith("535 5.7.8")
        last = await log_in(client, "plain at once", user, password)
        assert (last[:9], await client.reply()) == ("421 4.7.0", "")


async def attempt(server: Server, password: str, host: str = "") -> str:
    """Log in on a connection of its own; return the code and the status."""
    async with server.client(host=host) as client:
        return (await log_in(client, "plain in two", "ann", password))[:9]


async def test_a_new_connection_is_no_new_start_for_who_guesses(serving: Serving) -> None:
    async with serving(auth=USERS, auth_without_tls=True) as server:
        assert {await attempt(server, "wrong") for _ in range(10)} == {"535 5.7.8"}
        assert await attempt(server, "correct horse") == "421 4.7.0"
        assert await attempt(server, "correct horse", "127.0.0.2") == "235 2.7.0"
        server.clock.advance(timedelta(seconds=2))
        assert await attempt(server, "correct horse") == "235 2.7.0"


async def test_guesses_on_open_connections_count_together(serving: Serving) -> None:
    async with serving(auth=USERS, auth_without_tls=True) as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(server.client()) for _ in range(20)]
        for client in clients:
            assert await client.command("AUTH PLAIN") == "334 "
        replies = [await client.command(encoded("\0ann\0wrong")) for client in clients]
    assert [reply[:3] for reply in replies] == ["535"] * 10 + ["421"] * 10


async def test_broken_auth_counts_as_a_failure(serving: Serving) -> None:
    async with serving(auth=USERS, auth_without_tls=True) as server, server.client() as client:
        assert (await client.command("AUTH GSSAPI")).startswith("504 5.5.4")
        assert (await client.command("AUTH PLAIN !!!")).startswith("501 5.5.2")
        assert (await client.command("AUTH PLAIN")).startswith("334")
        assert (await client.command("*")).startswith("501 5.7.0")
        await client.command("AUTH LOGIN")
        assert (await client.command("?")).startswith("501 5.5.2")
        assert (await client.reply()).startswith("421 4.7.0")


async def test_auth_is_offered_under_tls_only(
    serving: Serving, tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    def log_in_safely(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.ehlo()
            assert not client.has_extn("auth")
            assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] == 538
            client.starttls(context=client_tls)
            client.login("ann", "correct horse")
            client.sendmail("ann@example.com", ["bot@example.org"], b"x")

    async with serving(auth=USERS, tls_context=tls) as server:
        await asyncio.to_thread(log_in_safely, server.listener.port)
        assert (server.messages[0].auth_user, server.messages[0].protocol) == ("ann", "ESMTPSA")


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="GET"),
        pytest.param(b"POST /x HTTP/1.1\r\n\r\nMAIL FROM:<a@b.c>\r\n", id="POST"),
        pytest.param(b"CONNECT x:25 HTTP/1.1\r\n\r\n", id="CONNECT"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\n", id="TLS-hello"),
    ],
)
async def test_other_protocols_are_shown_the_door(serving: Serving, first: bytes) -> None:
    async with serving() as server, server.client(greet=False) as client:
        await client.reply()
        client.send(first)
        assert (await client.reply()).startswith("554 5.5.1")
        assert await client.reply() == ""


async def test_who_speaks_before_the_banner_is_shown_the_door(serving: Serving) -> None:
    async with serving() as server:
        hasty = socket.create_connection(("127.0.0.1", server.listener.port))
        hasty.sendall(b"EHLO hasty.example\r\n")  # before the listener has had its turn
        async with server.client(greet=False, sock=hasty) as client:
            replies = await client.replies_to_the_end()
    assert replies == ["554 5.5.0 You spoke before your turn, closing"]


@pytest.mark.parametrize(
    "hasty",
    [
        pytest.param(b"EHLO x\r\nMAIL FROM:<a@b.c>\r\n", id="after-ehlo"),
        pytest.param(
            b"MAIL FROM:<a@b.c>\r\nRCPT TO:<a@b.c>\r\nDATA\r\nx\r\n.\r\n", id="content-before-354"
        ),
    ],
)
async def test_who_does_not_wait_for_a_reply_is_shown_the_door(
    serving: Serving, hasty: bytes
) -> None:
    async with serving() as server, server.client() as client:
        client.send(hasty)
        replies = [await client.reply() for _ in range(4)]
    assert "554 5.5.0 You spoke before your turn, closing" in replies
    assert (replies[-1], server.bodies) == ("", [])


@pytest.mark.parametrize(
    ("header", "peer"),
    [
        pytest.param(b"PROXY TCP4 192.0.2.9 192.0.2.1 1 25\r\n", "192.0.2.9", id="v1"),
        pytest.param(
            b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x09\xc0\x00\x02\x01\x00\x01\x00\x19",
            "192.0.2.9",
            id="v2",
        ),
        pytest.param(b"PROXY UNKNOWN\r\n", "127.0.0.1", id="v1-unknown"),
    ],
)
async def test_a_load_balancer_names_the_client(serving: Serving, header: bytes, peer: str) -> None:
    async with serving(proxy_protocol=True) as server, server.client(greet=False) as client:
        client.send(header)
        assert (await client.reply()).startswith("220 ")
        await client.command("EHLO x")
        await client.deliver(b"x\r\n")
    assert server.messages[0].peer == peer


@pytest.mark.parametrize("header", [b"EHLO client.example\r\n", b"PROXY TCP4 x\r\n"])
async def test_a_bad_proxy_header_is_refused(serving: Serving, header: bytes) -> None:
    async with serving(proxy_protocol=True) as server, server.client(greet=False) as client:
        client.send(header)
        assert (await client.reply()).startswith("554 5.5.0")

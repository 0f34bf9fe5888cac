"""What a client sees, command by command, over real sockets."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inboxkit.smtp.replies import SmtpRefused

if TYPE_CHECKING:
    from tests.smtp.conftest import Serving

HELLO = b"Subject: hello\r\n\r\nhow are you?\r\n"
ENVELOPE = b"MAIL FROM:<ann@example.com>\r\nRCPT TO:<bot@example.org>\r\nDATA\r\n"


async def test_ehlo_names_the_extensions_and_our_host(serving: Serving) -> None:
    async with serving(hostname="mx.example", max_message_bytes=5000) as server:
        async with server.client(greet=False) as client:
            banner = await client.reply()
            reply = await client.command("EHLO client.example")
    assert banner == "220 mx.example ESMTP"
    assert [line[4:] for line in reply.split("\n")] == [
        "mx.example",
        "PIPELINING",
        "SIZE 5000",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "HELP",
    ]


async def test_a_message_arrives_with_its_envelope(serving: Serving) -> None:
    async with serving() as server, server.client() as client:
        reply = await client.deliver(HELLO, "Bot@EXAMPLE.org", "b@example.org", "b@example.org")
    message = server.messages[0]
    assert (reply, server.bodies) == ("250 2.0.0 Message accepted", [HELLO])
    assert (message.mail_from, message.peer, message.helo, message.protocol) == (
        "ann@example.com",
        "127.0.0.1",
        "client.example",
        "ESMTP",
    )
    assert message.rcpt_to == ("Bot@example.org", "b@example.org")


async def test_a_bounce_has_no_sender(serving: Serving) -> None:
    async with serving() as server, server.client() as client:
        assert (await client.begin(mail="MAIL FROM:<> BODY=8BITMIME SIZE=10")).startswith("354")
        client.send(HELLO + b".\r\n")
        await client.reply()
    assert server.messages[0].mail_from == ""


async def test_helo_has_no_extensions(serving: Serving) -> None:
    async with serving() as server, server.client(greet=False) as client:
        await client.reply()
        assert await client.command("HELO old(client).example") == "250 inboxkit"
        await client.deliver(HELLO)
    message = server.messages[0]
    assert (message.protocol, message.helo) == ("SMTP", "old?client?.example")


async def test_standard_library_client_sends_a_large_message(serving: Serving) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "ann@example.com", "bot@example.org"
    message.set_content(".dots\n" * 100_000)

    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.send_message(message)

    async with serving() as server:
        await asyncio.to_thread(send, server.listener.port)
    assert server.bodies[0].count(b"\r\n.dots") == 100_000
    assert not isinstance(server.messages[0].body, bytes)
    assert server.messages[0].body.closed


async def test_commands_sent_together_are_answered_in_order(serving: Serving) -> None:
    async with serving() as server, server.client() as client:
        client.send(ENVELOPE)
        codes = [(await client.reply())[:9] for _ in range(3)]
        client.send(HELLO + b".\r\n" + ENVELOPE)
        codes += [(await client.reply())[:9] for _ in range(4)]
        client.send(HELLO + b".\r\nQUIT\r\n")
        codes += [(await client.reply())[:9] for _ in range(3)]
    envelope = ["250 2.1.0", "250 2.1.5", "354 End d"]
    assert codes == [*envelope, "250 2.0.0", *envelope, "250 2.0.0", "221 2.0.0", ""]
    assert server.bodies == [HELLO, HELLO]


async def test_replies_to_commands_sent_together_come_in_one_write(serving: Serving) -> None:
    async def check(address: str) -> None:
        for _ in range(5):  # turns of the loop, in which the client would see a reply sent alone
            await asyncio.sleep(0)

    async with serving(check=check) as server, server.client() as client:
        client.send(b"MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nRCPT TO:<b@b.c>\r\nRCPT TO:<c@b.c>\r\n")
        async with asyncio.timeout(30):
            together = await client.reader.read(65_536)
    assert together.count(b"\r\n") == 4


@pytest.mark.parametrize(
    ("dialogue", "last"),
    [
        pytest.param(["MAIL FROM:<a@b.c>"], "503 5.5.1", id="before-ehlo"),
        pytest.param(["EHLO"], "501 5.5.4", id="ehlo-without-name"),
        pytest.param(["EHLO x", "RCPT TO:<a@b.c>"], "503 5.5.1", id="rcpt-before-mail"),
        pytest.param(["EHLO x", "DATA"], "503 5.5.1", id="data-before-rcpt"),
        pytest.param(["EHLO x", "MAIL FROM:<a@b.c>", "DATA"], "503 5.5.1", id="nobody-to-get-it"),
        pytest.param(["EHLO x", "MAIL FROM:<a@b.c>"] * 1 + ["MAIL FROM:<>"], "503", id="nested"),
        pytest.param(
            ["EHLO x", "MAIL FROM:<a@b.c>", "RSET", "MAIL FROM:<>"], "250 2.1.0", id="rset"
        ),
        pytest.param(
            ["EHLO x", "MAIL FROM:<a@b.c>", "EHLO x", "MAIL FROM:<>"], "250 2.1.0", id="ehlo-resets"
        ),
        pytest.param(["EHLO x", "MAIL <a@b.c>"], "501 5.5.4", id="mail-without-from"),
        pytest.param(["EHLO x", "MAIL FROM:<a@@b>"], "553 5.1.7", id="malformed-sender"),
        pytest.param(["EHLO x", "mail from: <a@b.c>"], "250 2.1.0", id="lower-case-and-space"),
        pytest.param(["EHLO x", "MAIL FROM:<a@b.c> RET=FULL"], "555 5.5.4", id="dsn"),
        pytest.param(["EHLO x", "MAIL FROM:<a@b.c> SIZE=x"], "555 5.5.4", id="size-no-number"),
        pytest.param(["EHLO x", "MAIL FROM:<ä@b.c>"], "553 5.6.7", id="utf8-not-announced"),
        pytest.param(["EHLO x", "MAIL FROM:<ä@b.c> SMTPUTF8"], "250 2.1.0", id="utf8"),
        pytest.param(
            ["EHLO x", "MAIL FROM:<a@b.c> SMTPUTF8 RET=FULL", "MAIL FROM:<ä@b.c>"],
            "553 5.6.7",
            id="utf8-of-a-refused-mail",
        ),
        pytest.param(
            ["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<ä@b.c>"], "553 5.6.7", id="utf8-recipient"
        ),
        pytest.param(["EHLO x", "VRFY bot"], "252 2.1.5", id="vrfy"),
        pytest.param(["EHLO x", "EXPN list"], "502 5.5.1", id="expn"),
        pytest.param(["EHLO x", "HELP"], "214 2.0.0", id="help"),
        pytest.param(["EHLO x", "NOOP x"], "250 2.0.0", id="noop"),
        pytest.param(["EHLO x", "BDAT 10 LAST"], "500 5.5.1", id="unknown"),
        pytest.param(["EHLO x", ""], "500 5.5.1", id="empty-line"),
        pytest.param(["EHLO x", "STARTTLS"], "502 5.5.1", id="no-starttls"),
        pytest.param(["EHLO x", "AUTH PLAIN"], "502 5.5.1", id="no-auth"),
    ],
)
async def test_dialogues(serving: Serving, dialogue: list[str], last: str) -> None:
    async with serving() as server, server.client(greet=False) as client:
        await client.reply()
        replies = [await client.command(line) for line in dialogue]
    assert replies[-1].startswith(last)


async def test_each_recipient_is_asked_for_and_may_be_refused(serving: Serving) -> None:
    async def check(address: str) -> None:
        if address != "bot@example.org":
            raise SmtpRefused(550, "5.1.1", "No such inbox")

    async with serving(check=check) as server, server.client() as client:
        await client.command("MAIL FROM:<ann@example.com>")
        refused = await client.command("RCPT TO:<nobody@example.org>")
        assert (await client.command("RCPT TO:<bot@EXAMPLE.org>")).startswith("250")
        assert (await client.command("DATA")).startswith("354")
        client.send(HELLO + b".\r\n")
        await client.reply()
    assert refused == "550 5.1.1 No such inbox"
    assert server.messages[0].rcpt_to == ("bot@example.org",)


async def test_eight_bit_and_nul_octets_are_kept(serving: Serving) -> None:
    content = bytes(i for i in range(256) if i not in b"\r\n") + b"\r\n"
    async with serving() as server, server.client() as client:
        await client.deliver(content)
    assert server.bodies == [content]


async def test_a_client_that_ends_its_sending_side_is_served_to_the_end(serving: Serving) -> None:
    async with serving() as server, server.client() as client:
        await client.begin()
        client.send(HELLO + b".\r\nQUIT\r\n")
        client.writer.write_eof()
        replies = [await client.reply() for _ in range(3)]
    assert [reply[:3] for reply in replies] == ["250", "221", ""]
    assert server.bodies == [HELLO]


async def test_a_connection_lost_in_the_middle_leaves_nothing(serving: Serving) -> None:
    async with serving() as server:
        async with server.client() as client:
            await client.begin()
            client.send(HELLO + b".")
        async with server.client() as client:
            await client.deliver(b"second\r\n")
    assert server.bodies == [b"second\r\n"]


@settings(max_examples=25, deadline=None)
@given(
    lines=st.lists(st.sampled_from([b"", b".", b"..", b".a", b"a.", b"\x00\xff"]), max_size=12),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
)
def test_content_survives_any_packets(
    serving: Serving, lines: list[bytes], sizes: list[int]
) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    wire = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"

    async def send() -> list[bytes]:
        async with serving(spool_bytes=16) as server, server.client() as client:
            await client.begin()
            start = 0
            while start < len(wire):
                size = sizes[start % len(sizes)]
                client.send(wire[start : start + size])
                await client.writer.drain()
                await asyncio.sleep(0)
                start += size
            await client.reply()
            return server.bodies

    assert asyncio.run(send()) == [content]

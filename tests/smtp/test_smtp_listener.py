"""Starting, stopping, and what becomes of failures on our own side."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.clock import Clock
from inboxkit.errors import ConfigurationError
from inboxkit.smtp.listener import Listener
from inboxkit.smtp.replies import SHUTTING_DOWN, SmtpRefused
from inboxkit.smtp.settings import SmtpSettings

if TYPE_CHECKING:
    from inboxkit.smtp.incoming import Incoming
    from tests.smtp.conftest import Serving


class Gate:
    """An ``accept`` that waits until it is opened."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, message: Incoming) -> None:
        self.entered.set()
        await self.opened.wait()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_port_0_takes_a_free_port(serving: Serving, host: str) -> None:
    async with serving(host=host) as server:
        assert server.listener.port > 0
        assert server.listener.address == f"127.0.0.1:{server.listener.port}"


async def test_an_ipv6_address_has_brackets(serving: Serving) -> None:
    async with serving(host="::1") as server:
        assert server.listener.address == f"[::1]:{server.listener.port}"


async def anyone(address: str) -> None:
    """Accept every recipient."""


async def refuse_all(message: Incoming) -> None:
    raise SmtpRefused(554, "5.7.1", "Not today")


async def test_the_port_is_unknown_before_the_start() -> None:
    listener = Listener(SmtpSettings(), refuse_all, anyone, Clock())
    with pytest.raises(RuntimeError, match="not been started"):
        _ = listener.port
    await listener.stop()


async def test_an_address_in_use_stops_the_start(serving: Serving) -> None:
    async with serving() as server:
        second = Listener(SmtpSettings(port=server.listener.port), refuse_all, anyone, Clock())
        with pytest.raises(ConfigurationError, match=f":{server.listener.port}: Address already"):
            await second.start()


async def test_processes_may_share_a_port_when_asked_to(serving: Serving) -> None:
    async with serving(reuse_port=True) as server:
        async with serving(port=server.listener.port, reuse_port=True) as second:
            assert second.listener.port == server.listener.port


async def test_replies_do_not_wait_for_acknowledgements(serving: Serving) -> None:
    clock = asyncio.get_running_loop().time
    async with serving() as server, server.client() as client:

        async def seconds() -> float:
            began = clock()
            client.send(b"NOOP\r\nNOOP\r\n")
            assert [(await client.reply())[:3] for _ in range(2)] == ["250", "250"]
            return clock() - began

        taken = [await seconds() for _ in range(20)]
    assert min(taken) < 0.03  # a client waits for 0.04 before it acknowledges a reply by itself


async def test_a_refusal_is_passed_on_and_the_next_message_taken(serving: Serving) -> None:
    refusals = [SmtpRefused(552, "5.2.2", "Inbox full")]

    async def accept(message: Incoming) -> None:
        if refusals:
            raise refusals.pop()

    async with serving(accept=accept) as server, server.client() as client:
        assert await client.deliver(b"first\r\n") == "552 5.2.2 Inbox full"
        assert (await client.deliver(b"second\r\n")).startswith("250")
    assert server.bodies == [b"second\r\n"]


@pytest.mark.parametrize("error", [ValueError, OSError, ConnectionResetError, EOFError, KeyError])
async def test_a_failure_of_ours_is_temporary_and_keeps_its_text(
    serving: Serving, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: object) -> None:
        raise error("canary")

    async with serving(check=fail) as server, server.client() as client:
        await client.command("MAIL FROM:<ann@example.com>")
        on_recipient = await client.command("RCPT TO:<bot@example.org>")
    async with serving(accept=fail) as server, server.client() as client:
        on_message = await client.deliver(b"x\r\n")
        assert (await client.command("NOOP")).startswith("250")
    assert on_recipient == on_message == "451 4.3.0 Temporary failure, try again later"
    assert error.__name__ in caplog.text
    assert "canary" not in caplog.text


async def test_logs_hold_no_addresses_no_content_and_no_passwords(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(auth={"canary": "canary"}, auth_without_tls=True) as server:
        async with server.client() as client:
            await client.command("AUTH PLAIN AGNhbmFyeQBjYW5hcnk=")
            await client.command("AUTH LOGIN canary")
            await client.deliver(b"canary\r\n", "canary@example.org")
            await client.command("CANARY canary")
    assert "canary" not in caplog.text.lower()
    assert "AGNhbmFyeQ" not in caplog.text


async def test_a_message_is_accepted_although_its_client_has_gone(serving: Serving) -> None:
    gate = Gate()
    async with serving(accept=gate) as server:
        async with server.client() as client:
            await client.begin()
            client.send(b"x\r\n.\r\n")
            await gate.entered.wait()
            client.writer.transport.abort()
        gate.opened.set()
        await server.listener.stop()
    assert server.bodies == [b"x\r\n"]


async def test_stop_lets_a_message_on_its_way_finish(serving: Serving) -> None:
    async with serving() as server, server.client() as client, server.client() as idle:
        await client.begin()
        client.send(b"first half\r\n")
        stopping = asyncio.create_task(server.listener.stop())
        assert await idle.reply() == "421 4.3.2 Shutting down, try again later"
        client.send(b"second half\r\n.\r\n")
        replies = [await client.reply() for _ in range(3)]
        await stopping
    assert [reply[:9] for reply in replies] == ["250 2.0.0", "421 4.3.2", ""]
    assert server.bodies == [b"first half\r\nsecond half\r\n"]


async def test_stop_waits_for_what_is_being_accepted(serving: Serving) -> None:
    gate = Gate()
    async with serving(accept=gate) as server, server.client() as client:
        await client.begin()
        client.send(b"x\r\n.\r\n")
        await gate.entered.wait()
        stopping = asyncio.create_task(server.listener.stop())
        asyncio.get_running_loop().call_soon(gate.opened.set)
        assert (await client.reply()).startswith("250")
        await stopping
    assert server.bodies == [b"x\r\n"]


async def test_after_its_grace_stop_cuts_off_what_hangs(serving: Serving) -> None:
    gate = Gate()
    async with serving(accept=gate) as server, server.client() as client:
        await client.begin()
        client.send(b"x\r\n.\r\n")
        await gate.entered.wait()
        async with asyncio.timeout(30), server.client() as slow:
            await slow.begin()
            await server.listener.stop(0.1)
            assert (await slow.reply())[:3] == "421"
        assert "250" not in await client.reply()
    assert server.bodies == []


async def test_after_stop_nobody_listens(serving: Serving) -> None:
    async with serving() as server:
        await server.listener.stop()
        await server.listener.stop()
        with (
            pytest.raises(OSError, match="Connect"),
            socket.create_connection(("127.0.0.1", server.listener.port), timeout=30),
        ):
            pass


async def test_who_was_accepted_as_the_stop_began_is_turned_away(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories, loop = list[Any](), asyncio.get_running_loop()
    create = loop.create_server

    def noted(factory: Any, *args: Any, **kwargs: Any) -> Any:
        factories.append(factory)
        return create(factory, *args, **kwargs)

    monkeypatch.setattr(loop, "create_server", noted)
    async with serving() as server:
        await server.listener.stop()
        ours, theirs = socket.socketpair()
        await loop.connect_accepted_socket(factories[0], theirs)
        reader, writer = await asyncio.open_connection(sock=ours)
        assert await asyncio.wait_for(reader.read(), 30) == SHUTTING_DOWN
        writer.close()
        assert server.listener.connections == 0

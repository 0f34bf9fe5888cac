"""Every limit, over real sockets, scaled down."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, cast

import pytest
from anyio import CapacityLimiter

from inboxkit.smtp.replies import SmtpRefused
from inboxkit.smtp.spool import Spool

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from pathlib import Path

    from tests.smtp.conftest import Child, Serving


def envelope_for(recipients: int) -> bytes:
    """Return MAIL and so many RCPT."""
    return b"MAIL FROM:<a@b.c>\r\n" + b"".join(
        b"RCPT TO:<r%d@b.c>\r\n" % number for number in range(recipients)
    )


async def test_a_size_declared_above_the_limit_is_refused_at_once(serving: Serving) -> None:
    async with serving(max_message_bytes=1000) as server, server.client() as client:
        refused = await client.command("MAIL FROM:<ann@example.com> SIZE=1001")
        assert (await client.command("MAIL FROM:<ann@example.com> SIZE=1000")).startswith("250")
    assert refused.startswith("552 5.3.4")


@pytest.mark.parametrize(("size", "code"), [(1000, "250 2.0.0"), (1001, "552 5.3.4")])
@pytest.mark.parametrize("spool_bytes", [100, 100_000])
async def test_the_limit_counts_the_content_exactly(
    serving: Serving, size: int, code: str, spool_bytes: int
) -> None:
    content = b"." * 498 + b"\r\n" + b"." * (size - 502) + b"\r\n"
    stuffed = b"." + content[:500] + b"." + content[500:]
    async with serving(max_message_bytes=1000, spool_bytes=spool_bytes) as server:
        async with server.client() as client:
            reply = await client.deliver(stuffed)
            assert (await client.command("NOOP")).startswith("250")
    assert reply.startswith(code)
    assert server.bodies == ([content] if code.startswith("250") else [])


async def test_far_above_the_limit_the_connection_is_closed(serving: Serving) -> None:
    async with serving(max_message_bytes=10_000) as server, server.client() as client:
        await client.begin()
        client.send(b"line\r\n" * 4000)
        assert [reply[:9] for reply in await client.replies_to_the_end()] == ["552 5.3.4"]


async def test_a_line_as_long_as_the_message_may_be_is_accepted(serving: Serving) -> None:
    content = b"x" * 999_998 + b"\r\n"
    async with serving(max_message_bytes=1_000_000) as server, server.client() as client:
        assert (await client.deliver(content)).startswith("250")
    assert server.bodies == [content]


async def test_an_endless_line_is_cut_off_and_takes_no_memory(serving: Serving) -> None:
    peak = 0
    async with serving(max_message_bytes=2_000_000, spool_bytes=10_000) as server:
        async with server.client() as client:
            await client.begin()
            for sent in range(40):
                client.send(b"x" * 1_000_000)
                try:
                    async with asyncio.timeout(30):
                        await client.writer.drain()
                except ConnectionError:
                    break
                peak = sent + 1
            assert (await client.reply())[:9] in ("552 5.3.4", "")
        assert server.listener.connections == 0
    assert (peak < 20, server.bodies) == (True, [])


async def test_recipients_above_the_limit_are_put_off_and_the_others_served(
    serving: Serving,
) -> None:
    async with serving(max_recipients=100) as server, server.client() as client:
        client.send(envelope_for(150))
        codes = [(await client.reply())[:9] for _ in range(151)]
        assert (await client.command("DATA")).startswith("354")
        client.send(b"x\r\n.\r\n")
        assert (await client.reply()).startswith("250")
    assert codes == ["250 2.1.0"] + ["250 2.1.5"] * 100 + ["452 4.5.3"] * 50
    assert len(server.messages[0].rcpt_to) == 100


async def test_five_thousand_recipients_are_too_many_commands(serving: Serving) -> None:
    async with serving() as server, server.client() as client:
        client.send(envelope_for(5000))
        codes = [reply[:9] for reply in await client.replies_to_the_end()]
    assert codes.count("250 2.1.5") == 100
    assert (codes[-1], len(codes) <= 1001) == ("421 4.7.0", True)


async def test_noop_for_ever_is_too_many_commands(serving: Serving) -> None:
    async with serving(max_commands=50) as server, server.client() as client:
        client.send(b"NOOP\r\n" * 500)
        codes = [reply[:3] for reply in await client.replies_to_the_end()]
    assert codes == ["250"] * 49 + ["421"]


async def test_an_accepted_message_renews_the_commands(serving: Serving) -> None:
    async with serving(max_commands=10) as server, server.client() as client:
        for _ in range(5):
            assert (await client.deliver(b"x\r\n")).startswith("250")
    assert len(server.bodies) == 5


@pytest.mark.parametrize("line", [b"XYZ\r\n", b"RCPT TO:<a@b.c>\r\n", b"\xff\xfe\r\n", b"\r\n"])
async def test_errors_end_the_connection(serving: Serving, line: bytes) -> None:
    async with serving(max_errors=5) as server, server.client() as client:
        client.send(line * 20)
        codes = [reply[:3] for reply in await client.replies_to_the_end()]
    assert (codes[-1], len(codes), set(codes[:-1]) <= {"500", "503"}) == ("421", 6, True)


async def test_unknown_recipients_count_as_errors(serving: Serving) -> None:
    async def check(address: str) -> None:
        raise SmtpRefused(550, "5.1.1", "No such inbox")

    async with serving(check=check, max_errors=3) as server, server.client() as client:
        client.send(b"MAIL FROM:<a@b.c>\r\n" + b"RCPT TO:<guess@b.c>\r\n" * 9)
        codes = [reply[:3] for reply in await client.replies_to_the_end()]
    assert codes == ["250", "550", "550", "550", "421"]


async def test_long_command_lines_are_refused_without_keeping_them(serving: Serving) -> None:
    async with serving() as server, server.client() as client:
        for size in (3000, 20_000, 1_000_000):
            assert (await client.command("NOOP " + "x" * size)).startswith("500 5.5.2")
        assert (await client.command("NOOP " + "x" * 1900)).startswith("250")


async def test_ehlo_many_times_changes_no_limit(serving: Serving) -> None:
    async with serving() as server, server.client() as client:
        for _ in range(30):
            await client.command("EHLO again.example")
        assert (await client.command("MAIL FROM:<a@b.c> X=" + "x" * 2100)).startswith("500 5.5.2")


async def test_an_idle_client_is_told_and_closed(serving: Serving) -> None:
    async with serving(idle_seconds=0.2) as server, server.client() as client:
        assert [reply[:9] for reply in await client.replies_to_the_end()] == ["421 4.4.2"]


async def test_a_command_in_drips_is_idle(serving: Serving) -> None:
    async with serving(idle_seconds=0.3) as server, server.client() as client:
        reply = asyncio.create_task(client.reply())
        async with asyncio.timeout(30):
            while not reply.done():
                client.send(b"N")
                await asyncio.wait([reply], timeout=0.05)
        assert reply.result().startswith("421 4.4.2")


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"data_rate_seconds": 0.3, "min_data_rate": 5000}, id="rate"),
        pytest.param({"data_seconds": 0.3}, id="total"),
    ],
)
async def test_data_in_drips_is_cut_off(serving: Serving, limits: dict[str, Any]) -> None:
    async with serving(**limits) as server, server.client() as client:
        await client.begin()
        reply = asyncio.create_task(client.reply())
        async with asyncio.timeout(30):
            while not reply.done():
                client.send(b"x\r\n")
                await asyncio.wait([reply], timeout=0.02)
        assert reply.result().startswith("421 4.4.2")
    assert server.bodies == []


async def test_our_own_slowness_is_not_the_clients(serving: Serving) -> None:
    done = asyncio.Event()

    async def accept(message: object) -> None:
        asyncio.get_running_loop().call_later(1.5, done.set)
        await done.wait()

    async with serving(accept=accept, idle_seconds=0.5, data_seconds=0.5) as server:
        async with server.client() as client:
            assert (await client.deliver(b"x\r\n")).startswith("250")


async def test_connections_of_one_client_are_limited(serving: Serving) -> None:
    async with serving(max_connections_per_client=2, trusted_networks=()) as server:
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await stack.enter_async_context(server.client())
            third = await stack.enter_async_context(server.client(greet=False))
            assert await third.reply() == "421 4.7.0 Too many connections from your address"
            await stack.enter_async_context(server.client(host="127.0.0.9"))
        async with server.client():
            assert server.listener.connections == 1


async def test_idle_connections_keep_nobody_out(serving: Serving) -> None:
    async with serving(max_connections=50) as server, AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(server.client(greet=False)) for _ in range(80)]
        async with asyncio.timeout(30):
            client = await stack.enter_async_context(server.client(greet=False))
            while (await client.reply()).startswith("421"):
                client = await stack.enter_async_context(server.client(greet=False))
        await client.command("EHLO x")
        assert (await client.deliver(b"x\r\n")).startswith("250")
        assert (await idle[0].reply()).startswith("220")
        assert (await idle[0].reply()).startswith("421 4.7.0 Idle")


async def test_a_client_that_reads_no_replies_is_dropped(serving: Serving) -> None:
    async with serving(idle_seconds=0.2, max_commands=10**9) as server, server.client() as client:
        cast("asyncio.Transport", client.writer.transport).pause_reading()
        async with asyncio.timeout(30):
            while server.listener.connections:
                client.send(b"HELP\r\n" * 10_000)
                with suppress(ConnectionError, TimeoutError):
                    await asyncio.wait_for(client.writer.drain(), 0.1)


async def test_a_folder_that_is_gone_is_a_temporary_failure(
    serving: Serving, tmp_path: Path
) -> None:
    async with serving(spool_bytes=1000, spool_folder=tmp_path / "missing") as server:
        async with server.client() as client:
            assert (await client.deliver(b"line\r\n" * 50_000)).startswith("452 4.3.0")
            assert (await client.deliver(b"small\r\n")).startswith("250")
    assert server.bodies == [b"small\r\n"]


async def test_content_that_cannot_be_taken_is_never_obeyed(serving: Serving) -> None:
    content = b"line\r\n" * 50_000 + b"MAIL FROM:<evil@example.com>\r\n"
    async with serving(spool_bytes=1000, spool_folder=object()) as server:
        async with server.client() as client:
            await client.begin()
            client.send(content + b".\r\n")
            assert [reply[:9] for reply in await client.replies_to_the_end()] == ["421 4.3.0"]
    assert server.bodies == []


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on the size of files")
@pytest.mark.parametrize("at_the_end", [False, True])
async def test_a_full_disk_is_told_and_passes(at_the_end: bool, serving: Serving) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with serving(spool_bytes=90_000) as server, server.client() as client:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            await client.begin()
            client.send(b"line\r\n" * 16_000)
            for _ in range(20 if at_the_end else 0):
                await asyncio.sleep(0)
            client.send(b"line\r\n" * 10_000 + b".\r\n")
            refused = await client.reply()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert (await client.deliver(b"line\r\n" * 50_000)).startswith("250")
    assert refused == "452 4.3.1 No room to store the message now"


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on the size of files")
async def test_what_a_full_disk_has_refused_is_let_go_of() -> None:
    spool = Spool(1_000, None, CapacityLimiter(1))
    await spool.write(b"x" * 2_000)  # it fits into the buffer of a file
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            await spool.finish()
        spool.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    content, _ = await spool.finish()
    assert content == b""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_line_without_end_takes_no_memory(child: Child) -> None:
    before = child.peak()
    reply = await child.send(b"x" * 1_000_000, 60, b"\r\n.\r\n")
    assert reply[:9] in ("552 5.3.4", "")
    assert child.peak() - before < 8 * 1024 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_many_large_messages_at_once_wait_on_disk(child: Child) -> None:
    before = child.peak()
    sending = [child.send(b"line of some length\r\n" * 10_000, 25, b".\r\n") for _ in range(20)]
    replies = await asyncio.gather(*sending)
    assert {reply[:9] for reply in replies} == {"250 2.0.0"}
    assert child.peak() - before < 32 * 1024 * 1024

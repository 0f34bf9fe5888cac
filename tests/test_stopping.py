"""How a kit stops: within its time, and whole, whatever happens meanwhile."""

from __future__ import annotations

import asyncio

from inboxkit import InboxKit

from .mails import ANN, DESK


async def in_data(kit: InboxKit) -> asyncio.StreamWriter:
    """Return a connection in the middle of a message."""
    reader, writer = await asyncio.open_connection(*kit.smtp_address)
    lines = ["HELO x", f"MAIL FROM:<{ANN}>", f"RCPT TO:<{DESK}>", "DATA"]
    for line in lines:
        await reader.readline()
        writer.write(f"{line}\r\n".encode())
    assert (await reader.readline()).startswith(b"354 ")
    writer.write(b"Subject: half\r\n")
    return writer


async def test_a_message_that_does_not_end_is_waited_for_as_long_as_was_told(database: str) -> None:
    async with InboxKit(database=database, smtp="127.0.0.1:0") as kit:
        await kit.inbox(DESK)
        writer = await in_data(kit)
        async with asyncio.timeout(20):
            await kit.runtime.drain(0.1)
            await kit.runtime.stop()
        writer.transport.abort()

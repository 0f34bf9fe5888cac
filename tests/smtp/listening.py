"""A listener in a process of its own: prints its port, throws messages away, ends with stdin."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from inboxkit.clock import Clock
from inboxkit.smtp.listener import Listener
from inboxkit.smtp.settings import SmtpSettings

if TYPE_CHECKING:
    from inboxkit.smtp.incoming import Incoming


async def main() -> None:
    async def accept(message: Incoming) -> None: ...

    async def check_recipient(address: str) -> None: ...

    listener = Listener(SmtpSettings(), accept, check_recipient, Clock())
    await listener.start()
    sys.stdout.write(f"{listener.port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await listener.stop()


asyncio.run(main())

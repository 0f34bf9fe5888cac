"""A mail on a copy of the database that is thrown away: where it would go, what handlers do."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..kit import InboxKit
from ..parsing import addresses
from ..parsing.mime import decode_headers
from ..store import copies, runs
from ..store.database import sqlite_file
from ..tokens import public_id, row_id
from .envelopes import sender_of
from .importing import until_done
from .serving import make_kit

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from ..models import Message, Thread
    from ..settings import Settings

_ALL = 1 << 62


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What became of a mail on a copy: the calls of handlers, and what they would have sent."""

    message: Message
    runs: Sequence[Any]
    sends: Sequence[Message]
    thread: Thread


async def tried(settings: Settings, address: str | None, raw: bytes) -> Message:
    """Return the message as it would be read and placed; nothing of it stays."""
    sender, to = _envelope(address, raw)
    with _copied(settings) as changes:
        async with InboxKit(settings=settings.model_copy(update=changes)) as kit:
            return await kit.receive(raw, mail_from=sender, rcpt_to=[to])


async def rehearsed(
    settings: Settings, flags: Mapping[str, Any], address: str | None, raw: bytes
) -> Rehearsal:
    """Call the handlers for a mail; what they send goes nowhere, and nothing of it stays.

    What they do elsewhere, such as in a database of their own, is done. A mail that was here
    before counts as new.
    """
    sender, to = _envelope(address, raw)
    with _copied(settings, anew=True) as changes:
        kit = make_kit(settings.model_copy(update=changes), {**flags, **changes})
        async with kit:
            taken = await kit.runtime.accept.mail(raw, mail_from=sender, rcpt_to=[to], record=True)
            number = taken[0][0]
            await until_done(kit, ("read", "plan", "run"))
            message = await kit.message(public_id("msg", number))
            called = await kit.runtime.store.read(runs.listed, message_id=number, limit=_ALL)
            sends = await _sent_after(kit, number)
            return Rehearsal(message, called[::-1], sends, await message.thread())


async def _sent_after(kit: InboxKit, number: int) -> list[Message]:
    """Return what was sent since a message came, oldest first."""
    found: list[Message] = []
    async for message in kit.search("is:outbound"):
        if row_id("msg", message.id) < number:
            break
        found.insert(0, message)
    return found


def _envelope(address: str | None, raw: bytes) -> tuple[str, str]:
    """Return from whom and to whom; raise ConfigurationError if the mail does not say it."""
    head = decode_headers(raw)
    to = address or next((a.email for a in addresses.parse(head.get("To"))), "")
    if not to:
        raise ConfigurationError("the mail names no recipient in To; give its address as well")
    return sender_of(head), to


@contextmanager
def _copied(settings: Settings, *, anew: bool = False) -> Generator[dict[str, Any]]:
    """Copy the database, if it is a file; yield the settings of whoever works on the copy."""
    with tempfile.TemporaryDirectory(prefix="inboxkit-") as folder:
        target = Path(folder) / "copy.db"
        source = sqlite_file(settings.database)
        if source is not None and source.is_file():
            copies.copy(source, target, anew=anew)
        yield {
            "database": f"sqlite:///{target}",
            "object_store": "",
            "any_recipient": True,
            "provider": ("memory",),
            "mcp": False,
        }

"""Reading a mail on a copy of the database that is thrown away: to see where it would go."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..kit import InboxKit
from ..parsing import addresses
from ..parsing.mime import decode_headers
from ..store import copies
from ..store.database import sqlite_file
from .envelopes import sender_of

if TYPE_CHECKING:
    from ..models import Message
    from ..settings import Settings


async def tried(settings: Settings, address: str | None, raw: bytes) -> Message:
    """Return the message as it would be read and placed; nothing of it stays."""
    head = decode_headers(raw)
    to = address or next((a.email for a in addresses.parse(head.get("To"))), "")
    if not to:
        raise ConfigurationError("routes: the mail names no recipient; give its address as well")
    with tempfile.TemporaryDirectory(prefix="inboxkit-") as folder:
        target = Path(folder) / "copy.db"
        source = sqlite_file(settings.database)
        if source is not None and source.is_file():
            copies.copy(source, target)
        changes = {"database": f"sqlite:///{target}", "any_recipient": True}
        changed = settings.model_copy(update={**changes, "provider": ("memory",)})
        async with InboxKit(settings=changed) as kit:
            return await kit.receive(raw, mail_from=sender_of(head), rcpt_to=[to])

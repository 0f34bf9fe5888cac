"""Reading a mail on a copy of the database that is thrown away: to see where it would go."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..kit import InboxKit
from ..parsing import parse
from ..store.database import parse_url

if TYPE_CHECKING:
    from ..models import Message
    from ..settings import Settings


async def tried(settings: Settings, address: str | None, raw: bytes) -> Message:
    """Return the message as it would be read and placed; nothing of it stays."""
    with tempfile.TemporaryDirectory(prefix="inboxkit-") as folder:
        database = _copied(settings.database, Path(folder) / "copy.db")
        changed = settings.model_copy(
            update={"database": database, "any_recipient": True, "provider": ("memory",)}
        )
        async with InboxKit(settings=changed) as kit:
            to = address or _recipient(raw)
            return await kit.receive(raw, mail_from="", rcpt_to=[to])


def _recipient(raw: bytes) -> str:
    to = parse(raw).to
    if not to:
        raise ConfigurationError("routes: the mail names no recipient; give its address as well")
    return to[0].email


def _copied(url: str, target: Path) -> str:
    source = Path(parse_url(url).database or "")
    if parse_url(url).get_backend_name() == "sqlite" and source.is_file():
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
    return f"sqlite:///{target}"

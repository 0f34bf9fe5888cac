"""At a start: the providers whose settings were wrong are tried again, as it may have read others.

What waits for them would otherwise wait on, as long as it was to be while nobody mends anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..store import limits
from .loops import patiently

if TYPE_CHECKING:
    from ..store.store import Store


async def try_anew(store: Store) -> None:
    """Let one send try each of these providers, however long the database refuses that."""

    async def write() -> None:
        await store.write_lightly(limits.settings_changed, store.clock.now())

    await patiently("send", write, store.bell)

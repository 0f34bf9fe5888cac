"""The out-of-process client: the same names and values as in process, over HTTP.

Imports no database and no server. ``Client`` blocks; ``AsyncClient`` runs on asyncio.
"""

from __future__ import annotations

from .asynchronous import AsyncClient
from .blocking import Client, SyncInbox
from .transport import Unreachable

__all__ = ["AsyncClient", "Client", "SyncInbox", "Unreachable"]

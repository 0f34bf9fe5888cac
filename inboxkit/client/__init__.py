"""The out-of-process client: the same names and values as in process, over HTTP.

Imports no database and no server. ``Client`` blocks; ``AsyncClient`` runs on asyncio, and only it
imports aiohttp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .asynchronous import AsyncClient
    from .blocking import Client, SyncInbox
    from .transport import Unreachable

__all__ = ["AsyncClient", "Client", "SyncInbox", "Unreachable"]

_HOMES = {
    "AsyncClient": "asynchronous",
    "Client": "blocking",
    "SyncInbox": "blocking",
    "Unreachable": "transport",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # resolved when used (PEP 562)

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)

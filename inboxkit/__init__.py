"""Two-way email for programs. Everything a user imports is here, in ``testing`` and ``errors``.

``InboxKit`` and ``Inbox`` are resolved when first used (PEP 562): a module that only registers
handlers imports neither a database nor a server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import (
    ConfigurationError,
    HandlerError,
    InboxKitError,
    KeyReused,
    NotFound,
    Outcome,
    Reject,
    RemoteError,
    RetryLater,
    SendError,
    SkipHandler,
    StoreError,
    Suppressed,
    UnsupportedFeature,
    WaitTimeout,
)
from .extracted import Link, Otp
from .models import Attachment, Event, Message, Thread
from .router import OnAttachment, OnEvent, OnMessage, OnOtp, OnThread, Retries, Router
from .values import (
    Address,
    Auth,
    Direction,
    Envelope,
    EventType,
    File,
    Kind,
    Pattern,
    ProviderOptions,
    WebhookResponse,
)

if TYPE_CHECKING:
    from .inbox import Inbox
    from .kit import InboxKit
    from .settings import Settings

__all__ = [
    "Address",
    "Attachment",
    "Auth",
    "ConfigurationError",
    "Direction",
    "Envelope",
    "Event",
    "EventType",
    "File",
    "HandlerError",
    "Inbox",
    "InboxKit",
    "InboxKitError",
    "KeyReused",
    "Kind",
    "Link",
    "Message",
    "NotFound",
    "OnAttachment",
    "OnEvent",
    "OnMessage",
    "OnOtp",
    "OnThread",
    "Otp",
    "Outcome",
    "Pattern",
    "ProviderOptions",
    "Reject",
    "RemoteError",
    "Retries",
    "RetryLater",
    "Router",
    "SendError",
    "Settings",
    "SkipHandler",
    "StoreError",
    "Suppressed",
    "Thread",
    "UnsupportedFeature",
    "WaitTimeout",
    "WebhookResponse",
]

__version__ = "0.1.0"

_LAZY = {"Inbox": "inbox", "InboxKit": "kit", "Settings": "settings"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LAZY[name]}", __name__), name)

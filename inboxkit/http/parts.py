"""What the HTTP routes work on: handed over by the runtime when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..actions import LocalActions
    from ..pipeline.addresses import Addresses
    from ..pipeline.feedback import Feedback
    from ..pipeline.notify import Notify
    from ..settings import Settings
    from ..store.store import Store


@dataclass(frozen=True, slots=True)
class Parts:
    """The running parts that a route may need."""

    settings: Settings
    store: Store
    actions: LocalActions
    addresses: Addresses
    notify: Notify
    feedback: Feedback

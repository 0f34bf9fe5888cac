"""What the HTTP routes work on: handed over by the runtime when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..parsing.worker import ParserProcess
from .intake import Intake

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ..actions import LocalActions
    from ..models import Message
    from ..pipeline.addresses import Addresses
    from ..pipeline.feedback import Feedback
    from ..pipeline.notify import Notify
    from ..resolving import Resolver
    from ..settings import Settings
    from ..store.store import Store
    from .api.live import Live


@dataclass(frozen=True, slots=True)
class Parts:
    """The running parts that a route may need."""

    settings: Settings
    store: Store
    actions: LocalActions
    addresses: Addresses
    notify: Notify
    feedback: Feedback
    resolver: Callable[[], Resolver]  # the one that looks DNS up now
    live: Live
    receive: Callable[[bytes, str, Sequence[str]], Awaitable[Message]]  # a mail, and read it
    parser: ParserProcess = field(default_factory=ParserProcess)  # of mails that are handed in
    intake: Intake = field(default_factory=Intake)  # one for all that those with a key send
    webhook_intake: Intake = field(default_factory=Intake)  # and one for what anybody may send

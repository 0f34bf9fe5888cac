"""The one tree of errors and outcomes.

InboxKitError
├── ConfigurationError      a setting, a handler module or the environment is wrong; nothing started
├── HandlerError            a handler did what a handler must not do
├── NotFound                no inbox, message, thread or Run has that id
├── SendError               a message could not be taken for sending
│   ├── Suppressed          nobody is left: all bounced, complained or unsubscribed before
│   ├── UnsupportedFeature  the provider lacks what the message asks for
│   └── KeyReused           the same key came with other content
├── StoreError              the database or the disk refused; try again later
├── RemoteError             a server or a provider answered with an error
└── WaitTimeout             nothing that matches arrived in time (also a TimeoutError)

Outcome                     what a handler raises to say how its Run ends; not an error
├── SkipHandler
├── RetryLater
└── Reject
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from .models import Message


class InboxKitError(Exception):
    """Base of every error that inboxkit raises on purpose."""


class ConfigurationError(InboxKitError):
    """A setting, a handler module or the environment is wrong; the message names the key."""


class HandlerError(InboxKitError):
    """A handler did what a handler must not do, such as waiting for a reply to a staged send."""


class NotFound(InboxKitError):
    """No inbox, message, thread or Run has the id or address that was asked for."""


class StoreError(InboxKitError):
    """The database or the disk refused; nothing was stored. Try again later."""


class RemoteError(InboxKitError):
    """A server answered with an error; the message carries its status and reason."""


class SendError(InboxKitError):
    """A message could not be taken for sending: nothing of it is stored, nothing is sent."""


class Suppressed(SendError):
    """Every recipient is on the suppression list; lift it with ``inboxkit suppressions``."""


class UnsupportedFeature(SendError):
    """The provider has no such feature; raised before anything is sent."""


class KeyReused(SendError):
    """The same ``key`` was used before with other content."""


class WaitTimeout(InboxKitError, TimeoutError):
    """Nothing that matches arrived in time; ``arrived`` lists what did come."""

    def __init__(self, message: str, arrived: Sequence[Message] = ()) -> None:
        super().__init__(message)
        self.arrived = tuple(arrived)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *map(_arrival, self.arrived)])


def _arrival(message: Message) -> str:
    """Return a line about a message that was not the one: most often it went to somebody else."""
    named = message.envelope.rcpt_to
    sender = message.sender.email or message.envelope.mail_from or "nobody"
    # The recipient as it was written, with its plus-tag; of a mail to many the inbox it is in.
    to = message.inbox if len(named) > 1 and message.inbox != sender else ", ".join(named[:3])
    return f"  arrived: {message.subject!r} to {to} from {sender} ({message.kind})"


class Outcome(Exception):
    """What a handler raises to say how its Run ends."""


class SkipHandler(Outcome):
    """Drop the staged sends and offer the item to the next handler that matches."""


class RetryLater(Outcome):
    """Drop the staged sends and run the handler again after a while; ``reason`` is shown."""

    def __init__(self, after: timedelta, reason: str = "") -> None:
        super().__init__(reason or f"retry after {after}")
        self.after = after
        self.reason = reason


class Reject(Outcome):
    """End the Run as rejected, for a ``reason``; nothing is sent and nothing is tried again."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason

"""What an agent may do, whatever its key allows: the settings ``mcp_*``. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, NotFound, SendError
from ..matching import matches
from ..router import address_glob
from .words import address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..settings import Settings
    from ..values import Address


@dataclass(frozen=True, slots=True)
class Policy:
    """Which tools there are, which inboxes they see, and whom they may write to.

    Without ``inboxes`` all of the key. Without ``allow_to`` nobody is written to but those who are
    answered. ``send`` is that of drafts: ``draft`` leaves the sending to a person.
    """

    read_only: bool = False
    inboxes: tuple[str, ...] = ()
    send: str = "draft"
    allow_to: tuple[str, ...] = ()

    @property
    def drafts(self) -> bool:
        """Whether drafts may be made."""
        return not self.read_only and self.send in ("auto", "draft")

    @property
    def answers(self) -> bool:
        """Whether messages may be answered, without a person in between."""
        return not self.read_only and self.send == "auto"

    @property
    def writes(self) -> bool:
        """Whether somebody may be written to who has not written."""
        return self.answers and bool(self.allow_to)

    @property
    def makes_inboxes(self) -> bool:
        """Whether inboxes come and go."""
        return not self.read_only and not self.inboxes

    def inbox(self, address: str | None) -> str | None:
        """Return the inbox that is meant, None for all; raise NotFound for one out of reach."""
        if not self.inboxes:
            return address
        if address is not None:
            return self.within(address, f"no inbox {address}")
        first, *others = self.inboxes
        if others:
            raise ConfigurationError(f"inbox: name one of {', '.join(self.inboxes)}")
        return first

    def within(self, inbox: str, unknown: str) -> str:
        """Return an inbox that the agent may see; else raise NotFound with these words."""
        if self.inboxes and inbox.lower() not in self.inboxes:
            raise NotFound(unknown)
        return inbox

    def check_recipients(self, recipients: Iterable[Address]) -> None:
        """Raise SendError for somebody who is not on the list, if there is one."""
        if not self.allow_to:
            return
        for one in recipients:
            if not any(matches(pattern, one.email) for pattern in self.allow_to):
                raise SendError(
                    f"{address(one.email)}: may not be written to from here; whoever runs this "
                    "server may allow it (--allow-to, mcp_allow_to)"
                )


def policy(settings: Settings) -> Policy:
    """Return the policy of settings; raise ConfigurationError for what can match no address."""
    for pattern in settings.mcp_allow_to:
        address_glob("mcp_allow_to", pattern)
    return Policy(
        settings.mcp_read_only,
        tuple(address.lower() for address in settings.mcp_inboxes),
        settings.mcp_send,
        tuple(settings.mcp_allow_to),
    )

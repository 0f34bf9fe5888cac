"""Where the tools of one caller work: a server asked with its key, or the API of this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from ..client.actions import RemoteActions
from ..client.server import Server, piece
from ..errors import ConfigurationError, NotFound

if TYPE_CHECKING:
    from ..client.transport import Transport
    from ..models import Message, Thread
    from ..parsing.extraction import FileReader
    from .policy import Policy

_SETTLED_SECONDS = 5.0
_LOOK_SECONDS = 0.1
_UNDER_WAY = ("queued", "sending")
_KINDS = {
    "msg": "a message",
    "thd": "a thread",
    "att": "an attachment",
    "drf": "a draft",
    "evt": "an event",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """A server, what can be done there, and what the policy leaves of it.

    One that ``is_remote`` may start anew while somebody waits.
    """

    server: Server
    actions: RemoteActions
    policy: Policy
    is_remote: bool = False

    async def message(self, id: str) -> Message:
        """Return a message within reach; raise NotFound."""
        found = await self.actions.message(of_kind(id, "msg"))
        self.policy.within(found.inbox, f"no message {id}")
        return found

    async def thread(self, id: str) -> Thread:
        """Return a thread within reach; raise NotFound."""
        found = await self.actions.thread(of_kind(id, "thd"))
        self.policy.within(found.inbox, f"no thread {id}")
        return found

    def path(self, inbox: str, suffix: str = "") -> str:
        """Return the path of an inbox; raise NotFound for one out of reach."""
        return f"/v0/inboxes/{piece(self.policy.within(inbox, f'no inbox {inbox}'))}{suffix}"

    async def settled(self, sent: Message) -> Message:
        """Return a send once a provider took or refused it; what takes longer goes on later."""
        with anyio.move_on_after(_SETTLED_SECONDS):
            while sent.state in _UNDER_WAY:
                await anyio.sleep(_LOOK_SECONDS)
                sent = await self.actions.message(sent.id)
        return sent

    async def check(self) -> None:
        """Raise unless the server answers and every inbox of the policy is there."""
        await self.server.get("/v0/auth/me")
        for address in self.policy.inboxes:
            try:
                found = await self.server.get(self.path(address))
            except NotFound as error:
                way_out = f"make it with: inboxkit inbox create {address}"
                raise NotFound(f"{str(error).partition(';')[0]}; {way_out}") from None
            if found["email"].lower() != address:
                raise ConfigurationError(f"inbox: {address} is an alias of {found['email']}")


def of_kind(id: str, wanted: str) -> str:
    """Return an id; raise NotFound for one of something else: which is likelier than a slip."""
    given = id.partition("_")[0]
    if given in _KINDS and given != wanted:
        raise NotFound(
            f"{id}: is the id of {_KINDS[given]}, not of {_KINDS[wanted]} ({wanted}_...)"
        )
    return id


def desk(
    transport: Transport,
    policy: Policy,
    api_key: str | None = None,
    files: FileReader | None = None,
    *,
    is_remote: bool = False,
) -> Desk:
    """Return the desk of whoever asks over this transport; several may share ``files``."""
    server = Server(transport, api_key)
    return Desk(server, RemoteActions(server, files), policy, is_remote)

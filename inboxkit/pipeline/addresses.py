"""Which inbox an address means: itself, an alias, a plus-tag of it, or a signed reply address."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import tokens
from ..addresses import listed_form
from ..store import inboxes, token_keys
from ..store.inboxes import DELETING, InboxRecord, normalize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from ..settings import Settings
    from ..store.store import Store
    from ..tokens import Keyring

_CACHE_SECONDS = 2.0
_CACHE_SIZE = 10_000
_LOCAL_CHARACTERS = 64  # RFC 5321 section 4.5.3.1.1
UNROUTED = "unrouted"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a recipient's mail goes."""

    inbox_id: int
    address: str


class Addresses:
    """Resolves recipients. Known inboxes are remembered for two seconds."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._domain, self._reply_domain = map(
            listed_form, (settings.domain, settings.reply_domain)
        )
        self._known: dict[str, tuple[float, Target]] = {}

    async def resolve(self, address: str, *, make: bool = True) -> Target | None:
        """Return the inbox that takes mail for this address, or None.

        Where any recipient is taken, its inbox is made; ``make=False`` looks only.
        """
        wanted = normalize(address)
        now = time.monotonic()  # a wall clock that is set back would remember for as long
        cached = self._known.get(wanted)
        if cached is not None and now - cached[0] < _CACHE_SECONDS:
            return cached[1]
        async with self._store.patience.within():
            found = await self._store.read(self._find, wanted)
            if found is None and make and self._may_make(wanted):
                found = await self.make(wanted)
        if found is None:
            return None
        target = Target(found.id, found.address)
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()
        self._known[wanted] = (now, target)
        return target

    async def unrouted(self) -> Target:
        """Return where a provider's mail for unknown recipients is kept."""
        async with self._store.patience.within():
            made = await self.make(f"{UNROUTED}@{self._settings.domain}")
        return Target(made.id, made.address)

    async def make(self, address: str) -> InboxRecord:
        """Make an inbox for an address, or return the one it has."""
        return await self._store.write(inboxes.create, address, now=self._store.clock.now())

    def forget(self) -> None:
        """Look everything up again; an inbox was deleted."""
        self._known.clear()

    def _may_make(self, address: str) -> bool:
        domain = address.rpartition("@")[2]
        catches = self._settings.catch_all and domain == self._domain
        return "@" in address and (catches or self._settings.any_recipient)

    def _find(self, connection: Connection, address: str) -> InboxRecord | None:
        """A valid token goes before an inbox of that name, which somebody else may have made."""
        found = self._of_token(connection, address) or inboxes.find_tagged(connection, address)
        if found is None:  # nobody is told so for good by a database that is not ours
            token_keys.check(connection, self._store.identity)
        return None if found is None or found.status == DELETING else found

    def _of_token(self, connection: Connection, address: str) -> InboxRecord | None:
        local, _, domain = address.rpartition("@")
        name, plus, tag = local.rpartition("+")
        is_for_replies = domain == self._reply_domain
        if not plus and not is_for_replies:
            return None
        row_id = self._store.keys.verify(tag, self._store.clock.now())
        found = None if row_id is None else inboxes.of_message(connection, row_id)
        is_its_own = found is not None and normalize(found.address) == f"{name}@{domain}"
        return found if is_its_own or is_for_replies else None


def reply_address(address: str, row_id: int, secret: bytes, reply_domain: str) -> str:
    """Return the Reply-To of a send: the inbox's address with a signed token that names it."""
    local, _, domain = address.rpartition("@")
    tagged = f"{local}+{tokens.sign(secret, row_id)}"
    if len(tagged) > _LOCAL_CHARACTERS:
        return address
    return f"{tagged}@{reply_domain or domain}"


def token_row(recipients: Sequence[str], keys: Keyring, now: datetime) -> int | None:
    """Return the send that a valid token in one of the recipients names."""
    for recipient in recipients:
        tag = recipient.rpartition("@")[0].rpartition("+")[2]
        row_id = keys.verify(tag, now) if tag else None
        if row_id is not None:
            return row_id
    return None

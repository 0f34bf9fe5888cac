"""Accept: store the raw bytes and the envelope durably, before the 250 or the 200. No parsing."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from anyio import CapacityLimiter, to_thread

from ..blocking import in_thread
from ..errors import NotFound, StoreError
from ..store import arrivals
from ..store.arrivals import Arrival, dedupe_key
from ..store.refusals import Unsure
from ..tokens import new_id
from .addresses import UNROUTED, Addresses, Target
from .pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from ..store.blobs import Packed
    from ..store.store import Store

_HEAD_BYTES = 64 * 1024
_SMALL_BYTES = 64 * 1024  # about 0.15 ms to compress, as much as a thread costs
_PACKERS = 4  # large messages compressed and synced at once
_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\r\n]{1,990}>)", re.I | re.M)


class UnknownRecipient(NotFound):
    """No inbox takes mail for this address."""

    def __init__(self, address: str) -> None:
        super().__init__(f"no inbox takes mail for {address}")
        self.address = address


class InboxGone(UnknownRecipient):
    """An inbox was deleted between the look-up of its address and the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arriving:
    """A mail at the door. ``sha256`` and ``size`` are those of the bytes as they are stored.

    ``keep_unrouted``: what no inbox takes is kept all the same; ``each_unrouted``: also for one
    unknown recipient among others.
    """

    raw: bytes | BinaryIO = field(repr=False)
    mail_from: str
    rcpt_to: tuple[str, ...]
    size: int
    sha256: str
    trace: Mapping[str, Any] = field(default_factory=dict[str, Any])
    silent: bool = False
    record: bool = False
    keep_unrouted: bool = False
    each_unrouted: bool = False
    unique: bool = False
    received_at: datetime | None = None  # an import keeps the time it came first


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


class Accept:
    """Takes mail in for the inboxes it is addressed to."""

    def __init__(self, store: Store, addresses: Addresses) -> None:
        self._store = store
        self._addresses = addresses
        self._packers = CapacityLimiter(_PACKERS)
        self.pace = Pace()

    async def is_ours(self, address: str) -> bool:
        """Whether an inbox has this address already."""
        return await self._addresses.resolve(address, make=False) is not None

    async def check(self, address: str) -> Target:
        """Return the inbox of a recipient; raise UnknownRecipient when there is none."""
        target = await self._addresses.resolve(address)
        if target is None:
            raise UnknownRecipient(address)
        return target

    async def mail(
        self, raw: bytes, *, mail_from: str, rcpt_to: Sequence[str], **options: Any
    ) -> list[tuple[int, bool]]:
        """Take in a mail whose bytes are at hand."""
        sha256 = await in_thread(_digest, raw) if len(raw) > _SMALL_BYTES else _digest(raw)
        return await self.take(
            Arriving(
                raw=raw,
                mail_from=mail_from,
                rcpt_to=tuple(rcpt_to),
                size=len(raw),
                sha256=sha256,
                **options,
            )
        )

    async def take(self, mail: Arriving) -> list[tuple[int, bool]]:
        """Store a mail; return a pair for each inbox: row id, and whether it was here before.

        Durable when it returns. Raise UnknownRecipient when no recipient is known, StoreError when
        the disk or the database refuses; then nothing is stored. Unsure when it does not answer.
        """
        with self.pace.under_way():
            try:
                return await self.store(await self.prepare(mail))
            except InboxGone:  # the address may mean another inbox now
                return await self.store(await self.prepare(mail))

    async def prepare(self, mail: Arriving) -> tuple[Arrival, ...]:
        """Return what is to be stored, a copy for each inbox; ids are given here, in order."""
        self.pace.note()
        targets = await self._targets(mail)
        head, packed = await self._pack(mail, len(targets))
        found = _MESSAGE_ID.search(head)
        message_id = found[1].decode("ascii", "replace") if found else ""
        return tuple(
            Arrival(
                id=new_id(),
                inbox_id=target.inbox_id,
                received_at=mail.received_at or self._store.clock.now(),
                mail_from=mail.mail_from,
                rcpt_to=mail.rcpt_to,
                packed=part,
                size=mail.size,
                sha256=mail.sha256,
                message_id=message_id,
                trace=mail.trace,
                labels=labels,
                silent=mail.silent,
                record=mail.record,
                dedupe=dedupe_key(message_id, mail.sha256, unique=mail.unique),
            )
            for (target, labels), part in zip(targets.items(), packed, strict=True)
        )

    async def store(self, copies: tuple[Arrival, ...]) -> list[tuple[int, bool]]:
        """Store what ``prepare`` returned; raise InboxGone when it is out of date."""
        try:
            async with self._store.patience.within():
                stored = await self._store.write_grouped(arrivals.accept, copies)
        except Unsure:  # the rows may be there and name the files; a sweep finds out
            raise
        except StoreError:
            await self._drop(copies)
            raise
        if stored is None:
            self._addresses.forget()
            await self._drop(copies)
            raise InboxGone(", ".join(copies[0].rcpt_to))
        pairs = zip(copies, stored, strict=True)
        await self._drop(copy for copy, (_, before) in pairs if before)
        return stored

    async def _drop(self, copies: Iterable[Arrival]) -> None:
        """Delete the files of copies that were not stored: a sender may try again and again."""
        locations = [copy.packed.location for copy in copies if copy.packed.location]
        if locations:
            await in_thread(self._store.blobs.remove, locations)

    async def _targets(self, mail: Arriving) -> dict[Target, tuple[str, ...]]:
        """Return the inboxes that get a copy, with the labels of each."""
        found = [await self._addresses.resolve(recipient) for recipient in mail.rcpt_to]
        known = {target.inbox_id: target for target in found if target is not None}
        targets = dict.fromkeys(known.values(), tuple[str, ...]())
        if targets and not (mail.each_unrouted and None in found):
            return targets
        if not mail.keep_unrouted:
            raise UnknownRecipient(", ".join(mail.rcpt_to))
        return {**targets, await self._addresses.unrouted(): (UNROUTED,)}

    async def _pack(self, mail: Arriving, copies: int) -> tuple[bytes, list[Packed]]:
        """Compress on the spot what is small, in a thread what is not."""
        if isinstance(mail.raw, bytes) and mail.size <= _SMALL_BYTES:
            return _head(mail.raw), self._pack_now(mail.raw, copies)
        return await to_thread.run_sync(self._pack_large, mail.raw, copies, limiter=self._packers)

    def _pack_large(self, source: bytes | BinaryIO, copies: int) -> tuple[bytes, list[Packed]]:
        if isinstance(source, bytes):
            return _head(source), self._pack_now(source, copies)
        source.seek(0)
        return _head(source.read(_HEAD_BYTES)), self._pack_now(source, copies)

    def _pack_now(self, raw: bytes | BinaryIO, copies: int) -> list[Packed]:
        """A row shares a small blob's bytes with nobody, a large one's file neither."""
        packed = [self._store.blobs.pack(raw)]
        if packed[0].data is not None:
            return packed * copies
        try:
            packed += (self._store.blobs.pack(raw) for _ in range(copies - 1))
        except StoreError:
            self._store.blobs.remove([part.location for part in packed])
            raise
        return packed


def _head(raw: bytes) -> bytes:
    """Return the header block, as far as it is looked at."""
    most = min(len(raw), _HEAD_BYTES)
    usual = raw.find(b"\r\n\r\n", 0, most)
    end = most if usual < 0 else usual
    bare = raw.find(b"\n\n", 0, end)  # not looked for in the body
    return raw[: end if bare < 0 else bare]

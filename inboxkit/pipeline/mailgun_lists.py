"""Validates uploaded lists of addresses, part by part; DNS is asked once for each domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from anyio import CapacityLimiter, to_thread

from ..store import jobs, mailgun_validations, suppressions
from ..validation.addresses import Facts, examined, mailboxes
from ..validation.mailgun import mail_servers, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..resolving import Resolver
    from ..store.jobs import Job
    from ..store.store import Store

    Servers = dict[str, Sequence[str] | None]

_LOOKUPS_AT_ONCE = 16
_ADDRESSES_A_QUERY = 500


class MailgunLists:
    """Does the jobs that ``mailgun_validations.create`` puts."""

    def __init__(self, store: Store, resolver: Callable[[], Resolver]) -> None:
        self._store = store
        self._resolver = resolver
        self._lookups = CapacityLimiter(_LOOKUPS_AT_ONCE)

    async def work(self, job: Job) -> None:
        """Look at every address of a list that nobody has looked at yet."""
        list_id, servers = int(job.data["list"]), Servers()
        while True:
            part = await self._store.read(mailgun_validations.next_part, list_id)
            if part is None:
                break
            number, lookup, addresses = part
            if lookup:
                await self._look_up(addresses, servers)
            known = await self._history(addresses)
            found = await to_thread.run_sync(_judged, addresses, known, servers)
            await self._store.write(mailgun_validations.put_part, list_id, number, found)
        await self._store.write(_finish, job, list_id)

    async def _look_up(self, addresses: Iterable[str], servers: Servers) -> None:
        boxes = (mailboxes(address) for address in addresses)
        domains = {box[0].rpartition("@")[2] for box in boxes if box}
        async with anyio.create_task_group() as tasks:
            for domain in sorted(domains - servers.keys()):
                tasks.start_soon(self._ask, domain, servers)

    async def _ask(self, domain: str, servers: Servers) -> None:
        resolver = self._resolver()
        servers[domain] = await to_thread.run_sync(
            mail_servers, resolver, domain, limiter=self._lookups
        )

    async def _history(self, addresses: Iterable[str]) -> Mapping[str, Sequence[str]]:
        """Return why mailboxes are suppressed here, those that are."""
        boxes = sorted({box for address in addresses for box in mailboxes(address)})
        known: dict[str, Sequence[str]] = {}
        for start in range(0, len(boxes), _ADDRESSES_A_QUERY):
            some = boxes[start : start + _ADDRESSES_A_QUERY]
            found = await self._store.read(suppressions.of_addresses, some)
            known |= {box: tuple(reasons.values()) for box, reasons in found.items()}
        return known


def _judged(
    addresses: Iterable[str], known: Mapping[str, Sequence[str]], servers: Servers
) -> list[dict[str, Any]]:
    return [shown(address, examined(address, _facts(address, known, servers))) for address in addresses]


def _facts(address: str, known: Mapping[str, Sequence[str]], servers: Servers) -> Facts:
    boxes = mailboxes(address)
    history = tuple(reason for box in boxes for reason in known.get(box, ()))
    domain = boxes[0].rpartition("@")[2] if boxes else ""
    return Facts(history, servers.get(domain))


def _finish(tx: Any, job: Job, list_id: int) -> None:
    mailgun_validations.finish(tx, list_id)
    jobs.complete(tx, [job])

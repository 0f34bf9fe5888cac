"""Validates uploaded lists of addresses, part by part; DNS is asked once for each domain."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio import CapacityLimiter, to_thread

from ..blocking import in_thread
from ..errors import ConfigurationError, RemoteError
from ..store import jobs, mailgun_lists, mailgun_validations
from ..store.mailgun_validations import Verdicts
from ..validation.addresses import Facts, examined, mailboxes
from ..validation.mailgun import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..resolving import Resolver
    from ..store.leased import Job
    from ..store.store import Store
    from ..store.transactions import Tx

    Servers = dict[str, Sequence[str] | None]  # by domain; None: DNS cannot tell
    Boxes = Mapping[str, Sequence[str]]  # by address as it was given: the mailboxes it means

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
        list_id, servers = int(job.data["list"]), dict[str, "Sequence[str] | None"]()
        while part := await self._store.read(mailgun_validations.next_part, list_id):
            number, lookup, addresses = part
            boxes = await in_thread(_boxes, addresses)
            if lookup:
                await self._look_up(boxes, servers)
            known = await self._history(list_id, boxes)
            found = await in_thread(_judged, boxes, known, servers)
            await self._store.write(mailgun_validations.put_part, list_id, number, found)
        await self._store.write(_finish, job, list_id)

    async def _look_up(self, boxes: Boxes, servers: Servers) -> None:
        domains = {_domain(box) for box in boxes.values()} - servers.keys() - {""}
        async with anyio.create_task_group() as tasks:
            for domain in sorted(domains):
                tasks.start_soon(self._ask, domain, servers)

    async def _ask(self, domain: str, servers: Servers) -> None:
        ask = partial(mail_servers, self._resolver(), domain)
        servers[domain] = await to_thread.run_sync(ask, limiter=self._lookups)

    async def _history(self, list_id: int, boxes: Boxes) -> Mapping[str, Sequence[str]]:
        """Return why mailboxes are suppressed for whoever brought the list, those that are."""
        reach = await self._store.read(mailgun_validations.reach, list_id)
        names = sorted({name for box in boxes.values() for name in box})
        known: dict[str, Sequence[str]] = {}
        for start in range(0, len(names), _ADDRESSES_A_QUERY):
            some = names[start : start + _ADDRESSES_A_QUERY]
            known |= await self._store.read(mailgun_lists.history, reach, some)
        return known


def mail_servers(resolver: Resolver, domain: str) -> tuple[str, ...] | None:
    """Return the mail servers of a domain as DNS has them, None when it cannot tell. Blocks."""
    try:
        return tuple(server for _, server in resolver.mx(domain))
    except (ConfigurationError, RemoteError, ValueError):
        return None


def _boxes(addresses: Sequence[str]) -> Boxes:
    return {address: mailboxes(address) for address in addresses}


def _domain(box: Sequence[str]) -> str:
    return box[0].rpartition("@")[2] if box else ""


def _judged(boxes: Boxes, known: Mapping[str, Sequence[str]], servers: Servers) -> Verdicts:
    def facts(box: Sequence[str]) -> Facts:
        history = tuple(reason for name in box for reason in known.get(name, ()))
        return Facts(history, servers.get(_domain(box)))

    found = [shown(address, examined(address, facts(box))) for address, box in boxes.items()]
    return Verdicts.of(found)


def _finish(tx: Tx, job: Job, list_id: int) -> None:
    mailgun_validations.finish(tx, list_id)
    jobs.complete(tx, [job])

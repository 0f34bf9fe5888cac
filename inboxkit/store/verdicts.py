"""What lists say of an address: the narrowest scope that says anything decides.

Within a scope an address goes before its domain, a domain before the one above it, and a block
before an allow of the same entry. A scope that allows some blocks all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..addresses import listed_form
from . import lists
from .lists import ORGANIZATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Connection

    from .lists import EntryRecord

SEND, RECEIVE, REPLY = "send", "receive", "reply"
BLOCKED = "blocked"  # the label of what came from somebody who is blocked
_MOST_LABELS = 10  # of a domain that is looked up
_SCOPES = ("inbox", "pod", "organization")


@dataclass(frozen=True, slots=True)
class Party:
    """Who is asked about: an address, and the inbox that it writes to or is written to from."""

    address: str
    inbox_id: int


def refusals(connection: Connection, direction: str, parties: Sequence[Party]) -> dict[Party, str]:
    """Return those who are blocked, and why. Without any list for the direction: nobody."""
    if not parties or not lists.any_of(connection, [direction]):
        return {}
    pods = lists.pods(connection, {party.inbox_id for party in parties})
    scopes = {party: _scopes(party, pods) for party in parties}
    every = {scope for found in scopes.values() for scope in found}
    names = {name for party in parties for name in _names(party.address)}
    entries = lists.matching(connection, direction, every, names)
    allowing = lists.allowing(connection, direction, every)
    said = {party: _verdict(party, scopes[party], entries, allowing) for party in parties}
    return {party: reason for party, reason in said.items() if reason}


def _scopes(party: Party, pods: Mapping[int, str]) -> tuple[tuple[str, int], ...]:
    pod_id = pods.get(party.inbox_id, "")
    return (pod_id, party.inbox_id), (pod_id, 0), ORGANIZATION


def _names(address: str) -> list[str]:
    """Return what an entry may be to mean this address, the most exact first."""
    email = listed_form(address)
    labels = email.rpartition("@")[2].split(".")[-_MOST_LABELS:]
    domains = [".".join(labels[start:]) for start in range(len(labels))]
    return list(dict.fromkeys(name for name in (email, *domains) if name))


def _verdict(
    party: Party,
    scopes: Sequence[tuple[str, int]],
    entries: Iterable[EntryRecord],
    allowing: AbstractSet[tuple[str, int]],
) -> str:
    """Return why somebody is blocked, "" when nobody says so."""
    known = {(e.scope, e.entry, e.list_type): e for e in entries}
    for scope, name in zip(scopes, _SCOPES, strict=True):
        for entry in _names(party.address):
            blocked = known.get((scope, entry, "block"))
            if blocked is not None:
                reason = f": {blocked.reason}" if blocked.reason else ""
                return f"{entry} is on the block list of the {name}{reason}"
            if (scope, entry, "allow") in known:
                return ""
        if scope in allowing:
            return f"{party.address} is not on the allow list of the {name}"
    return ""

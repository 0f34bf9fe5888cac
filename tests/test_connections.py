from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

import pytest

from inboxkit.connections import Connections, Full


@dataclass(eq=False)
class Guest:
    """A connection that only notes what it was told."""

    peer: str = "192.0.2.1"
    heard_at: float = 0.0
    gave_way: bool = False

    def give_way(self) -> None:
        self.gave_way = True


def made(*, most: int = 1_000, per_client: int = 20) -> Connections[Guest]:
    return Connections(most, per_client=per_client, trusted=[ip_network("10.0.0.0/8")])


@pytest.mark.parametrize(
    ("peers", "last", "refusal"),
    [
        pytest.param(["192.0.2.1"] * 2, "192.0.2.1", Full.FOR_CLIENT, id="one-address"),
        pytest.param(["192.0.2.1"] * 2, "192.0.2.2", None, id="another-address"),
        pytest.param(["2001:db8::1", "2001:db8::2"], "2001:db8::3", Full.FOR_CLIENT, id="one-/64"),
        pytest.param(["2001:db8::1", "2001:db8::2"], "2001:db8:0:1::1", None, id="another-/64"),
        pytest.param(["10.0.0.1"] * 2, "10.0.0.1", None, id="trusted"),
    ],
)
def test_connections_per_client(peers: list[str], last: str, refusal: Full | None) -> None:
    connections = made(per_client=2)
    for peer in peers:
        assert connections.admit(Guest(peer), 0.0) is None
    assert connections.admit(Guest(last), 0.0) == refusal


def test_a_client_that_left_may_come_again() -> None:
    connections = made(per_client=1)
    guest = Guest()
    connections.admit(guest, 0.0)
    connections.leave(guest)
    connections.leave(guest)
    assert connections.admit(Guest(), 0.0) is None
    assert len(connections) == 1


@pytest.mark.parametrize(
    ("spoke", "idle", "makes_room"),
    [
        pytest.param(False, 0.05, False, id="silent-for-a-moment"),
        pytest.param(False, 0.2, True, id="silent"),
        pytest.param(True, 4.0, False, id="idle-for-a-moment"),
        pytest.param(True, 6.0, True, id="idle"),
    ],
)
def test_when_full_the_client_idle_for_the_longest_gives_way(
    spoke: bool, idle: float, makes_room: bool
) -> None:
    connections = made(most=2)
    first, second = Guest(), Guest(heard_at=0.01)
    for guest in (first, second):
        connections.admit(guest, 0.0)
        if spoke:
            connections.heard(guest)
    refusal = connections.admit(Guest(), idle)
    assert (refusal, first.gave_way) == ((None, True) if makes_room else (Full.FOR_ALL, False))
    assert (second.gave_way, len(connections)) == (False, 2)


def test_a_client_that_sends_a_message_never_gives_way() -> None:
    connections = made(most=1)
    guest = Guest()
    connections.admit(guest, 0.0)
    connections.working(guest)
    assert (connections.admit(Guest(), 1000.0), guest.gave_way) == (Full.FOR_ALL, False)


def test_a_command_puts_a_client_at_the_end_of_the_line() -> None:
    connections = made(most=2)
    first, second = Guest(), Guest()
    for guest in (first, second):
        connections.admit(guest, 0.0)
    for guest in (first, second, first):
        connections.heard(guest)
    assert connections.admit(Guest(), 10.0) is None
    assert (first.gave_way, second.gave_way) == (False, True)

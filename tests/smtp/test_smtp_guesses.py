"""How long a client that fails to log in has to wait."""

from __future__ import annotations

from datetime import timedelta

import pytest

from inboxkit.clock import Clock
from inboxkit.smtp.guesses import Guesses
from tests.faults.test_clock import JumpingClock

PEER = "192.0.2.1"


def after(clock: Clock, failures: int) -> Guesses:
    guesses = Guesses(clock)
    for _ in range(failures):
        guesses.failed(PEER)
    return guesses


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(9, 0), (10, 1), (11, 2), (15, 32), (19, 512), (20, 900), (5_000, 900)],
)
def test_each_failure_doubles_the_time_to_wait(failures: int, seconds: int) -> None:
    clock = Clock()
    guesses = after(clock, failures)
    if seconds:
        clock.advance(timedelta(seconds=seconds - 0.5))
        assert guesses.must_wait(PEER)
        clock.advance(timedelta(seconds=1))
    assert not guesses.must_wait(PEER)


def test_a_clock_that_is_set_back_makes_nobody_wait_for_longer() -> None:
    clock = JumpingClock()
    guesses = after(clock, 50)
    clock.offset = timedelta(hours=-1)
    assert not guesses.must_wait(PEER)


def test_others_need_not_wait() -> None:
    guesses = after(Clock(), 50)
    assert not guesses.must_wait("192.0.2.2")


def test_addresses_of_one_network_of_ipv6_are_one_client() -> None:
    guesses = Guesses(Clock())
    for number in range(10):
        guesses.failed(f"2001:db8::{number}")
    assert guesses.must_wait("2001:db8::ffff")
    assert not guesses.must_wait("2001:db8:0:1::1")


def test_failures_are_forgotten_after_an_hour() -> None:
    clock = Clock()
    guesses = after(clock, 50)
    clock.advance(timedelta(hours=1))
    guesses.failed(PEER)
    assert not guesses.must_wait(PEER)


def test_so_many_clients_are_remembered_and_no_more() -> None:
    guesses = Guesses(Clock(), most_clients=100)
    for _ in range(10):
        for number in range(150):
            guesses.failed(f"192.0.2.{number}")
    assert len(guesses) == 100

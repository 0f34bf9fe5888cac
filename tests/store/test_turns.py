"""Turns at writing between processes; here two openings of the same files stand for them."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from inboxkit.store import inboxes
from inboxkit.store.filelock import try_lock, unlock
from inboxkit.store.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from inboxkit.store.store import Store

pytestmark = pytest.mark.sqlite


@contextmanager
def opened(folder: Path, *, patience: float = 30.0) -> Generator[Turns]:
    turns = Turns(folder, patience=patience)
    turns.open()
    try:
        yield turns
    finally:
        turns.close()


def wait_until(fact: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.001)


def is_held(path: Path) -> bool:
    with path.open("ab") as file:
        if not try_lock(file):
            return True
        unlock(file)
        return False


def test_who_waits_comes_before_who_has_just_been(tmp_path: Path) -> None:
    order: list[str] = []

    def write(turns: Turns, name: str) -> None:
        with turns.mine():
            order.append(name)

    with opened(tmp_path) as first, opened(tmp_path) as second:
        waiting = threading.Thread(target=write, args=(second, "second"))
        with first.mine():
            waiting.start()
            wait_until(lambda: is_held(tmp_path / "next.lock"))  # the second one is in line
            assert order == []
        write(first, "first, again")
        waiting.join()
    assert order == ["second", "first, again"]


def test_a_turn_that_is_over_is_free(tmp_path: Path) -> None:
    with opened(tmp_path) as turns:
        for _ in range(2):
            with turns.mine():
                assert is_held(tmp_path / "turn.lock")
            assert not is_held(tmp_path / "turn.lock")
            assert not is_held(tmp_path / "next.lock")


def test_a_unit_that_fails_gives_its_turn_back(tmp_path: Path) -> None:
    with opened(tmp_path) as turns:
        with pytest.raises(ValueError, match="broken"), turns.mine():
            raise ValueError("broken")
        assert not is_held(tmp_path / "turn.lock")


def test_who_gets_no_turn_goes_without(tmp_path: Path) -> None:
    with opened(tmp_path) as stopped, opened(tmp_path, patience=0.01) as patient:
        with stopped.mine(), patient.mine():
            assert not is_held(tmp_path / "next.lock")  # nobody waits behind it
        with patient.mine():  # and does not ask again at once
            assert not is_held(tmp_path / "turn.lock")


async def test_a_process_that_is_stopped_in_its_turn_stops_no_other(store: Store) -> None:
    assert store.files_folder is not None
    with opened(store.files_folder) as stopped, stopped.mine():
        made = await store.write(inboxes.create, "a@inbox.example", now=store.clock.now())
    assert made.address == "a@inbox.example"


async def test_the_writer_takes_its_turn(store: Store) -> None:
    assert store.files_folder is not None
    lock = store.files_folder / "turn.lock"
    assert await store.write(lambda _tx: is_held(lock))
    assert not is_held(lock)

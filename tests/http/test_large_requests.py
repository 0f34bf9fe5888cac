"""Large requests: while one is looked at, others are answered."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from .api import Api, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LABELS = json.dumps({"to": "ann@example.com", "labels": [f"l{n}" for n in range(400_000)]})


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


def waited(work: Callable[[], None], ask: Callable[[], object]) -> tuple[list[float], float]:
    """Return how long each question took while something was done in a thread, and that."""
    thread, waits, begun = threading.Thread(target=work), list[float](), time.monotonic()
    thread.start()
    while thread.is_alive():
        at = time.monotonic()
        ask()
        waits.append(time.monotonic() - at)
    thread.join()
    return waits, time.monotonic() - begun


def test_others_are_answered_while_a_long_list_is_checked(api: Api) -> None:
    inbox, other = api.inbox(), api.of("")
    asked: list[int] = []

    def send() -> None:
        path = f"/v0/inboxes/{inbox}/messages/send"
        asked.append(api.ask("POST", path, LABELS.encode()).status)

    waits, took = waited(send, lambda: other.ask("GET", "/livez"))
    assert asked == [400]
    assert max(waits) < took / 3

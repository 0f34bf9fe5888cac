"""Who goes first: senders while mail pours in or many wait, the reader otherwise."""

from __future__ import annotations

from contextlib import ExitStack

import anyio
import pytest

from inboxkit.pipeline.pace import Pace


class Time:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("noted", "under_way", "pressed"),
    [
        (0, 0, False),
        (40, 0, False),
        (41, 0, True),
        (11, 2, False),
        (11, 3, True),
        (10, 10, False),
    ],
    ids=["idle", "many", "a flood", "a few at once", "a crowd that gets slowly in", "a burst"],
)
def test_mail_that_pours_in_and_senders_that_wait_press(
    noted: int, under_way: int, pressed: bool
) -> None:
    pace = Pace(Time())
    with ExitStack() as stack:
        for _ in range(under_way):
            stack.enter_context(pace.under_way())
        for _ in range(noted):
            pace.note()
        assert pace.is_pressed is pressed


def test_a_flood_presses_for_one_window_more() -> None:
    time = Time()
    pace = Pace(time)
    for _ in range(100):
        pace.note()
    time.now += 0.11
    assert pace.is_pressed
    time.now += 0.11
    assert not pace.is_pressed


async def test_a_pause_ends_although_senders_wait() -> None:
    pace = Pace(Time())
    for _ in range(100):
        pace.note()
    with anyio.fail_after(30):
        await pace.pause()  # what is there must be read some time
    assert pace.is_pressed

"""What the log says of something that goes on failing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from inboxkit.complaints import Complaint

if TYPE_CHECKING:
    from collections.abc import Sequence

SAME = [(second, "away") for second in range(120)]
LOG = logging.getLogger("inboxkit.test")


@pytest.mark.parametrize(
    ("failures", "logged"),
    [
        (SAME, ["away", "away"]),
        ([(0, "away"), (1, "starting"), (2, "away"), (3, "starting")], ["away", "starting"]),
        ([(0, "away"), (59, "away"), (60, "away")], ["away", "away"]),
    ],
    ids=["each-second", "in-turn", "after-a-minute"],
)
def test_the_same_is_said_once_a_minute(
    failures: Sequence[tuple[int, str]], logged: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    seconds = (float(second) for second, _ in failures)
    complaint = Complaint(LOG, logging.WARNING, lambda: next(seconds))
    for _, text in failures:
        complaint.say(text)
    assert caplog.messages == logged


def test_what_fails_anew_is_said_anew(caplog: pytest.LogCaptureFixture) -> None:
    complaint = Complaint(LOG, logging.WARNING)
    complaint.say("away")
    complaint.over()
    complaint.say("away")
    assert caplog.messages == ["away", "away"]

"""What a test sees of who does the work: the C functions that its own thread calls."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType


@contextmanager
def called() -> Generator[set[str]]:
    """Note the names of the C functions that are called in this thread, by the event loop too."""
    names = set[str]()

    def note(_frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call":
            names.add(function.__name__)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield names
    finally:
        sys.setprofile(before)

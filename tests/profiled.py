"""What a test sees of who does the work: the functions that its own thread calls."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType


@contextmanager
def called(kind: str = "c_call") -> Generator[set[str]]:
    """Note the names of the C functions that are called in this thread, by the event loop too.

    ``kind`` "call": of those in Python.
    """
    names = set[str]()

    def note(frame: FrameType, event: str, function: Any) -> None:
        if event == kind:
            names.add(function.__name__ if event == "c_call" else frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield names
    finally:
        sys.setprofile(before)

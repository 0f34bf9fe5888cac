"""What may be logged of an exception of foreign code: its type and its place, never its text.

A handler's exception may carry the body of a mail, a code or a password.
"""

from __future__ import annotations

import os
import traceback
from pathlib import Path

_FRAMES = 3
_LIBRARIES = (str(Path(__file__).parents[1]) + os.sep, os.path.dirname(os.__file__) + os.sep)


def fault(error: BaseException) -> str:
    """Return an exception's type and where it came from: three places, one of the user's own."""
    frames = traceback.extract_tb(error.__traceback__)
    shown, own = frames[-_FRAMES:], [f for f in frames if _is_own(f)]
    if own and own[-1] not in shown:  # deep in a library: the user's line says more than its middle
        shown = [own[-1], *shown[1 - _FRAMES :]]
    places = " < ".join(f"{f.filename}:{f.lineno} {f.name}" for f in reversed(shown))
    name = type(error).__qualname__
    return f"{name} at {places}" if places else name


def _is_own(frame: traceback.FrameSummary) -> bool:
    """Whether a line is the user's: not ours, not the standard library's, not a package's."""
    return not frame.filename.startswith((*_LIBRARIES, "<")) and "-packages" not in frame.filename

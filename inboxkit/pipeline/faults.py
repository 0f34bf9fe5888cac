"""What may be logged of an exception of foreign code: its type and its place, never its text.

A handler's exception may carry the body of a mail, a code or a password.
"""

from __future__ import annotations

import traceback

_FRAMES = 3


def fault(error: BaseException) -> str:
    """Return an exception's type and the innermost places that it came through."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = " < ".join(f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames))
    name = type(error).__qualname__
    return f"{name} at {places}" if places else name

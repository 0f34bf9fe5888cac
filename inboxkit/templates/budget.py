"""What rendering a template may cost. Templates are foreign code: they are bounded, not trusted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

MOST_SOURCE_CHARACTERS = 128 * 1024
MOST_OUTPUT_CHARACTERS = 2 * 1024 * 1024
MEMBER = 32  # to go to a member of a list takes as much as so many characters
_MOST_HANDLED_CHARACTERS = 16 * MOST_OUTPUT_CHARACTERS
_MOST_STEPS = 20_000
_MOST_SECONDS = 2.0


class TemplateError(ValueError):
    """A template cannot be read or rendered; the message says where and why."""


class Budget:
    """Counts steps, characters and seconds of one mail's rendering."""

    def __init__(self) -> None:
        self._steps = 0
        self._handled = 0
        self._characters = 0
        # CPU seconds: on a busy machine a template is not to blame for the others.
        self._end = time.thread_time() + _MOST_SECONDS

    def step(self, count: int = 1) -> None:
        """Take steps; raise TemplateError when there were too many, or it takes too long."""
        self._steps += count
        if self._steps > _MOST_STEPS:
            raise TemplateError(f"takes more than {_MOST_STEPS} steps")
        self._look_at_clock()

    def handle(self, characters: int) -> None:
        """Take so many characters through an operation, before it is done; raise TemplateError."""
        self._handled += characters
        if self._handled > _MOST_HANDLED_CHARACTERS:
            raise TemplateError(f"handles more than {_MOST_HANDLED_CHARACTERS} characters")
        self._look_at_clock()

    def _look_at_clock(self) -> None:
        if time.thread_time() > self._end:
            raise TemplateError(f"takes longer than {_MOST_SECONDS:g} s of CPU")

    def write(self, text: str) -> str:
        """Return a piece of the output; raise TemplateError when that becomes too long."""
        self._characters += len(text)
        if self._characters > MOST_OUTPUT_CHARACTERS:
            raise TemplateError(f"gives more than {MOST_OUTPUT_CHARACTERS} characters")
        return text


def size(found: Any, most: int = MOST_OUTPUT_CHARACTERS) -> int:
    """Return what a value takes with all its members; they are not followed beyond ``most``."""
    total, left = 0, [found]
    while left and total <= most:
        one = left.pop()
        total += 1
        if isinstance(one, str):
            total += len(one)
        elif isinstance(one, int):
            total += one.bit_length() // 3  # about its digits
        elif isinstance(one, (list, tuple, Mapping)):
            members = cast("Sequence[Any] | Mapping[Any, Any]", one)
            total += MEMBER * len(members)
            if total <= most:
                left += members
                left += members.values() if isinstance(members, Mapping) else ()
    return total


def check_source(source: str) -> None:
    """Raise TemplateError for a source that is too long."""
    if len(source) > MOST_SOURCE_CHARACTERS:
        raise TemplateError(f"is longer than {MOST_SOURCE_CHARACTERS} characters")

"""What rendering a template may cost. Templates are foreign code: they are bounded, not trusted."""

from __future__ import annotations

import time

MOST_SOURCE_CHARACTERS = 128 * 1024
MOST_OUTPUT_CHARACTERS = 2 * 1024 * 1024
_MOST_STEPS = 20_000
_MOST_SECONDS = 2.0


class TemplateError(ValueError):
    """A template cannot be read or rendered; the message says where and why."""


class Budget:
    """Counts steps, characters and seconds of one rendering."""

    def __init__(self) -> None:
        self._steps = 0
        self._characters = 0
        # CPU seconds: on a busy machine a template is not to blame for the others.
        self._end = time.thread_time() + _MOST_SECONDS

    def step(self, count: int = 1) -> None:
        """Take steps; raise TemplateError when there were too many, or it takes too long."""
        self._steps += count
        if self._steps > _MOST_STEPS:
            raise TemplateError(f"takes more than {_MOST_STEPS} steps")
        if time.thread_time() > self._end:
            raise TemplateError(f"takes longer than {_MOST_SECONDS:g} s of CPU")

    def write(self, text: str) -> str:
        """Return a piece of the output; raise TemplateError when that becomes too long."""
        self.step()
        self._characters += len(text)
        if self._characters > MOST_OUTPUT_CHARACTERS:
            raise TemplateError(f"gives more than {MOST_OUTPUT_CHARACTERS} characters")
        return text


def check_source(source: str) -> None:
    """Raise TemplateError for a source that is too long."""
    if len(source) > MOST_SOURCE_CHARACTERS:
        raise TemplateError(f"is longer than {MOST_SOURCE_CHARACTERS} characters")

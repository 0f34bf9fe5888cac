"""The envelope of errors."""

from __future__ import annotations

from collections.abc import Sequence

from .wire import Wire


class FieldError(Wire):
    """What is wrong with one field."""

    path: Sequence[str | int]
    message: str


class ErrorResponse(Wire):
    """Every error; ``errors`` comes with validation errors."""

    name: str
    code: str
    message: str
    fix: str | None = None
    docs: str | None = None
    errors: Sequence[FieldError] | None = None

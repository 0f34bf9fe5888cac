"""What an examination finds: a point each, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How good a point is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Point:
    """What was looked at, how good it is, what was found, and what to do, "" for nothing."""

    check: str
    state: State
    found: str
    fix: str = ""


def ok(check: str, found: str, fix: str = "") -> Point:
    """Return a point that is as it should be."""
    return Point(check, State.OK, found, fix)


def warning(check: str, found: str, fix: str) -> Point:
    """Return a point that stops nothing now."""
    return Point(check, State.WARNING, found, fix)


def fault(check: str, found: str, fix: str) -> Point:
    """Return a point that keeps this installation from its work."""
    return Point(check, State.FAULT, found, fix)

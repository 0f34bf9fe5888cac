"""Mails of every shape: does anything break, how long does the slowest take, what holds a report.

Where another parser's reading lies beside a mail as JSON (mail-parser of Stalwart Labs writes
such), the subjects are compared.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxkit.parsing import parse
from inboxkit.values import Kind

from .figures import folded
from .kinds import REPORTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Raw:
    """A mail, and its subject as another parser reads it, where that is known."""

    id: str
    data: bytes
    subject: str | None = None


@dataclass(frozen=True)
class Read:
    """What a reading came to; ``error`` names an exception, and "" is none."""

    seconds: float
    subject: str = ""
    error: str = ""
    state: str = ""
    kind: Kind = Kind.HUMAN
    kind_reason: str = ""


@dataclass(frozen=True)
class Score:
    """Errors by name, states, the slowest mail, subjects that agree, and what is a report."""

    mails: int
    errors: Mapping[str, int]
    states: Mapping[str, int]
    seconds: float
    slowest: tuple[float, str]
    subjects: tuple[int, int]
    reports: tuple[tuple[str, str], ...]


def load(folder: Path) -> list[Raw]:
    """Read ``mime/**/*.eml``."""
    return [
        Raw(str(path.relative_to(folder)), path.read_bytes(), _expected(path.with_suffix(".json")))
        for path in sorted(folder.rglob("*.eml"))
    ]


def _expected(path: Path) -> str | None:
    if not path.exists():
        return None
    for field in json.loads(path.read_bytes())["parts"][0]["headers"]:
        if field["name"] == "subject" and isinstance(field["value"], dict):
            subject: str | None = field["value"].get("Text")
            # Bytes that it does not decode are no reading to compare with.
            return None if subject and "\ufffd" in subject else subject
    return None


def answer(mails: Iterable[Raw]) -> list[Read]:
    """Return what inboxkit makes of each mail."""
    return [_read(mail.data) for mail in mails]


def _read(raw: bytes) -> Read:
    start = time.perf_counter()
    parsed = parse(raw)
    seconds = time.perf_counter() - start
    error = parsed.defects[-1] if parsed.state == "failed" else ""
    return Read(seconds, parsed.subject, error, parsed.state, parsed.kind, parsed.kind_reason)


def score(mails: Sequence[Raw], answers: Sequence[Read]) -> Score:
    """Sum up the readings."""
    pairs = list(zip(mails, answers, strict=True))
    compared = [(m.subject, r.subject) for m, r in pairs if m.subject is not None]
    agreeing = sum(folded(expected) == folded(found) for expected, found in compared if expected)
    return Score(
        len(mails),
        Counter(read.error for read in answers if read.error),
        Counter(read.state for read in answers if read.state),
        sum(read.seconds for read in answers),
        max(((read.seconds, mail.id) for mail, read in pairs), default=(0.0, "")),
        (agreeing, sum(bool(expected) for expected, _ in compared)),
        tuple((mail.id, read.kind_reason) for mail, read in pairs if read.kind in REPORTS),
    )

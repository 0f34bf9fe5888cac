"""Reports and automatic mail: bounces with their recipients, complaints, absences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inboxkit.parsing import parse
from inboxkit.values import Kind

from .cases import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_KINDS = {"bounce": Kind.BOUNCE, "arf": Kind.COMPLAINT, "autoreply": Kind.AUTO_REPLY}
REPORTS = frozenset((Kind.BOUNCE, Kind.COMPLAINT))


@dataclass(frozen=True)
class Labelled:
    """A mail, the kind it is of, and for each failed recipient whether the address is dead."""

    id: str
    raw: bytes
    kind: Kind
    hard: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What was read: the kind, and each recipient that failed with whether it is dead."""

    kind: Kind
    failed: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True)
class Score:
    """How many mails of each kind were recognized, and how many recipients were right."""

    right: Mapping[Kind, int]
    total: Mapping[Kind, int]
    recipients: int
    entries: int
    agreeing: int
    wrong: tuple[str, ...]

    def recall(self, kind: Kind) -> float:
        """Return which part of the mails of a kind was recognized."""
        return self.right[kind] / self.total[kind]


def load(folder: Path) -> list[Labelled]:
    """Read ``bounce/labels.jsonl`` and the mails it names."""
    return [
        Labelled(
            row["file"],
            folder.joinpath(row["file"]).read_bytes(),
            _KINDS[row["kind"]],
            tuple(entry["hard"] for entry in row["expect"]),
        )
        for row in rows(folder)
    ]


def load_automatic(folder: Path) -> list[Labelled]:
    """Read ``autoreply/*.jsonl``: subjects, header fields and texts, to be told from people's."""
    return [
        Labelled(row["id"], _mail(row), Kind.AUTO_REPLY if row["auto"] else Kind.HUMAN)
        for row in rows(folder)
    ]


def _mail(row: Mapping[str, Any]) -> bytes:
    fields = {
        "From": "ann@example.com",
        "To": "desk@inbox.example",
        "Subject": row["subject"],
        "Content-Type": "text/plain; charset=utf-8",
        **row["headers"],
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{head}\r\n{row['text']}\r\n".encode()


def answer(mails: Iterable[Labelled]) -> list[Seen]:
    """Return what inboxkit reads in each mail."""
    return [_seen(mail.raw) for mail in mails]


def _seen(raw: bytes) -> Seen:
    parsed = parse(raw)
    return Seen(parsed.kind, tuple((b.recipient, b.hard) for b in parsed.report.bounces))


def score(mails: Sequence[Labelled], answers: Sequence[Seen]) -> Score:
    """Compare; recipients and their hardness are asked only of bounces and complaints."""
    right = dict.fromkeys(Kind, 0)
    total = dict.fromkeys(Kind, 0)
    recipients = entries = agreeing = 0
    wrong: list[str] = []
    for mail, seen in zip(mails, answers, strict=True):
        fits = _fits(mail.kind, seen.kind)
        total[mail.kind] += 1
        right[mail.kind] += fits
        found = [seen.failed[n] if n < len(seen.failed) else None for n in range(len(mail.hard))]
        agree = [f is not None and f[1] is hard for f, hard in zip(found, mail.hard, strict=True)]
        if mail.kind in REPORTS:
            entries += len(mail.hard)
            recipients += sum(bool(f and f[0]) for f in found)
            agreeing += sum(agree)
        if not fits or (mail.kind in REPORTS and not all(agree)):
            wrong.append(mail.id)
    return Score(right, total, recipients, entries, agreeing, tuple(wrong))


def _fits(expected: Kind, seen: Kind) -> bool:
    """Tell whether a kind is right; a person who writes through a list is a person."""
    return seen == expected or (expected, seen) == (Kind.HUMAN, Kind.LIST)

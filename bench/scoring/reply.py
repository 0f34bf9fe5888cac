"""The new words of replies: pairs of a body and what its writer wrote anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxkit.parsing.html import to_text
from inboxkit.parsing.reply import split_reply

from .cases import rows
from .figures import folded, share, token_f1

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """A body, and the reply text that is expected of it; ``html`` where there is no plain text."""

    id: str
    body: str
    expected: str
    html: str = ""

    @property
    def words(self) -> str:
        """The body, or the text of the HTML where there is no other."""
        return self.body or to_text(self.html)


@dataclass(frozen=True)
class Score:
    """How many replies came out exactly (white space folded), and the mean F1 of their words."""

    pairs: int
    exact: int
    f1: float
    missed: tuple[str, ...]
    failed: int = 0

    def __str__(self) -> str:
        failed = f"  failed or timed out {self.failed}" if self.failed else ""
        return f"exact {share(self.exact, self.pairs)}  token F1 {self.f1:.3f}{failed}"


def load(folder: Path) -> list[Pair]:
    """Read ``reply/*.jsonl``."""
    return [
        Pair(row["id"], row["body"], row["expected"], row.get("html", "")) for row in rows(folder)
    ]


def answer(pairs: Sequence[Pair]) -> list[str | None]:
    """Return what inboxkit makes of each body."""
    return [split_reply(pair.body, pair.html).text for pair in pairs]


def score(pairs: Sequence[Pair], answers: Sequence[str | None]) -> Score:
    """Compare the answers with what is expected; None is a failure and counts as no words."""
    exact: list[str] = []
    rates: list[float] = []
    for pair, found in zip(pairs, answers, strict=True):
        rates.append(token_f1(pair.expected, found or ""))
        if found is not None and folded(found) == folded(pair.expected):
            exact.append(pair.id)
    right = set(exact)
    return Score(
        len(pairs),
        len(exact),
        sum(rates) / len(rates) if rates else 1.0,
        tuple(pair.id for pair in pairs if pair.id not in right),
        sum(found is None for found in answers),
    )

"""Counts, and the rates made of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Right answers, wrong answers, and what was missed; a wrong answer may be a miss too."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """Which part of the answers is right; 1 when there are none."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """Which part of what is there was found; 1 when there is nothing."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.right + other.right, self.wrong + other.wrong, self.missed + other.missed
        )

    def __str__(self) -> str:
        return f"P {self.precision:.3f}  R {self.recall:.3f}  F1 {self.f1:.3f}"


def compared(expected: str | None, found: str | None) -> Counts:
    """Count one answer; a wrong value is a false answer and a miss."""
    is_right = expected is not None and found == expected
    return Counts(
        right=int(is_right),
        wrong=int(found is not None and not is_right),
        missed=int(expected is not None and not is_right),
    )


def folded(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())


def token_f1(expected: str, found: str) -> float:
    """Return the F1 of the words of two texts, order ignored."""
    wanted, given = Counter(expected.split()), Counter(found.split())
    if not wanted or not given:
        return float(wanted == given)
    common = sum((wanted & given).values())
    return 2 * common / (wanted.total() + given.total())


def share(part: int, whole: int) -> str:
    """Return "9/10 (.900)"."""
    return f"{part}/{whole} ({part / whole:.3f})" if whole else "0/0"

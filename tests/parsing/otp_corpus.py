"""Reads the mails with codes and links of ``tests/corpus/otp`` and counts what is found in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxkit.parsing.codes import find_code
from inboxkit.parsing.html import to_text
from inboxkit.parsing.links import find_links

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FOLDER = Path(__file__).parent.parent / "corpus" / "otp"


@dataclass(frozen=True, slots=True)
class Sample:
    """One mail, and the code and the link that a person would take from it."""

    id: str
    lang: str
    subject: str
    text: str
    html: str
    code: str | None
    link: str | None

    def found_code(self) -> str | None:
        """Return the code that is found, compared without spaces and hyphens."""
        code = find_code(self.text, subject=self.subject, html=self.html)
        return bare(code.value) if code else None

    def found_link(self) -> str | None:
        """Return the best link that is found."""
        links = find_links(self.text, subject=self.subject, html=self.html)
        return links[0].url if links else None


@dataclass(frozen=True, slots=True)
class Score:
    """Precision and recall; ``decoys`` are finds in mails that hold nothing to find."""

    precision: float
    recall: float
    decoys: tuple[str, ...]
    missed: tuple[str, ...]

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def bare(code: str) -> str:
    """Return a code without what only separates its groups."""
    return code.replace(" ", "").replace("-", "")


def samples() -> list[Sample]:
    """Return the mails; the text comes from the HTML when there is no text part."""
    lines = FOLDER.joinpath("own.jsonl").read_text("utf-8").splitlines()
    return [_sample(json.loads(line)) for line in lines]


def _sample(row: dict[str, Any]) -> Sample:
    html = row["html"] or ""
    code = row["expect_code"]
    return Sample(
        row["id"],
        row["lang"],
        row["subject"],
        row["text"] or to_text(html),
        html,
        bare(code) if code else None,
        row["expect_link"],
    )


def score(triples: Iterable[tuple[str, str | None, str | None]]) -> Score:
    """Count (id, expected, found); a wrong find counts against precision and recall."""
    rows = list(triples)
    right = sum(1 for _, wanted, found in rows if wanted and wanted == found)
    return Score(
        _share(right, [found for _, _, found in rows]),
        _share(right, [wanted for _, wanted, _ in rows]),
        tuple(id for id, wanted, found in rows if found and not wanted),
        tuple(id for id, wanted, found in rows if wanted and wanted != found),
    )


def _share(right: int, values: Sequence[str | None]) -> float:
    total = sum(1 for value in values if value)
    return right / total if total else 1.0

"""docs/reliability.md: every row of its tables names tests, and these are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_PARTS = ("Promises", "Faults", "Threats", "Defaults")


def rows(part: str) -> list[str]:
    """Return the rows of a part's table, without its head."""
    text = PAGE.partition(f"## {part}\n")[2].partition("\n## ")[0]
    return [line for line in text.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("part", _PARTS)
def test_every_row_names_a_test(part: str) -> None:
    assert len(rows(part)) >= 10
    assert [row for row in rows(part) if not _TEST.search(row)] == []


def test_the_tests_that_are_named_are_there() -> None:
    named = set(_TEST.findall(PAGE))
    missing = [f"{f}::{n}" for f, n in named if f"def {n}(" not in (ROOT / f).read_text("utf-8")]
    assert len(named) > 80
    assert sorted(missing) == []

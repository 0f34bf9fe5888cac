"""The documented matrix says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from inboxkit.providers.base import Feature
from inboxkit.providers.matrix import matrix, written
from inboxkit.providers.optional import Lookup
from inboxkit.providers.registry import PROVIDERS

FOLDER = Path(__file__).parents[2] / "docs" / "providers"


def test_the_page_has_the_matrix_of_today() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert written(page) == page, "run: python docs/providers/matrix.py"


def test_every_provider_has_a_column_and_every_feature_a_row() -> None:
    head, _, *rows = [line.split(" | ") for line in matrix().splitlines()]
    assert len(head) == len(PROVIDERS) + 1
    assert len(rows) == len(Feature) + 4
    assert {len(row) for row in rows} == {len(head)}


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_a_provider_that_can_be_asked_says_so(name: str) -> None:
    provider = PROVIDERS[name]
    assert isinstance(provider, Lookup) == (Feature.LOOKUP in provider.capabilities)


@pytest.mark.parametrize("name", sorted(set(PROVIDERS) - {"memory", "smtp"}))
def test_every_vendor_has_a_page_with_its_set_up(name: str) -> None:
    page = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    steps = page.partition("## Set-up in five steps")[2].partition("## ")[0]
    assert [f"{n}. " in steps for n in range(1, 6)] == [True] * 5


def test_a_page_is_written_anew() -> None:
    page = written("# A\n<!-- matrix: begin -->\nold\n<!-- matrix: end -->\nB\n")
    assert page.startswith("# A\n<!-- matrix: begin -->\n|  | [agentmail]")
    assert page.endswith("|\n<!-- matrix: end -->\nB\n")


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="has no <!-- matrix"):
        written("# A")

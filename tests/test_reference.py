"""``docs/reference.md`` says what the code says, and every public name says what it is for."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from . import reference

PAGE = reference.page()


def test_the_page_is_that_of_today() -> None:
    written = reference.PAGE.read_text(encoding="utf-8")
    assert written == PAGE, "run: python -m tests.reference"


@pytest.mark.parametrize("package", reference.PACKAGES)
def test_every_public_name_is_on_the_page(package: str) -> None:
    part = PAGE.partition(f"## {package}\n")[2].partition("\n## ")[0]
    assert re.findall("^### (.*)$", part, re.MULTILINE) == import_module(package).__all__


def test_every_name_and_every_method_is_explained() -> None:
    parts = (part.splitlines() for part in PAGE.split("\n### ")[1:])
    types = ("Pattern", "On")  # the aliases, which are what they are
    assert [part[0] for part in parts if not (part[0].startswith(types) or part[4])] == []
    methods = re.findall(r"^- `(?:async )?\w+\(.*?\) -> .*?`(.*)$", PAGE, re.MULTILINE)
    assert len(methods) > 80
    assert [text for text in methods if not re.fullmatch(r": .{10,}\.", text)] == []


def test_the_public_attributes_are_those_of_the_classes() -> None:
    for package in reference.PACKAGES:
        for definition in reference.definitions(package):
            found = getattr(import_module(package), definition.name)
            if not isinstance(found, type):
                continue
            own = {n for n, v in vars(found).items() if not n.startswith("_") and callable(v)}
            part = PAGE.partition(f"\n### {definition.name}\n")[2].partition("\n### ")[0]
            assert own - {"model_config"} <= set(re.findall(r"\w+", part)), definition.name


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Retries", "`Retries(attempts: int = 8, first: timedelta = timedelta(seconds=5), factor"),
        ("Reject", '`class Reject(Outcome)`: `Reject(reason: str = "")`'),
        ("InboxKit", "- `include(router: Router[[R]], /, *, resource: Opener[R]) -> None`: Add a "),
        ("InboxKit", "- `is_stopping: bool`: Whether"),
        ("Sandbox", "- `async settle(*, timeout: float = 10.0) -> None`: Return when"),
        ("Settings", '- `role: Sequence[str] = ("smtp", "http", "worker")`'),
        ("Thread", "- `async update(**state: Any) -> None`: Merge"),
        ("Router", "- `on_event(*types: EventType, tag: str = "),
        ("Pattern", '`Pattern = str | re.Pattern[str]`: a glob ("support@*") or a compiled regex'),
    ],
)
def test_what_is_written_of_a_name(name: str, line: str) -> None:
    part = PAGE.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
    assert any(found.startswith(line) for found in part.splitlines())


def test_the_words_in_signatures_are_explained() -> None:
    words = PAGE.partition("## Words in signatures\n")[2]
    assert "- `Recipients = str | Sequence[str]`" in words

"""Handlebars as Handlebars writes it: ``handlebars.json`` holds what version 4.7.10 gives."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inboxkit.templates.budget import TemplateError
from inboxkit.templates.handlebars import parse

CASES = json.loads(Path(__file__).with_name("handlebars.json").read_text(encoding="utf-8"))


def rendered(source: str, *, strict: bool = False, escape: bool = True, **variables: Any) -> str:
    return parse(source).render(variables, strict=strict, escape=escape)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["source"][:40])
def test_what_handlebars_gives(case: dict[str, Any]) -> None:
    assert parse(case["source"]).render(case["variables"]) == case["expected"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("a\n{{#if a}}", "line 2: if is not closed"),
        ("\n\n{{/if}}", "line 3: /if closes nothing"),
        ("{{#each a}}{{/if}}", "closes nothing"),
        ("{{else}}", "outside of a block"),
        ("{{> x}}", "partials"),
        ("{{lower a}}", "helpers are not supported"),
        ("{{#if (eq a b)}}{{/if}}", "line 1"),
        ("{{#if}}{{/if}}", "no block"),
        ("{{", "not closed"),
        ("{{!-- ", "not closed"),
        ("{{a..b}}", "cannot be read"),
        ("{{a=b}}", "cannot be read"),
        ("{{#if a}}" * 60, "nested deeper"),
        ("x" * 200_000, "longer than"),
    ],
    ids=lambda value: value[:20],
)
def test_what_cannot_be_read_is_named(source: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        parse(source)


def test_strict_names_what_is_missing_and_conditions_may_ask() -> None:
    with pytest.raises(TemplateError, match=r"user\.name is not given"):
        rendered("{{user.name}}", strict=True, user={})
    assert rendered("{{#if x}}a{{else}}b{{/if}}{{y}}", strict=True, y=None) == "b"
    assert rendered("{{user.name}}.") == "."


def test_nothing_of_python_is_in_reach() -> None:
    assert rendered("{{a.__class__}}{{a.keys}}{{b.upper}}{{b.0}}", a={}, b="x") == ""


def test_plain_text_is_not_escaped() -> None:
    assert rendered("{{a}} & {{a}}", escape=False, a="<b>") == "<b> & <b>"


@pytest.mark.parametrize("inner", ["x", "{{@root.long}}"], ids=["steps", "characters"])
def test_what_grows_without_end_is_stopped(inner: str) -> None:
    shared: Any = ["x"] * 100
    for _ in range(3):
        shared = [shared] * 100
    source = "{{#each a}}" + "{{#each this}}" * 3 + inner + "{{/each}}" * 4
    begun = time.process_time()
    with pytest.raises(TemplateError, match="more than"):
        rendered(source, a=shared, long="b" * 1_000_000)
    assert time.process_time() - begun < 10


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='{}#/^&!~ab.@[]|"\n\\ else', max_size=60))
def test_any_text_is_a_template_or_an_error(source: str) -> None:
    try:
        assert isinstance(rendered(source, a=[1, {"b": 2}], b="x"), str)
    except TemplateError as error:
        assert str(error)


PIECES = ("{{", "{{a", "{{!--", "{{#a}}{{/a}}", "\\{{", "{{~", "{{a.[", " {{!}}\n", "a ", "a[")


@pytest.mark.parametrize("piece", PIECES)
def test_reading_takes_linear_time(piece: str) -> None:
    begun = time.process_time()
    for source in (piece * (40_000 // len(piece)), f"{{{{{piece * 20_000}}}}}"):
        with suppress(TemplateError):
            parse(source)
    assert time.process_time() - begun < 10

"""Jinja2 for mails: what is let through, and that nothing else is."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inboxkit.templates import jinja
from inboxkit.templates.budget import TemplateError

ITEMS = [{"n": 1, "t": "a"}, {"n": 2, "t": "b"}]


def rendered(source: str, *, strict: bool = False, escape: bool = True, **variables: Any) -> str:
    return jinja.render(source, variables, strict=strict, escape=escape)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Hi {{ name }}!", "Hi &lt;Ann&gt;!"),
        (
            "{% for i in items %}{{ loop.index }}{{ i.t }}{{ ',' if not loop.last }}{% endfor %}",
            "1a,2b",
        ),
        ("{% for i in items if i.n > 1 %}{{ i.t }}{% else %}-{% endfor %}", "b"),
        ("{% if items|length == 2 and 'x' not in name %}y{% elif a %}n{% endif %}", "y"),
        ("{% set total = 2 * 3 + 1 %}{{ total / 2 }}", "3.5"),
        ("{{ 'a' ~ name|upper }} {{ 'a' + 'b' }}", "a&lt;ANN&gt; ab"),
        ("{{ ['a', 'b']|join('-') }} {{ missing.x|default('d') }}", "a-b d"),
        ("{{ items[0].t }}{{ items[-1]['t'] }}{{ name[1:4] }}", "abAnn"),
        ("{{ o.k and nothing }}{{ true }}{{ 1.50 }}\n", "True1.5\n"),
        ("{% for k, v in o.items() %}{% endfor %}", None),
        ("{% for k, v in o|items %}{{ k }}={{ v }}{% endfor %}", "k=1"),
    ],
    ids=str,
)
def test_what_mails_need(source: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(TemplateError, match="Call"):
            rendered(source, o={})
    else:
        assert rendered(source, name="<Ann>", items=ITEMS, o={"k": 1}, nothing=None) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{{ x() }}",
        "{{ ''.join(a) }}",
        "{{ ''.__class__.__mro__() }}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'a' %}",
        "{% import 'a' as b %}",
        "{% extends 'a' %}",
        "{% block a %}{% endblock %}",
        "{% set a %}x{% endset %}",
        "{% filter upper %}x{% endfilter %}",
        "{% call x() %}{% endcall %}",
        "{% set a = [b, b] %}",
        "{% set a = {'b': b} %}",
        "{% for a in b recursive %}{% endfor %}",
        "{{ a|center(9) }}",
        "{{ a|attr('b') }}",
        "{{ a|map('b') }}",
        "{{ a|join(*b) }}",
        "{{ a is callable }}",
        "{{ 2 ** 9 }}",
        "{{ a",
        "{% if %}",
        "{% endfor %}",
        "{{ " + "(" * 5_000 + ")" * 5_000 + " }}",
        "{% raw %}" + "x" * 200_000,
    ],
    ids=lambda source: source[:30],
)
def test_what_is_not_let_through_is_refused_when_it_is_stored(source: str) -> None:
    with pytest.raises(TemplateError):
        jinja.check(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 1000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
        "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a + a %}" * 40 + "{{ a }}",
        "{% set a = 9 %}" + "{% set a = a * a %}" * 40 + "{{ a }}",
        "{% for a in items %}" * 9 + "x" + "{% endfor %}" * 9,
        "{{ items|join(long) }}",
        "{{ items }}",
        "{{ 1 / 0 }}",
        "{{ 'x' < 1 }}",
        "{{ items.x.y|round }}{{ name|int + name }}",
    ],
    ids=lambda source: source[:40],
)
def test_what_would_cost_too_much_or_fails_is_an_error(source: str) -> None:
    begun = time.process_time()
    with pytest.raises(TemplateError):
        rendered(source, items=["i"] * 30, long="l" * 200_000, name="n")
    assert time.process_time() - begun < 10


def test_strict_names_what_is_missing() -> None:
    with pytest.raises(TemplateError, match="'name' is undefined"):
        rendered("{{ name }}", strict=True)
    assert rendered("{{ name is defined }}", strict=True) == "False"


@pytest.mark.parametrize(
    "source",
    ["{{ a.__class__ }}", "{{ a._x }}", "{{ range }}{{ cycler }}", "{{ b.__init__.__globals__ }}"],
)
def test_nothing_of_python_is_in_reach(source: str) -> None:
    assert rendered(source, a="x", b={}) == ""


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="{}%#ab.|~()[]'\" \nfori", max_size=50))
def test_any_text_is_a_template_or_an_error(source: str) -> None:
    try:
        assert isinstance(rendered(source, a=[1], b="x"), str)
    except TemplateError as error:
        assert str(error)

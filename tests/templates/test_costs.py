"""What a hostile template may cost: every filter, test, operator and loop has its bound."""

from __future__ import annotations

from typing import Any

import pytest

from inboxkit.templates import jinja
from inboxkit.templates.budget import TemplateError
from inboxkit.templates.costs import COMPARISONS, FILTERS, TESTS
from inboxkit.templates.handlebars import parse
from inboxkit.templates.rendering import HANDLEBARS, Sources, check, render

HANDLES, LONG, NUMBERS = "handles more", "more than 2097152 characters", "is for numbers"
STEPS, LIST, MEMBERS = "more than 20000 steps", "a list is needed", "a list has more"
DIGITS, OBJECT = "a number has more than 400", "a list or an object cannot be written"

TEXT = "a -" * 100_000
VARIABLES = {
    "a": TEXT,
    "b": TEXT[:-1] + "y",  # as long, and alike but for its end
    "c": TEXT[: len(TEXT) // 2] + "y",
    "huge": "x" * 3_000_000,
    "zeros": [0] * 10_000,
    "texts": [TEXT + str(number) for number in range(6)],
    "many": [0] * 70_000,
    "lists": [[0]] * 10_000,
    "rows": [{"n": {"m": 1}}] * 10_000,
    "big": 10**4_000,
    "object": {str(number): TEXT for number in range(50)},
}


def failed(source: str, *, escape: bool = False) -> str:
    """Return why a template cannot be rendered."""
    with pytest.raises(TemplateError) as caught:
        jinja.render(source, VARIABLES, strict=False, escape=escape)
    return str(caught.value)


def again(expression: str) -> str:
    return "{% for i in zeros %}{% set x = " + expression + " %}{% endfor %}"


OF_FILTERS = {
    "abs": [("{{ big|abs }}", NUMBERS), ("{{ a|abs }}", NUMBERS)],
    "capitalize": [(again("a|capitalize"), HANDLES), ("{{ huge|capitalize }}", LONG)],
    "e": [(again("a|e"), HANDLES), ("{{ huge|e }}", LONG)],
    "escape": [(again("a|escape"), HANDLES), ("{{ lists|escape }}", OBJECT)],
    "float": [("{{ a|float }}", DIGITS)],
    "int": [("{{ a|int(base=16) }}", DIGITS), ("{{ '1'|int(0, big) }}", NUMBERS)],
    "items": [(again("object|items"), HANDLES), ("{{ many|items }}", MEMBERS)],
    "join": [
        ("{{ zeros|join(a) }}", LONG),
        ("{{ lists|join }}", OBJECT),
        (again("texts|join"), HANDLES),
        ("{{ a|join(a) }}", MEMBERS),
        (again("zeros|join"), HANDLES),
        ("{{ zeros|join(attribute=a) }}", "attribute has more"),
        ("{{ rows|join(attribute='n.m.n.m.n.m.n.m.n.m') }}", "attribute is for"),
    ],
    "list": [("{{ a|list }}", MEMBERS), (again("zeros|list"), HANDLES)],
    "lower": [(again("a|lower"), HANDLES), ("{{ huge|lower }}", LONG)],
    "max": [(again("texts|max"), HANDLES), ("{{ many|max }}", MEMBERS)],
    "min": [(again("texts|min"), HANDLES), (again("rows|min(attribute='n.m')"), HANDLES)],
    "reverse": [(again("a|reverse"), HANDLES), (again("zeros|reverse"), HANDLES)],
    "round": [
        ("{{ 1|round(8000000, 'ceil') }}", "15 places"),
        ("{{ 1|round(-8000000) }}", "15 places"),
        ("{{ 1|round(precision=16, method='floor') }}", "15 places"),
        ("{{ 1|round(big) }}", NUMBERS),
        ("{{ big|round(2, 'ceil') }}", NUMBERS),
    ],
    "sort": [
        (again("texts|sort"), HANDLES),
        ("{{ rows|sort(attribute='" + "n," * 45 + "') }}", "attribute is for"),
        ("{{ rows|sort(attribute=a) }}", "attribute has more"),
    ],
    "string": [(again("a|string"), HANDLES), ("{{ lists|string }}", OBJECT)],
    "sum": [
        ("{{ lists|sum(start=[]) }}", NUMBERS),
        ("{{ texts|sum(start='') }}", NUMBERS),
        (again("zeros|sum"), HANDLES),
        ("{{ [1]|sum(start=big) }}", NUMBERS),
    ],
    "title": [(again("a|title"), HANDLES), ("{{ huge|title }}", LONG)],
    "trim": [(again("a|trim"), HANDLES), ("{{ a|trim(b) }}", HANDLES)],
    "unique": [(again("texts|unique"), HANDLES), (again("zeros|unique"), HANDLES)],
    "upper": [(again("a|upper"), HANDLES), ("{{ a" + "|upper" * 70 + " }}", HANDLES)],
    "urlencode": [
        (again("a|urlencode"), HANDLES),
        ("{{ object|urlencode }}", HANDLES),
        ("{{ lists|urlencode }}", "not enough values"),
        ("{{ a.upper|urlencode }}", OBJECT),
    ],
    "wordcount": [(again("a|wordcount"), HANDLES), ("{{ huge|wordcount }}", LONG)],
}
FREE_FILTERS = {"count", "d", "default", "first", "last", "length"}

OF_TESTS = {
    **{name: [(again(f"a is {name} b"), HANDLES)] for name in ("eq", "ne")},
    **{name: [(again(f"texts is {name} texts"), HANDLES)] for name in ("gt", "ge", "lt", "le")},
    "divisibleby": [
        ("{{ '%1000000000d' is divisibleby 1 }}", NUMBERS),
        ("{{ big is divisibleby big }}", NUMBERS),
    ],
    "even": [("{{ '%1000000000d' is even }}", NUMBERS)],
    "odd": [("{{ '%1000000000d' is odd }}", NUMBERS)],
    "in": [(again("c is in a"), HANDLES), (again("a is in texts"), HANDLES)],
    "lower": [(again("a is lower"), HANDLES)],
    "upper": [(again("a is upper"), HANDLES), ("{{ lists is upper }}", OBJECT)],
}
FREE_TESTS = {
    *("boolean", "defined", "false", "float", "integer", "iterable", "mapping", "none"),
    *("number", "sequence", "string", "true", "undefined"),
}

OF_COMPARISONS = {
    "eq": [(again("a == b"), HANDLES), (again("texts == texts"), HANDLES)],
    "ne": [(again("a != b"), HANDLES), (again("object != object"), HANDLES)],
    "gt": [(again("1 < 2 and b > a"), HANDLES)],
    "gteq": [(again("a >= b"), HANDLES)],
    "lt": [(again("0 < 1 < 2 and a < b"), HANDLES)],
    "lteq": [(again("'' <= a <= b"), HANDLES)],
    "in": [(again("c in a"), HANDLES), (again("a in texts"), HANDLES)],
    "notin": [(again("c not in a"), HANDLES), (again("1 not in zeros"), HANDLES)],
}

OF_OPERATORS = {
    "+": [("{{ " + "+".join(["a"] * 8) + " }}", LONG), ("{{ big + 1 }}", NUMBERS)],
    "-": [("{{ 1 - big }}", NUMBERS)],
    "*": [("{{ a * 1000000 }}", NUMBERS), ("{{ zeros * 2 }}", NUMBERS)],
    "/": [("{{ big / 2 }}", NUMBERS)],
    "//": [("{{ big // 3 }}", NUMBERS)],
    "%": [("{{ '%1000000000d' % 1 }}", NUMBERS), ("{{ big % 3 }}", NUMBERS)],
    "**": [("{{ 2 ** 9 }}", "Pow is not supported")],
    "~": [
        ("{{ " + "~".join(["a"] * 1_000) + " }}", LONG),
        ("{% for i in a ~ huge %}{% endfor %}", LONG),
        ("{% for i in [1] if " + "~".join(["a"] * 1_000) + " %}{% endfor %}", LONG),
        ("{% if " + "~".join(["a"] * 1_000) + " %}{% endif %}", LONG),
        (again("a ~ b"), HANDLES),
        ("{{ lists ~ '' }}", OBJECT),
    ],
    "slice": [
        ("{{ " + "~".join(["a[1:]"] * 500) + " }}", HANDLES),
        ("{% set x = huge[1:] %}", LONG),
        (again("zeros[1:]"), HANDLES),
    ],
    "for": [
        ("{% for i in a %}{% endfor %}", MEMBERS),
        ("{% for i in many %}{% endfor %}", MEMBERS),
        ("{% for i in zeros %}{% for j in zeros %}{% endfor %}{% endfor %}", STEPS),
        ("{% for i in zeros %}" + "{% if a.b %}{% endif %}" * 500 + "{% endfor %}", STEPS),
        ("{% for i in zeros %}{{ loop|list }}{% endfor %}", LIST),
        ("{% for i in zeros %}" + "x" * 1_000 + "{% endfor %}", LONG),
    ],
    "output": [("{{ huge }}", LONG), ("{{ big }}{{ lists }}", OBJECT), ("{{ a }}" * 8, LONG)],
}
TABLE = {"filter": OF_FILTERS, "test": OF_TESTS, "compare": OF_COMPARISONS, "": OF_OPERATORS}
CASES = [
    pytest.param(source, said, id=f"{kind} {name} {number}")
    for kind, table in TABLE.items()
    for name, cases in table.items()
    for number, (source, said) in enumerate(cases)
]


@pytest.mark.parametrize(("source", "said"), CASES)
def test_what_is_hostile_is_ended_before_it_costs_much(source: str, said: str) -> None:
    for why in (failed(source), failed(source, escape=True)):
        assert said in why or "of CPU" in why  # on a machine that is busy


def test_every_filter_test_and_comparison_is_in_the_table() -> None:
    assert set(FILTERS) == set(OF_FILTERS) | FREE_FILTERS
    assert set(TESTS) == set(OF_TESTS) | FREE_TESTS
    assert set(COMPARISONS) == set(OF_COMPARISONS)


def test_what_is_escaped_counts_as_it_is_written() -> None:
    source = "{{ t }}"
    jinja.render(source, {"t": "&" * 1_000_000}, strict=False, escape=False)
    with pytest.raises(TemplateError, match=LONG):
        jinja.render(source, {"t": "&" * 1_000_000}, strict=False, escape=True)


def test_what_costs_nothing_may_be_asked_often() -> None:
    source = (
        "{% for i in rows %}{{ loop.last and (texts|length == 6 and texts != []) }}{% endfor %}"
    )
    rows = {**VARIABLES, "rows": [0] * 3_000}
    assert jinja.render(source, rows, strict=False, escape=False).endswith("FalseTrue")


@pytest.mark.parametrize(
    ("source", "value", "said"),
    [
        ("{{a}}", "x" * 3_000_000, LONG),
        ("{{a}}", [["x" * 1_000] * 1_000] * 3, LONG),
        ("{{#each b}}{{../a}}{{/each}}", "x" * 300_000, LONG),
        ("{{#each b}}{{#if a}}{{/if}}{{/each}}", [0], STEPS),
    ],
    ids=["text", "list", "often", "steps"],
)
def test_handlebars_has_the_same_bounds(source: str, value: Any, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        parse(source).render({"a": value, "b": [0] * 20_000})


def test_handlebars_writes_lists_however_deep_they_are() -> None:
    deep: Any = ["x", []]
    for _ in range(5_000):
        deep = [deep, 1]
    assert parse("{{a}}").render({"a": deep}).startswith("x,,1,1")


@pytest.mark.parametrize("engine", ["jinja", HANDLEBARS])
def test_the_parts_of_a_mail_share_its_bounds(engine: str) -> None:
    headers = {f"X-{number}": "{{ a }}" for number in range(10)}
    with pytest.raises(TemplateError, match=LONG):
        render(Sources(engine=engine, headers=headers), VARIABLES, strict=False)
    check(Sources(engine=engine, headers=headers))
    with pytest.raises(TemplateError, match="headers: are longer"):
        check(Sources(engine=engine, headers=dict.fromkeys(headers, "x" * 20_000)))

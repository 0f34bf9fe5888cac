"""CSS selectors: what is read, and which elements they fit."""

from __future__ import annotations

import pytest

from inboxkit.parsing.selectors import parse, words


@pytest.mark.parametrize(
    ("selector", "tag", "attributes", "fits"),
    [
        ("p", "p", {}, True),
        ("p", "b", {}, False),
        ("*", "b", {}, True),
        (".a.b", "p", {"class": "b x A"}, True),
        (".a.b", "p", {"class": "a"}, False),
        ("p#i", "p", {"id": "i"}, True),
        ("p#i", "p", {"class": "i"}, False),
        ("[hidden]", "p", {"hidden": ""}, True),
        ("[class=a]", "p", {"class": "a b"}, False),
        ("[class~='a']", "p", {"class": "b a"}, True),
        ('[class^="pre"]', "p", {"class": "preheader"}, True),
        ('[class$="er"]', "p", {"class": "preheader"}, True),
        ('[style*="x y"]', "p", {"style": "a x y b"}, True),
        ("[lang|=de]", "p", {"lang": "de-AT"}, True),
        ("[class*='']", "p", {"class": "a"}, False),
    ],
)
def test_an_element_fits(
    selector: str, tag: str, attributes: dict[str, str], *, fits: bool
) -> None:
    (compound,) = parse(selector)

    assert compound.fits(tag, attributes) is fits
    assert compound.key in ("*", tag, *words(attributes)) or not fits


@pytest.mark.parametrize("selector", [".a .b", ".a>.b", ".a > .b", "div.a   p.b"])
def test_elements_inside_others_are_read_from_the_outermost(selector: str) -> None:
    outer, inner = parse(selector)

    assert ([*outer.words], [*inner.words]) == ([".a"], [".b"])


@pytest.mark.parametrize(
    "selector",
    ["", "a:hover", "p::before", "a + b", "a ~ b", "[", "[a=", "a[b=c", "p..a", "&", "a b " * 9],
)
def test_what_depends_on_more_is_not_read(selector: str) -> None:
    assert parse(selector) == ()

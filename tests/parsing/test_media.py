"""Which rules of a style sheet apply to a mail on a wide, light screen."""

from __future__ import annotations

import pytest

from inboxkit.parsing.media import rules


@pytest.mark.parametrize(
    ("query", "applies"),
    [
        ("all", True),
        ("screen", True),
        ("only screen and (min-width: 480px)", True),
        ("print, screen", True),
        ("not print", True),
        ("(min-width:20em) and (max-width:200em)", True),
        ("(min-device-width:1px)", True),
        ("(-webkit-min-device-pixel-ratio:0)", True),
        ("(prefers-color-scheme: light)", True),
        ("print", False),
        ("(max-width:600px)", False),
        ("screen and (max-device-width: 480px)", False),
        ("(min-width:2000px)", False),
        ("(prefers-color-scheme: dark)", False),
        ("(orientation: portrait)", False),
        ("(nonsense)", False),
        ("", False),
    ],
)
def test_a_media_query(query: str, *, applies: bool) -> None:
    assert bool(list(rules(f"@media {query}{{p{{color:red}}}}"))) is applies


@pytest.mark.parametrize(
    ("css", "expected"),
    [
        ("a{b:c} d , e {f:g}", [("a", "b:c"), ("d , e", "f:g")]),
        ("/* a{b:c} */ d{e:f}", [("d", "e:f")]),
        ("<!-- a{b:c} -->", [("a", "b:c")]),
        ("@import url(x); a{b:c}", [("a", "b:c")]),
        ("@font-face{b:c} @keyframes x{from{b:c}} a{d:e}", [("a", "d:e")]),
        ("@media screen{@supports (a:b){c{d:e}}} f{g:h}", [("c", "d:e"), ("f", "g:h")]),
        ("@media print{@media all{a{b:c}}}", []),
        ("@supports not (a:b){c{d:e}}", []),
        ("}} a{b:c", []),
    ],
)
def test_rules_that_apply(css: str, expected: list[tuple[str, str]]) -> None:
    assert [(name, body.strip()) for name, body in rules(css)] == expected

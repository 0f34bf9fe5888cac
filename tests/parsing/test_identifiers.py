"""Message ids among junk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.identifiers import parse, references


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<a@b> <c@d>", ("<a@b>", "<c@d>")),
        ("<a@b>,<c@d>\r\n <a@b>", ("<a@b>", "<c@d>")),
        ("< a @b >", ("<a@b>",)),
        ('Your message of "Mon" <a@b> to x@y', ("<a@b>",)),
        ("a@b c@d", ("<a@b>", "<c@d>")),
        ("20240514.1", ("<20240514.1>",)),
        ("ann@example.com wrote", ()),
        ("<a@b", ("<a@b>",)),
        ("<<<", ()),
        (f"<{'a' * 999}@b>", ()),
    ],
    ids=lambda value: str(value)[:20],
)
def test_ids_are_found(value: str, expected: tuple[str, ...]) -> None:
    assert parse(value) == expected


def test_what_only_in_reply_to_names_comes_last() -> None:
    assert references(("<a@x> <b@x>",), ("<b@x> <c@x>",)) == ("<a@x>", "<b@x>", "<c@x>")


@given(st.text(alphabet="<>ab@ ,\n", max_size=60))
def test_any_value_gives_bracketed_ids(value: str) -> None:
    for found in parse(value):
        assert found[0] == "<"
        assert found[-1] == ">"
        assert len(found.split()) == 1


@given(st.text(alphabet="<>@ab. \t", max_size=12))
def test_one_id_alone_is_read_as_among_others(text: str) -> None:
    assert parse(f"<{text}>") == parse(f"<{text}> ")

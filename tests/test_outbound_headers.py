"""Header lines as they go out: folded, encoded, and refused when they would read otherwise."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.outbound_headers import (
    Field,
    addresses,
    custom,
    header_block,
    message_ids,
    parametrized,
    unstructured,
)
from inboxkit.values import Address


@pytest.mark.parametrize(
    "fields",
    [
        [("X", "a\r\nBcc: eve@far.example")],
        [("X", "a\nBcc: eve@far.example")],
        [("X", "a\r\n\r\nbody")],
        [("X", "a\r\n")],
        [("X\r\nBcc", "a")],
        [("X", "a\rb")],
        [("X", "a\0b")],
        [("X", "ü")],
        [("X", "a" * 1_000)],
        [("", "a")],
    ],
    ids=["crlf", "lf", "end of head", "last line", "name", "cr", "nul", "8bit", "long", "nameless"],
)
def test_block_that_would_read_otherwise_is_refused(fields: list[Field]) -> None:
    with pytest.raises(ValueError, match="would not be read"):
        header_block(fields)


def test_block_ends_with_an_empty_line() -> None:
    fields = [("Subject", ""), ("X", "a\r\n b")]

    assert header_block(fields) == b"Subject:\r\nX: a\r\n b\r\n\r\n"


@pytest.mark.parametrize(
    "field",
    [
        unstructured("Subject", "words " * 100 + "end"),
        unstructured("Subject", "Grüße an alle " * 30),
        unstructured("Subject", "水泵" * 100),
        custom("List-Unsubscribe", ", ".join(["<https://shop.example/u/1234567890>"] * 8)),
        addresses("To", [Address(f"person{n}@home.example", f"Person {n}") for n in range(30)]),
        addresses("Reply-To", [Address("a@b.example", "Señora " * 20)]),
        message_ids("References", [f"<{n:020}@mail.home.example>" for n in range(20)]),
        parametrized("Content-Disposition", "attachment", [("filename", "ü" * 200)]),
        parametrized("Content-Disposition", "attachment", [("filename", "a" * 200)]),
    ],
    ids=lambda field: field[0],
)
def test_no_line_is_longer_than_76_characters(field: Field) -> None:
    lines = header_block([field]).decode().rstrip().split("\r\n")

    assert len(lines) > 1
    assert max(map(len, lines)) <= 76
    assert all(line.startswith(" ") and line.strip() for line in lines[1:])


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("", "a@b.example"),
        ("Ann Smith", "Ann Smith <a@b.example>"),
        ("Smith, Ann", '"Smith, Ann" <a@b.example>'),
        ('The "A" \\ Team', '"The \\"A\\" \\\\ Team" <a@b.example>'),
        ("Zoë", "=?utf-8?q?Zo=C3=AB?= <a@b.example>"),
        ("李雷", "=?utf-8?b?5p2O6Zu3?= <a@b.example>"),
        ("a\r\n b", "a b <a@b.example>"),
    ],
)
def test_display_name_is_written_as_its_characters_need(name: str, written: str) -> None:
    assert addresses("To", [Address("a@b.example", name)]) == ("To", written)


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=300))
def test_words_are_encoded_without_splitting_a_character(text: str) -> None:
    _, value = unstructured("Subject", f"ü{text}")

    words = value.split("\r\n ")
    assert all(word.startswith("=?utf-8?") and len(word) <= 75 for word in words)


@pytest.mark.parametrize("words", ["水a ", "=?a"])
def test_long_subject_costs_little(words: str) -> None:
    start = time.process_time()

    header_block([unstructured("Subject", words * 60_000)])

    assert time.process_time() - start < 2

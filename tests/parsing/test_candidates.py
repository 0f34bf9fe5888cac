from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.candidates import candidates, letter_candidates


def values(text: str) -> list[str]:
    return [candidate.value for candidate in candidates(text)]


SHAPES: dict[str, tuple[str, list[str]]] = {
    "digits": ("a 482913 b", ["482913"]),
    "too short": ("a 482 b", []),
    "too long": ("a 48291377123 b", []),
    "two groups": ("482 913", ["482913"]),
    "groups of a phone": ("040 555 0199", []),
    "single": ("4 8 2 9", ["4829"]),
    "mixed": ("a K7R2P b", ["K7R2P"]),
    "dashed": ("a Z8E-V67 b", ["Z8E-V67"]),
    "five groups": ("8F3K2-99QWE-77123-LLPQA-00213", []),
    "price": ("12,480.00 4829.50", []),
    "currency": ("€4829 4829 €", []),
    "percent": ("4829 %", []),
    "date": ("2026-03-14 14.03.2026", []),
    "day and year": ("14 March 2026", []),
    "years": ("2011-2026", []),
    "time": ("18:45", []),
    "ip": ("203.0.113.77", []),
    "hash": ("#482913", []),
    "measure": ("4829px 500mb 25th", []),
    "name": ("Chrome141 rfc6238 Windows11", []),
    "address": ("https://x.example/482913 a482913@x.example", []),
    "cells": ("x\n4\n8\nK\n9\ny", ["48K9"]),
    "after a name": ("code:482913 otp=771204", ["482913", "771204"]),
}


@pytest.mark.parametrize(("text", "expected"), SHAPES.values(), ids=SHAPES.keys())
def test_what_has_the_shape_of_a_code(text: str, expected: list[str]) -> None:
    assert values(text) == expected


LETTERS: dict[str, tuple[str, list[str]]] = {
    "alone": ("Your code:\n\nHQZKTM\n", ["HQZKTM"]),
    "after a colon": ("Your code: WDJB-MJHT", ["WDJB-MJHT"]),
    "first": ("RWT-QPL is your code", ["RWT-QPL"]),
    "words": ("Use this:\n\nplum-otter-harbor", ["plum-otter-harbor"]),
    "uneven": ("Your code:\n\nkTbWqZ", ["kTbWqZ"]),
    "a word alone": ("Hello\n\nThanks\n\nAnn", []),
    "in a sentence": ("We met at NASA today", []),
}


@pytest.mark.parametrize(("text", "expected"), LETTERS.values(), ids=LETTERS.keys())
def test_letters_are_taken_where_codes_stand(text: str, expected: list[str]) -> None:
    assert [candidate.value for candidate in letter_candidates(text)] == expected


def test_the_place_of_a_candidate_is_that_of_its_characters() -> None:
    text = "«Code: (X7K-29Q)»"

    found = next(candidates(text))

    assert text[found.start : found.end] == found.value == "X7K-29Q"


def test_a_flood_of_numbers_is_cut() -> None:
    assert len(values("482913\n" * 10_000)) < 100


@given(st.text(alphabet="0123 .,-AB\n", max_size=80))
def test_ascii_text_is_searched_like_any_other(text: str) -> None:
    # The word at the end, on a line of its own, only keeps the way for ASCII away.
    assert list(candidates(text)) == list(candidates(f"{text}\n\nю"))

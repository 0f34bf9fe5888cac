from __future__ import annotations

import pytest

from inboxkit.parsing import surroundings


def place(text: str, value: str = "4829") -> tuple[int, int]:
    start = text.index(value)
    return start, start + len(value)


LONG = "We ask you to enter this on the page: your code"
BEFORE = {
    "sentence": ("Hello. Your code is 4829.", "Your code is "),
    "line": ("Hello\nCode: 4829", "Code: "),
    "wrapped": (f"{LONG}\nis 4829", f"{LONG}\nis "),
    "not wrapped": ("Short line\nis 4829", "is "),
    "cjk": ("您好。验证码4829", "验证码"),
}


@pytest.mark.parametrize(("text", "expected"), BEFORE.values(), ids=BEFORE.keys())
def test_the_sentence_before(text: str, expected: str) -> None:
    assert surroundings.before(text, place(text)[0]) == expected


BEHIND = {
    "sentence": ("4829 is your code. It expires", " is your code"),
    "line": ("4829 is it\nOrder 5", " is it"),
    "wrapped": (f"{LONG} 4829 is\nyour code", " is your code"),
}


@pytest.mark.parametrize(("text", "expected"), BEHIND.values(), ids=BEHIND.keys())
def test_the_sentence_behind(text: str, expected: str) -> None:
    assert surroundings.behind(text, place(text)[1]) == expected


def test_the_sentence_before_that_one() -> None:
    text = "Hello.\n\nSomebody signs in. Is it you? Enter 4829."

    assert surroundings.previous_sentence(text, place(text)[0]) == "Is it you? "
    assert surroundings.previous_sentence("Enter 4829", 6) == ""


def test_decoration_leaves_a_value_alone() -> None:
    assert surroundings.is_alone("a\n | **4829** | \nb", *place("a\n | **4829** | \nb"))
    assert not surroundings.is_alone("a\nno 4829\nb", *place("a\nno 4829\nb"))


def test_lines_above_and_below_skip_what_holds_no_words() -> None:
    text = "one\n\ntwo\n----\n\nthree\n\n4829\n\n***\nfour\nfive\nsix"

    assert surroundings.above(text, place(text)[0]) == "one\ntwo\nthree"
    assert surroundings.below(text, place(text)[1]) == "four\nfive"


def test_a_label_is_short_or_ends_in_a_colon() -> None:
    long = "a long sentence that says where the number comes from"

    assert surroundings.label_above("Order\n4829", 6) == "Order"
    assert surroundings.label_above(f"{long}\n4829", len(long) + 1) == ""
    assert surroundings.label_above(f"{long}:\n4829", len(long) + 2) == f"{long}:"


def test_a_list_above_ends_at_a_blank_line() -> None:
    assert surroundings.list_above("a\n\nb\nc\nPIN: 4829", 9) == "b\nc"

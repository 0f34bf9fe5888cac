"""Marks of phrases: what one mail says and another quotes."""

from __future__ import annotations

import time

import pytest

from inboxkit.quotations import is_quoted, quotation_marks

SAID = """Dear all,

the pump in the cellar leaks again since the frost, and nobody answers the phone.
Could somebody come and look at it?

Ann"""


def marks(text: str, new: str = "", *, is_reply: bool = True) -> tuple[set[str], set[str]]:
    own, quoted = quotation_marks(text, new, is_reply=is_reply)
    return set(own), set(quoted)


@pytest.mark.parametrize(
    "quoting",
    [
        "> the pump in the cellar leaks again since the frost, and nobody",
        "> the pump in the\n> cellar leaks again\n> since the frost,\n",
        ">> the pump in the cellar leaks again since\n>> the frost, and\n",
        "> > The  pump in the cellar leaks again since the frost",
        " AM> the pump in the cellar leaks again since the frost",
        "________\nFrom: Ann\n\nthe pump in the cellar leaks again since the frost, and nobody",
        "> and nobody answers the phone\n\n...\n\n> could somebody come and look at it",
    ],
    ids=["as is", "wrapped", "deeper", "spaced", "initials", "without signs", "two short phrases"],
)
def test_quotation_is_found_in_what_was_said(quoting: str) -> None:
    own, _ = marks(SAID, SAID)
    _, quoted = marks(f"On Tuesday.\n\n{quoting}", "On Tuesday.")

    assert is_quoted(quoted, own)


@pytest.mark.parametrize(
    "other",
    ["> Could somebody come and look at it?", "> Dear all,", "> the garden", ""],
    ids=["one short phrase", "greeting", "something else", "nothing"],
)
def test_little_in_common_is_no_quotation(other: str) -> None:
    own, _ = marks(SAID, SAID)

    assert not is_quoted(marks(other)[1], own)


def test_same_words_said_twice_are_no_quotation() -> None:
    own, _ = marks(SAID, SAID)

    assert marks(SAID, SAID)[1] == set()
    assert not is_quoted(marks(SAID, SAID)[1], own)


def test_words_said_anew_do_not_count_as_quoted() -> None:
    said = "the pump in the cellar leaks again since the frost"

    assert marks(f"{said}\n> {said}", said) == (marks(said, said)[0], set())


def test_standing_text_of_a_machine_counts_only_in_a_reply() -> None:
    text = "Build 7 failed.\nYou get this mail because you watch the build of the cellar pump"

    assert marks(text, "Build 7 failed.", is_reply=False)[1] == set()
    assert marks(text, "Build 7 failed.", is_reply=True)[1] != set()


def test_nearest_mail_comes_first_among_the_quoted() -> None:
    text = ">> nobody had mentioned the broken window before\n> the glazier will come on Thursday"

    _, quoted = quotation_marks(text, "", is_reply=False)

    assert {quoted[0]} == marks("> the glazier will come on Thursday")[1]


def test_phrases_of_scripts_without_spaces_are_marked() -> None:
    own, _ = marks("地下室的水泵又漏水了，没有人接电话。", "地下室的水泵又漏水了，没有人接电话。")

    assert is_quoted(marks("> 地下室的水泵又漏水了，")[1] | marks("> 没有人接电话。")[1], own)


@pytest.mark.parametrize("unit", [">", "> ", "a ", "abcd>", "\n", "a\n", "(", "word word, ", "  >"])
def test_hostile_text_costs_little(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    start = time.process_time()

    own, quoted = quotation_marks(text, text, is_reply=True)

    assert time.process_time() - start < 5
    assert len(own) <= 32
    assert len(quoted) <= 96

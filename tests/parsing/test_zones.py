from __future__ import annotations

import pytest

from inboxkit.parsing.codewords import NOUN, PROOF, USE
from inboxkit.parsing.decoywords import LABEL, PERK
from inboxkit.parsing.zones import FAR, NOTHING, read_zone


def test_a_zone_says_what_its_words_mean() -> None:
    zone = read_zone("Enter the verification code")

    assert zone.has(USE)
    assert zone.has(PROOF)
    assert not zone.has(LABEL)


def test_gaps_are_counted_from_the_edges() -> None:
    zone = read_zone("a code is")

    assert zone.gap_left(NOUN) == len(" is")
    assert zone.gap_right(NOUN) == len("a ")
    assert zone.gap_left(LABEL) == FAR


def test_a_share_is_an_offer_in_any_language() -> None:
    assert read_zone("15% korting").has(PERK)
    assert read_zone("خصم ١٥٪").has(PERK)
    assert not read_zone("100 of them").has(PERK)


def test_words_that_say_nothing_of_codes_are_counted() -> None:
    assert read_zone("Warm up this autumn with code ").idle_words() == 1
    assert read_zone("Your verification code for Larkspur is ").idle_words() == 0


def test_no_text_is_no_zone() -> None:
    assert read_zone(" \n") is NOTHING


QUALIFIED = {
    "unknown word before": ("Your project code", True),
    "unknown compound": ("Ihr Ticketcode", True),
    "unknown word behind": ("Código de turno:", True),
    "known word before": ("Your login code", False),
    "known compound": ("Ihr Bestätigungscode", False),
    "known word behind": ("Código de seguridad:", False),
    "name": ("Your Kettle code", False),
    "possessive": ("This is your code", False),
    "copula": ("Dein Code lautet:", False),
    "no noun": ("Your project", False),
}


@pytest.mark.parametrize(("text", "other"), QUALIFIED.values(), ids=QUALIFIED.keys())
def test_an_unknown_word_beside_code_says_which_code(text: str, other: bool) -> None:
    assert read_zone(text).names_another_noun() is other

from __future__ import annotations

import pytest

from inboxkit.parsing.words import Lexicon, fold

NOUN, VERB = 1, 2
LEXICON = Lexicon(
    {NOUN: ("code_, mot de passe, 验证码, _کد_, कोड, id_",), VERB: ("bestätig, sign in",)},
    {0: ("dress code",)},
    endings=("code",),
    ending_meaning=NOUN,
)


def found(text: str) -> list[tuple[str, int]]:
    folded = fold(text)
    return [(folded[start:end], meaning) for start, end, meaning in LEXICON.scan(folded)]


FOLDED = {
    "case": ("CODE", "code"),
    "accents": ("Código", "codigo"),
    "hyphens": ("One-Time", "one time"),
    "line ends": ("one\n  time", "one time"),
    "letters of their own": ("Łódź Køb şifreniz Größe", "lodz kob sifreniz grosse"),
    "full width": ("ＣＯＤＥ", "code"),
}


@pytest.mark.parametrize(("text", "folded"), FOLDED.values(), ids=FOLDED.keys())
def test_text_is_folded_for_comparison(text: str, folded: str) -> None:
    assert fold(text) == folded


FOUND: dict[str, tuple[str, list[tuple[str, int]]]] = {
    "whole word": ("your code.", [("code", NOUN)]),
    "longer word": ("your codec", []),
    "inside a word": ("decode", []),
    "beginning": ("Bestätigung", [("bestatig", VERB)]),
    "compound": ("Bestätigungscode", [("bestatig", VERB), ("code", NOUN)]),
    "phrase": ("Please sign-in now", [("sign in", VERB)]),
    "phrase with a word missing": ("a sign of it", []),
    "words of three": ("Mot de passe", [("mot de passe", NOUN)]),
    "no spaces": ("您的验证码是", [("验证码", NOUN)]),
    "boundary in a glued script": ("کدام", []),
    "word in a glued script": ("این کد است", [("کد", NOUN)]),
    "vowel signs": ("आपका कोड है", [("कोड", NOUN)]),
    "two letters": ("id: 4", [("id", NOUN)]),
    "hollow phrase": ("the dress code is black", []),
}


@pytest.mark.parametrize(("text", "expected"), FOUND.values(), ids=FOUND.keys())
def test_words_are_found_by_their_beginning(text: str, expected: list[tuple[str, int]]) -> None:
    assert found(text) == expected


def test_a_flood_of_new_words_is_forgotten() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    flood = (f"a{x}{y}{z}" for x in letters for y in letters for z in letters)

    assert LEXICON.scan(" ".join(flood)) == []
    assert found("the code") == [("code", NOUN)]

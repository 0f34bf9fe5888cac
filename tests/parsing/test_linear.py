"""Hostile patterns: four times the size may take about four times as long, not sixteen."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING

import pytest

from inboxkit.parsing import addresses, headers, parameters, parse, tags
from inboxkit.parsing.hidden import visible_text
from inboxkit.parsing.html import to_text

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 4_000
ADDRESSES = {
    "open quote": ('"', "a ", "<a@b>"),
    "quotes": ("", '"', '" <a@b>'),
    "escaped quotes": ('"', '\\"', "<a@b>"),
    "open comments": ("", "(", ""),
    "nested comments": ("(" * 20_000, ")", "a@b"),
    "open brackets": ("", "<", ""),
    "open squares": ("", "[", ""),
    "commas": ("", ",", ""),
    "names": ("", "a,", "<"),
    "colons": ("", "a:", ""),
    "groups": ("", "g:;,", ""),
    "ats": ("", "a@", ""),
    "one word beside an at": ("@ ", "a", ""),
}
MARKUP = {
    "open comments": "<!--",
    "open tags": "<a ",
    "lone link ends": "x</a>",
    "quoted brackets": '<a x=">"',
    "open quotes": "<a x='>",
    "cdata": "<![CDATA[",
    "signs": "<",
    "entities": "&#x",
    "deep": "<div>",
    "wrong ends": "<i></b>",
    "tables": "<table><td>",
    "lists": "<ul><li>x",
    "quotations": "<blockquote class=quote>x",
    "attributes": "<p a=1 b='2'>",
    "styles": "<style>a{color:red}",
    "comments in styles": "<style>/*",
}
WORDS = {
    "words": "=?utf-8?q?=C3=A9?=",
    "starts": "=?utf-8?q?",
    "marks": "=?",
    "apart": "=?a?b?x ?= ",
}


def _grows_linearly(step: Callable[[int], object]) -> bool:
    def seconds(size: int) -> float:
        start = time.process_time()
        step(size)
        return time.process_time() - start

    small = min(seconds(SIZE) for _ in range(3))
    return any(seconds(4 * SIZE) < 9 * small + 0.02 for _ in range(3))


@pytest.mark.parametrize(("start", "middle", "end"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_address_lists(start: str, middle: str, end: str) -> None:
    assert _grows_linearly(lambda size: addresses.parse(start + middle * size + end))


@pytest.mark.parametrize("piece", MARKUP.values(), ids=MARKUP.keys())
def test_markup(piece: str) -> None:
    fresh = count()  # the tokens of short texts are kept

    assert _grows_linearly(lambda size: list(tags.tokens(f"{next(fresh)}{piece * size}")))
    assert _grows_linearly(lambda size: to_text(f"{next(fresh)}{piece * size}"))
    assert _grows_linearly(lambda size: visible_text("", f"{next(fresh)}{piece * size}"))


@pytest.mark.parametrize("piece", WORDS.values(), ids=WORDS.keys())
def test_encoded_words(piece: str) -> None:
    assert _grows_linearly(lambda size: headers.decode_field("Subject", piece * size))
    assert _grows_linearly(lambda size: headers.decode_field("From", piece * size))


def test_parameters_are_cut_before_they_are_read() -> None:
    raw = b"A: b\r\n\r\n--b\r\nContent-Type: text/plain" + b'; x="a;' * 20_000

    assert parse(raw).state == "parsed"
    assert parameters.parse('a/b; x="' + "a;" * 2_000).value == "a/b"


@pytest.mark.parametrize("line", [b"x\r\n", b"=\r\n", b"> a\r\n", b"QU!B\r\n", b"x" * 60 + b"\r\n"])
def test_bodies(line: bytes) -> None:
    head = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"

    assert _grows_linearly(lambda size: parse(head + line * size))

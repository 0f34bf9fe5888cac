"""Content-Type and Content-Disposition, with every way to write a file name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.parameters import parse

NAMES = {
    "token": ("a/b; name=x.txt", "x.txt"),
    "quoted": ('a/b; name="x y.txt"', "x y.txt"),
    "spaces without quotes": ("a/b; name=my file.pdf; size=3", "my file.pdf"),
    "open quote": ('a/b; name="my file.pdf', "my file.pdf"),
    "quotes inside": ('a/b; name="the "big" file.pdf"; size=3', 'the "big" file.pdf'),
    "escaped": ('a/b; name="a\\"b"', 'a"b'),
    "windows path": ('a/b; name="C:\\dir\\f.txt"', "C:\\dir\\f.txt"),
    "encoded word": ('a/b; name="=?utf-8?q?=C3=A9?=.txt"', "é.txt"),
    "raw bytes": ("a/b; name=\udce9.txt", "é.txt"),
    "extended": ("a/b; name*=utf-8''%E2%82%AC.pdf", "€.pdf"),
    "extended without language": ("a/b; name*=utf-8'%E2%82%AC.pdf", "€.pdf"),
    "sections": ('a/b; name*0="a"; name*1="b.txt"', "ab.txt"),
    "sections out of order": ("a/b; name*1=b.txt; name*0=a", "ab.txt"),
    "encoded sections": ("a/b; name*0*=utf-8''%E2%82; name*1*=%AC; name*2=.pdf", "€.pdf"),
    "both forms": ("a/b; name=x.txt; name*=utf-8''%C3%A9.txt", "é.txt"),
    "no semicolon": ("a/b name=x.txt", "x.txt"),
    "comment": ("a/b (text); name=x.txt (a file)", "x.txt"),
    "stray semicolons": ("a/b;;; ; name = x.txt ;", "x.txt"),
}


@pytest.mark.parametrize(("raw", "expected"), NAMES.values(), ids=NAMES.keys())
def test_name_is_read(raw: str, expected: str) -> None:
    value, parameters = parse(raw)

    assert value == "a/b"
    assert parameters["name"] == expected


@given(st.text(alphabet="a/b;=\"'*%0123\\ ()\r\n\udce9", max_size=120))
def test_any_value_is_read(raw: str) -> None:
    value, parameters = parse(raw)

    for text in (value, *parameters.values()):
        assert "\n" not in text
        text.encode("utf-8")

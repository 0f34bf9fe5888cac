"""Bytes to text: declared charsets, guesses, and what must never be taken for a charset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.charsets import clean, codec, decode


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("UTF-8", "utf-8"),
        ("ISO-8859-1", "cp1252"),
        ("gb2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("Shift_JIS", "cp932"),
        ("win-1250", "cp1250"),
        ('"koi8-r"', "koi8-r"),
        ("iso-8859-8-i", "iso8859-8"),
    ],
)
def test_labels_name_the_larger_charset_that_mailers_mean(label: str, expected: str) -> None:
    assert codec(label) == expected


@pytest.mark.parametrize(
    "label",
    "utf-7 idna punycode rot13 zlib_codec undefined unicode_escape ..1os x-no-such base64".split(),
)
def test_what_is_no_charset_of_text_is_refused(label: str) -> None:
    assert codec(label) == ""


@pytest.mark.parametrize(
    ("data", "charset", "expected"),
    [
        (b"Gr\xfc\xdfe", "", "Grüße"),
        ("Grüße".encode(), "", "Grüße"),
        (b"\x80 5", "iso-8859-1", "€ 5"),
        ("Привет".encode("koi8-r"), "koi8-r", "Привет"),
        ("你好吗".encode(), "gb2312", "你好吗"),
        ("Привет".encode(), "windows-1251", "Привет"),
        ("联通".encode("gbk"), "gb2312", "联通"),
        ("日本".encode("iso2022_jp"), "", "日本"),
        (b"\x1b$B-!\x1b(B.", "iso-2022-jp", "①."),
        ("né".encode("utf-16"), "", "né"),
        ("hello".encode("utf-16-le"), "utf-16", "hello"),
        (b"caf\xc3\xa9 caf\xc3", "utf-8", "café caf\ufffd"),
        (b"caf\xe9", "us-ascii", "café"),
        (b"caf\xe9", "x-unknown", "café"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_text_is_read_by_its_charset_or_by_what_it_is(
    data: bytes, charset: str, expected: str
) -> None:
    assert decode(data, charset) == expected


def test_otherwise_is_used_for_what_is_not_utf8() -> None:
    assert decode("Счёт".encode("koi8-r"), otherwise="koi8-r") == "Счёт"


def test_clean_takes_out_what_databases_refuse() -> None:
    assert clean("a\0b\ud800c") == "ab\ufffdc"


@given(st.binary(max_size=200), st.text(max_size=20) | st.sampled_from(["utf-16", "hz", "johab"]))
def test_any_bytes_in_any_charset_are_text_that_can_be_stored(data: bytes, charset: str) -> None:
    text = decode(data, charset)

    assert "\0" not in text
    assert text.encode("utf-8").decode("utf-8") == text

"""Header text: encoded words as mailers really write them, raw bytes, folds, control signs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.headers import decode_field

SUBJECTS = {
    "plain": ("Hello", "Hello"),
    "folded": ("a long\r\n\t subject", "a long subject"),
    "quoted-printable": ("=?utf-8?q?Gr=C3=BC=C3=9Fe?= from here", "Grüße from here"),
    "adjacent words": ("=?utf-8?Q?a?=\r\n =?utf-8?Q?b?= c", "ab c"),
    "split in a base64 group": ("=?utf-8?B?w?= =?utf-8?B?6k=?=", "é"),
    "split in a character": ("=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),
    "padded words": ("=?utf-8?B?YQ==?= =?utf-8?B?Yg==?=", "ab"),
    "two charsets": ("=?utf-8?q?=C3=A9?= =?koi8-r?q?=F4?=", "éТ"),
    "language": ("=?utf-8*en?q?hi?=", "hi"),
    "space and question mark inside": ("=?utf-8?Q?what? yes=3F?=", "what? yes?"),
    "bare escape after a question mark": ("=?utf-8?Q?a?=3D?=", "a?="),
    "no end": ("=?utf-8?q?cut_off", "cut off"),
    "no word at all": ("is 1 =? 2 ?= 3", "is 1 =? 2 ?= 3"),
    "unknown charset": ("=?x-nothing?q?=E9?=", "é"),
    "raw latin-1": ("Fr\udcf6sche", "Frösche"),
    "raw utf-8": ("Fr\udcc3\udcb6sche", "Frösche"),
    "raw bytes inside a word": ("=?iso-8859-1?Q?Fr\udcf6sche?=", "Frösche"),
    "encoded line end": ("=?utf-8?q?re=0D=0ABcc:_v@x?=", "re  Bcc: v@x"),
    "text without spaces around": ("=?utf-8?Q?a?=b=?utf-8?Q?c?=", "abc"),
    "broken base64": ("=?utf-8?b?w6k!?=", "é"),
}


@pytest.mark.parametrize(("raw", "expected"), SUBJECTS.values(), ids=SUBJECTS.keys())
def test_subject_reads_as_its_writer_meant(raw: str, expected: str) -> None:
    assert decode_field("Subject", raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("=?utf-8?q?Doe=2C_John?= <j@x.example>", '"Doe, John" <j@x.example>'),
        ('"=?utf-8?q?a=22=2Cb?=" <j@x.example>', '"a\\",b" <j@x.example>'),
        ("=?utf-8?q?J=C3=B6rg?= <j@x.example>", "Jörg <j@x.example>"),
    ],
)
def test_encoded_syntax_in_addresses_stays_quoted(raw: str, expected: str) -> None:
    assert decode_field("From", raw) == expected


def test_raw_bytes_are_read_in_the_charset_of_the_mail() -> None:
    raw = "Счёт".encode("koi8-r").decode("ascii", "surrogateescape")

    assert decode_field("Subject", raw, "koi8-r") == "Счёт"


@given(
    st.text(max_size=200) | st.lists(st.sampled_from(["=?", "?=", "utf-8?q?", "\n "])).map("".join)
)
def test_any_value_becomes_one_clean_line(raw: str) -> None:
    for name in ("Subject", "From"):
        text = decode_field(name, raw)
        assert not any(sign in text for sign in "\r\n\0")
        text.encode("utf-8")

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inboxkit.providers import forms
from inboxkit.providers.base import ParseError
from inboxkit.providers.forms import Field, Form

from .vendor import cases

MULTIPART = "multipart/form-data; boundary=b"
URLENCODED = "application/x-www-form-urlencoded"


def _multipart(*parts: bytes) -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


@settings(deadline=None)
@given(st.lists(st.builds(Field, st.text("ab%;é", min_size=1), st.binary())))
def test_what_is_written_is_read_back(fields: list[Field]) -> None:
    assert forms.read(*forms.write(fields)) == Form(tuple(fields))


@pytest.mark.parametrize("name", ["a.pdf", "rück; 尺.pdf", 'a"b.pdf', "", "a\\b.pdf"])
def test_file_names_are_read_back(name: str) -> None:
    field = Field("attachment", b"\x00\xff", name, "application/pdf")
    assert forms.read(*forms.write([field])) == Form((field,))


def test_names_cannot_break_out_of_their_line() -> None:
    content_type, body = forms.write([Field('a"\r\nX: 1', b"", "b\r\n\r\nc", "t/x\r\nX: 2")])

    [field] = forms.read(content_type, body).fields

    assert (field.data, field.content_type) == (b"", "t/x X: 2")
    assert b"\r\nX:" not in body


def test_data_that_looks_like_a_boundary_is_kept() -> None:
    content_type, body = forms.write([Field("a", b"x")])
    data = b"\r\n--" + content_type.partition("=")[2].encode() + b"--\r\n"
    assert forms.read(*forms.write([Field("a", data)])).fields[0].data == data
    assert body.count(b"x") == 1


@pytest.mark.parametrize(
    ("part", "field"),
    cases(
        {
            "empty": (b'Content-Disposition: form-data; name="a"\r\n\r\n', Field("a", b"")),
            "without the empty line's end": (
                b"Content-Disposition: form-data; name=a\r\n",
                Field("a", b""),
            ),
            "names in other cases and a bare name": (
                b"X-Other: 1\r\ncontent-DISPOSITION:form-data;name=a;filename=f\r\n\r\nx",
                Field("a", b"x", "f"),
            ),
            "Go's quotes": (
                b'Content-Disposition: form-data; name="a"; filename="x\\"y\\\\z"\r\n\r\nx',
                Field("a", b"x", 'x"y\\z'),
            ),
            "browsers' quotes": (
                b'Content-Disposition: form-data; name="a"; filename="x%22y"\r\n\r\nx',
                Field("a", b"x", 'x"y'),
            ),
            "extended name": (
                b"Content-Disposition: form-data; name=a; filename*=UTF-8''r%C3%BCck\r\n\r\nx",
                Field("a", b"x", "rück"),
            ),
            "line breaks at the end": (
                b"Content-Disposition: form-data; name=a\r\n\r\nx\r\n\n",
                Field("a", b"x\r\n\n"),
            ),
        }
    ),
)
def test_parts_of_other_clients_are_read(part: bytes, field: Field) -> None:
    assert forms.read(MULTIPART, _multipart(part)) == Form((field,))


def test_preamble_epilogue_and_padding_are_skipped() -> None:
    body = b"hello\r\n--b \t\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--\r\nbye"
    assert forms.read(MULTIPART, body).text("a") == "x"


@pytest.mark.parametrize(
    ("content_type", "body"),
    cases(
        {
            "no boundary parameter": ("multipart/form-data", b""),
            "a long boundary": (f"multipart/form-data; boundary={'b' * 71}", b""),
            "no boundary": (MULTIPART, b"a=b"),
            "cut off": (
                MULTIPART,
                _multipart(b"Content-Disposition: form-data; name=a\r\n\r\nx")[:-6],
            ),
            "no header": (MULTIPART, _multipart(b"x")),
            "no name": (MULTIPART, _multipart(b"Content-Disposition: form-data\r\n\r\nx")),
            "no form-data": (
                MULTIPART,
                _multipart(b"Content-Disposition: inline; name=a\r\n\r\nx"),
            ),
            "text after the boundary": (MULTIPART, b"--bc\r\n\r\n--b--"),
            "an endless header": (MULTIPART, _multipart(b"X: " + b"x" * 20_000 + b"\r\n\r\n")),
            "too many parts": (
                MULTIPART,
                _multipart(*[b"Content-Disposition: form-data; name=a\r\n\r\n"] * 10_001),
            ),
            "too many pairs": (URLENCODED, b"a&" * 10_001),
            "another type": ("text/plain", b"a=b"),
        }
    ),
)
def test_a_broken_form_is_a_parse_error(content_type: str, body: bytes) -> None:
    with pytest.raises(ParseError):
        forms.read(content_type, body)


@pytest.mark.parametrize(
    ("body", "fields"),
    cases(
        {
            "plus and escapes": (b"a+b=c+d%20%2B%26%3D", [Field("a b", b"c d +&=")]),
            "8-bit": (b"a=%ff%80%00", [Field("a", b"\xff\x80\x00")]),
            "no value": (b"a&b=&&", [Field("a", b""), Field("b", b"")]),
            "broken escapes": (b"a=%zz%4%", [Field("a", b"%zz%4%")]),
            "twice": (b"a=1&a=2", [Field("a", b"1"), Field("a", b"2")]),
            "equals signs": (b"a=b=c", [Field("a", b"b=c")]),
        }
    ),
)
def test_urlencoded_forms_are_read(body: bytes, fields: list[Field]) -> None:
    assert forms.read(URLENCODED, body) == Form(tuple(fields))


def test_escapes_at_the_edge_of_a_piece_are_not_cut() -> None:
    for shift in range(4):
        body = b"a=" + b"x" * (65_536 - shift) + b"%ff" * 30_000
        assert forms.read(URLENCODED, body).fields[0].data.count(b"\xff") == 30_000


def test_fields_are_found_by_their_exact_name() -> None:
    form = Form((Field("a", b"1"), Field("A", b"2"), Field("a", b"\xff\x00")))

    assert (form.text("a"), form.text("b", "none")) == ("1", "none")
    assert form.texts("a") == ("1", "��")
    assert ("A" in form, "b" in form) == (True, False)


NONE: dict[str, str] = {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('form-data; name="a;b"; x=1', ("form-data", {"name": "a;b", "x": "1"})),
        ('Text/HTML;Charset="utf-8"', ("text/html", {"charset": "utf-8"})),
        ("a; b=1; b=2", ("a", {"b": "1"})),
        ('a; b="c', ("a", {"b": '"c'})),
        ("", ("", NONE)),
    ],
)
def test_parameters_are_split(value: str, expected: object) -> None:
    assert forms.parameters(value) == expected


@pytest.mark.parametrize(
    "content_type, body",
    cases(
        {
            "quotes": ('multipart/form-data; boundary=b; x="' + '\\"' * 500_000, b""),
            "boundaries": (MULTIPART, b"\r\n--b" * 500_000),
            "almost boundaries": (MULTIPART, b"--b\r\n" + b"\r\n--" * 500_000),
            "escapes": (URLENCODED, b"%4" * 1_000_000),
        }
    ),
)
def test_hostile_forms_take_linear_time(content_type: str, body: bytes) -> None:
    start = time.process_time()
    try:
        forms.read(content_type, body)
    except ParseError:
        pass
    assert time.process_time() - start < 10

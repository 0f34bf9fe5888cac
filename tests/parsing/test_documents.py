"""The words of attached files, and files that are meant to do harm."""

from __future__ import annotations

import codecs
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.documents import document_text, missing_library

from .files import archive, cells, docx, paragraph, pdf, xlsx

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OPAQUE = "application/octet-stream"
PAGE = "<p>The <b>lid</b></p><style>p{}</style><p hidden>x</p><ul><li>one<li>two</ul>"
TABLE = "name;price\nlid;4,50 €\n"
LETTER = docx(
    paragraph("The lid")
    + '<w:p><w:ins w:id="1"><w:r><w:t>was added</w:t></w:r></w:ins>'
    + '<w:del w:id="2"><w:r><w:delText>was not</w:delText></w:r></w:del></w:p>'
    + f"<w:sdt><w:sdtContent>{paragraph('in a form')}</w:sdtContent></w:sdt>"
)
PRICES = xlsx({"Prices": [cells("lid", "4.5"), "", cells("seal", "2")]})


@pytest.mark.parametrize(
    ("data", "content_type", "filename", "expected"),
    [
        (pdf("The lid", "Page two"), "application/pdf", "", "The lid\n\nPage two"),
        (pdf("The lid"), OPAQUE, "", "The lid"),
        (b"\r\n" + pdf("The lid"), "text/plain", "a.txt", "The lid"),
        (LETTER, DOCX, "a.docx", "The lid\n\nwas added\n\nin a form"),
        (PRICES, XLSX, "", "Prices\n\nlid | 4.5\nseal | 2"),
        (PRICES, "application/zip", "a.zip", "Prices\n\nlid | 4.5\nseal | 2"),
        (TABLE.encode("cp1252"), "text/csv", "", TABLE.strip()),
        (codecs.BOM_UTF16_LE + TABLE.encode("utf-16-le"), "text/csv", "", TABLE.strip()),
        (TABLE.encode(), OPAQUE, "prices.CSV", TABLE.strip()),
        (PAGE.encode(), "text/html", "", "The lid\n\n- one\n- two"),
        (PAGE.encode(), OPAQUE, "a.htm", "The lid\n\n- one\n- two"),
        (b'{"lid": 1}', "application/json", "", '{"lid": 1}'),
        (b"", "text/plain", "", ""),
    ],
    ids=[
        *("pdf", "pdf without a type", "pdf after junk, wrong type", "docx", "xlsx", "xlsx as zip"),
        *("csv", "csv in UTF-16", "csv by its name", "html", "html by its name", "json", "empty"),
    ],
)  # fmt: skip
def test_words_of_a_file(data: bytes, content_type: str, filename: str, expected: str) -> None:
    assert document_text(data, content_type, filename) == expected


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\x89PNG\r\n\x1a\n", "text/plain"),
        (b"\0\1\2", OPAQUE),
        (b"a\0b", "text/plain"),
        (b"%PDF-1.4 and no more", "application/pdf"),
        (LETTER[:-30], DOCX),
        (LETTER[:200] + bytes(60) + LETTER[260:], DOCX),
        (docx("<w:p>"), DOCX),
        (archive({"readme.txt": "words"}), "application/zip"),
        (archive({"xl/workbook.xml": "<workbook/>"}), XLSX),
        (b" " * (26 * 1024 * 1024), "text/plain"),
    ],
    ids=[
        *("picture", "picture called text", "bytes", "bytes called text", "torn pdf", "cut docx"),
        *("damaged docx", "open markup", "other zip", "empty workbook", "over 25 MB"),
    ],
)
def test_what_cannot_be_read_has_no_text(data: bytes, content_type: str) -> None:
    assert document_text(data, content_type) is None


def test_what_excel_hides_is_left_out() -> None:
    book = xlsx({"Prices": [cells("lid")], "Notes": [cells("secret")]}, hidden="Notes")

    assert document_text(book, XLSX) == "Prices\n\nlid"


def test_size_that_a_sheet_claims_is_not_believed() -> None:
    book = xlsx({"S": [cells("a", "b"), cells("c")]}, extra='<dimension ref="A1:XFD1048576"/>')

    assert document_text(book, XLSX) == "S\n\na | b\nc"


def test_dates_and_truths_are_written_out() -> None:
    row = '<c t="d"><v>2024-05-14</v></c><c t="d"><v>2024-05-14T09:12:00</v></c>'

    text = document_text(xlsx({"S": [row + '<c t="b"><v>1</v></c>']}), XLSX)

    assert text == "S\n\n2024-05-14 | 2024-05-14T09:12:00 | True"


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (pdf(*["The lid is missing"] * 30), "application/pdf"),
        (docx(paragraph("The lid is missing") * 30), DOCX),
        (xlsx({"S": [cells("The lid is missing")] * 30}), XLSX),
        (b"The lid is missing\n" * 30, "text/plain"),
        (b"<p>The lid is missing" * 30, "text/html"),
    ],
    ids=["pdf", "docx", "xlsx", "text", "html"],
)
def test_text_is_cut_at_the_limit(data: bytes, content_type: str) -> None:
    text = document_text(data, content_type, limit=100)

    assert text is not None
    assert 50 < len(text) <= 100


FAR_CELL = '<c r="XFD1"><v>1</v></c>'
LAST_ROW = '</row><row r="1048576"><c><v>1</v></c>'
LAUGHS = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
LAUGHTER = f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a>&l9;</a>'


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (docx(paragraph("a" * 1000) * 30_000), DOCX),
        (archive({"word/document.xml": b" " * 30_000_000}), DOCX),
        (archive({"word/document.xml": LAUGHTER}), DOCX),
        (xlsx({"S": [FAR_CELL] * 50}), XLSX),
        (xlsx({"S": [LAST_ROW] * 3}), XLSX),
        (pdf("a", repeat=25_000), "application/pdf"),
        (pdf("a", repeat=400_000), "application/pdf"),
    ],
    ids=["bomb", "spaces", "entities", "wide sheet", "tall sheet", "much drawn", "large page"],
)
def test_file_meant_to_do_harm_costs_little(data: bytes, content_type: str) -> None:
    start = time.process_time()

    text = document_text(data, content_type)

    assert text is None or len(text) < 200_001
    assert time.process_time() - start < 10


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {missing_library(data, OPAQUE) for data in (LETTER, PRICES, pdf("a"), b"a")} == {""}
    monkeypatch.setitem(sys.modules, "pypdf", None)

    assert missing_library(pdf("a"), "application/pdf") == "pypdf"
    assert document_text(pdf("a"), "application/pdf") is None


@given(st.sampled_from([LETTER, PRICES, pdf("The lid")]), st.integers(0, 3_000), st.binary())
def test_any_damage_is_survived(data: bytes, place: int, harm: bytes) -> None:
    text = document_text(data[:place] + harm + data[place + len(harm) :], OPAQUE)

    assert text is None or isinstance(text, str)

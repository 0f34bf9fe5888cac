"""The words of the files that come with a mail: PDF, DOCX, XLSX, CSV, HTML and plain text.

The libraries for the first three come with the extra ``docs`` and are imported when first used.
What they read is hostile: run this where it can be ended, as ``worker`` does with mails.
"""

from __future__ import annotations

import logging
import re
import warnings
from datetime import date, datetime
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any

from . import archives, charsets, html, magic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MOST_BYTES = 25 * 1024 * 1024
_MOST_MARKUP = 20 * 1024 * 1024  # XML that is read as a whole, unpacked
_MOST_PAGES = 500
_MOST_DRAWING = 2 * 1024 * 1024  # bytes that draw the pages of a PDF, unpacked
_MOST_OPERATIONS = 100_000  # of drawing, those of forms drawn again and again included
_MOST_CELLS = 200_000
_MOST_ROWS = 100_000  # empty ones count
_PDF_HEAD = 1024  # readers allow other bytes before "%PDF-"
_GAPS = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")
_EXTENSIONS = {"html": "html", "htm": "html", "xhtml": "html"} | dict.fromkeys(
    ("csv", "tsv", "txt", "text", "md", "log", "json", "xml", "yaml", "yml", "ics", "vcf"), "text"
)
_TEXT_TYPES = frozenset(
    f"application/{name}" for name in ("csv", "json", "xml", "yaml", "x-yaml", "ics", "x-ndjson")
)
_PAGE_TYPES = frozenset(("text/html", "application/xhtml+xml"))
_LIBRARIES = {"pdf": "pypdf", "docx": "docx2txt", "xlsx": "openpyxl"}


def document_text(
    data: bytes, content_type: str, filename: str = "", *, limit: int = 200_000
) -> str | None:
    """Return the words of a file, at most ``limit`` characters; None if they cannot be read.

    Goes by the bytes first, then by the declared type and the name. "" says that the file was
    read and has no words, such as a scanned page. Never raises: what is damaged, encrypted or too
    much to unpack gives None, as does a file whose library is missing (``missing_library``).
    """
    if len(data) > _MOST_BYTES:
        return None
    read = _READERS.get(_kind(data, content_type, filename))
    if read is None:
        return None
    try:
        text = charsets.clean(read(data, limit))
    except Exception:  # noqa: BLE001  foreign input in foreign libraries, which raise anything
        return None
    return _GAPS.sub("\n\n", text).strip()[:limit]


def missing_library(data: bytes, content_type: str, filename: str = "") -> str:
    """Return the library of the extra ``docs`` that this file needs and that is not installed."""
    library = _LIBRARIES.get(_kind(data, content_type, filename), "")
    return library if library and find_spec(library) is None else ""


def is_plain(data: bytes, content_type: str, filename: str = "") -> bool:
    """Tell whether a file is text or HTML, which no library is needed for."""
    return _kind(data, content_type, filename) in ("text", "html")


def _kind(data: bytes, content_type: str, filename: str) -> str:
    """Return which reader a file needs, "" when none reads it."""
    if b"%PDF-" in data[:_PDF_HEAD]:
        return "pdf"
    if data.startswith(b"PK"):
        names = archives.entries(data)
        kinds = {"word/document.xml": "docx", "xl/workbook.xml": "xlsx"}
        return next((kind for name, kind in kinds.items() if name in names), "")
    declared = _declared(content_type, filename)
    seen = magic.sniff(data)
    if seen.startswith("text/") or seen in ("application/xml", "image/svg+xml"):
        return "html" if seen == "text/html" else declared or "text"
    # UTF-16, which Excel writes CSV in, has NULs and looks like no text.
    return declared if seen == "application/octet-stream" and not _is_binary(data) else ""


def _declared(content_type: str, filename: str) -> str:
    content_type = content_type.lower()
    if content_type in _PAGE_TYPES:
        return "html"
    if content_type.startswith("text/") or content_type in _TEXT_TYPES:
        return "text"
    return _EXTENSIONS.get(filename.rpartition(".")[2].lower(), "")


def _is_binary(data: bytes) -> bool:
    return not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")) and b"\0" in data


def _text(data: bytes, limit: int) -> str:
    return charsets.decode(data[: 4 * limit])  # no charset needs more bytes for a character


def _page(data: bytes, limit: int) -> str:
    return html.to_text(charsets.decode(data[: max(1024 * 1024, 4 * limit)]))


def _pdf(data: bytes, limit: int) -> str:
    library: Any = import_module("pypdf")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings quote the file
    pages: list[str] = []
    drawn, size = _Operations(), 0
    for page in islice(library.PdfReader(BytesIO(data)).pages, _MOST_PAGES):
        contents = page.get_contents()
        size += len(contents.get_data()) if contents is not None else 0
        if size > _MOST_DRAWING or limit < 0:
            break
        try:
            text: str = page.extract_text(visitor_operand_before=drawn.count)
        except OverflowError:
            break
        pages.append(text)
        limit -= len(text)
    return "\n\n".join(pages)


class _Operations:
    """Counts the drawing operations of a PDF and breaks off when there are too many."""

    def __init__(self) -> None:
        self._left = _MOST_OPERATIONS

    def count(self, *_: object) -> None:
        """Take note of one operation; raise OverflowError when it is one too many."""
        self._left -= 1
        if self._left < 0:
            raise OverflowError("too many operations")


def _docx(data: bytes, limit: int) -> str:
    del limit  # the library reads a file as a whole
    sizes = archives.entries(data)
    if sum(size for name, size in sizes.items() if _is_docx_text(name)) > _MOST_MARKUP:
        raise OverflowError("too much markup")
    library: Any = import_module("docx2txt")
    text: str = library.process(BytesIO(data))
    return text


def _is_docx_text(name: str) -> bool:
    return name.startswith(("word/document", "word/header", "word/footer"))


def _xlsx(data: bytes, limit: int) -> str:
    sizes = archives.entries(data)
    shared = (size for name, size in sizes.items() if not name.startswith("xl/worksheets/"))
    if sum(shared) > _MOST_MARKUP:
        raise OverflowError("too much markup")
    library: Any = import_module("openpyxl")
    warnings.filterwarnings("ignore", module=r"openpyxl\.")  # features it does not write back
    book = library.load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
    try:
        return "\n".join(_within(_lines(book.worksheets), limit))
    finally:
        book.close()


def _lines(sheets: Iterable[Any]) -> Iterator[str]:
    """Give the rows of the sheets that a person sees, each under its sheet's name."""
    cells, rows = _MOST_CELLS, _MOST_ROWS
    for sheet in sheets:
        if sheet.sheet_state != "visible":
            continue
        yield f"\n{sheet.title}\n"
        sheet.reset_dimensions()  # what a file says of its size is often wrong
        for row in sheet.iter_rows(values_only=True):
            rows, cells = rows - 1, cells - len(row)
            if rows < 0 or cells < 0:
                return
            if line := " | ".join(map(_shown, row)).rstrip(" |"):
                yield line


def _shown(value: object) -> str:
    """Return a cell's value on one line, dates as ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, datetime) and not value.time():
        value = value.date()
    if isinstance(value, date):
        return value.isoformat()
    return " ".join(str(value).split())


def _within(lines: Iterable[str], limit: int) -> Iterator[str]:
    for line in lines:
        yield line
        limit -= len(line) + 1
        if limit < 0:
            return


_READERS: dict[str, Callable[[bytes, int], str]] = {
    "text": _text,
    "html": _page,
    "pdf": _pdf,
    "docx": _docx,
    "xlsx": _xlsx,
}

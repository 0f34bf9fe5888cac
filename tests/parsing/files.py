"""Makes small files of the kinds that come with mail: PDF, DOCX, XLSX, and pictures' heads."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """Return a zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return buffer.getvalue()


def docx(body: str) -> bytes:
    """Return a DOCX file with that WordprocessingML in its body."""
    document = f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'
    return archive({"[Content_Types].xml": "<Types/>", "word/document.xml": document})


def paragraph(text: str) -> str:
    """Return a paragraph of WordprocessingML."""
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def pdf(*pages: str, repeat: int = 1) -> bytes:
    """Return a PDF with a line of text on each page, drawn as often as ``repeat`` says."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for n, text in enumerate(pages):
        drawn = f"BT /F 12 Tf 40 700 Td ({text}) Tj ET\n" * repeat
        font = "/Resources<</Font<</F 3 0 R>>>>"
        objects.append(f"<</Type/Page/Parent 2 0 R{font}/Contents {5 + 2 * n} 0 R>>")
        objects.append(f"<</Length {len(drawn)}>>stream\n{drawn}endstream")
    out, places = "%PDF-1.4\n", list[int]()
    for n, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{n} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<</Size {size}/Root 1 0 R>>\n"
    return f"{out}{end}startxref\n{len(out)}\n%%EOF\n".encode("latin-1")


def xlsx(sheets: Mapping[str, Sequence[str]], *, hidden: str = "", extra: str = "") -> bytes:
    """Return an XLSX file: each sheet's rows are SpreadsheetML cells; ``hidden`` names one."""
    state = {name: ' state="hidden"' if name == hidden else "" for name in sheets}
    numbered = list(enumerate(sheets, 1))
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n}"{state[name]} r:id="r{n}"/>' for n, name in numbered
    )
    links = "".join(
        f'<Relationship Id="r{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n, _ in numbered
    )
    parts = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPES}.worksheet+xml"/>'
        for n, _ in numbered
    )
    workbook = f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">{workbook}{parts}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}">'
        f"<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{links}'
        "</Relationships>",
    }
    return archive(
        files
        | {f"xl/worksheets/sheet{n}.xml": _worksheet(sheets[name], extra) for n, name in numbered}
    )


def _worksheet(cells: Sequence[str], extra: str) -> str:
    rows = "".join(f"<row>{row}</row>" for row in cells)
    return f'<worksheet xmlns="{_SHEET}">{extra}<sheetData>{rows}</sheetData></worksheet>'


def cells(*values: str) -> str:
    """Return the cells of a row; numbers as such, words as inline strings."""
    return "".join(
        f"<c><v>{value}</v></c>"
        if value.replace(".", "").isdigit()
        else f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        for value in values
    )


def png(width: int, height: int) -> bytes:
    """Return the head of a PNG."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06\0\0\0"


def jpeg(width: int, height: int, *segments: bytes, frame: int = 0xC0) -> bytes:
    """Return a JPEG up to its frame header, with other segments before it."""
    before = b"".join(
        b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment for segment in segments
    )
    header = struct.pack(">BBHBHH", 0xFF, frame, 17, 8, height, width)
    return b"\xff\xd8" + before + header + b"\x03\1\x22\0"


def webp(kind: bytes, head: bytes) -> bytes:
    """Return a WebP whose first chunk begins so."""
    return b"RIFF\0\0\0\0WEBP" + kind + struct.pack("<I", len(head)) + head

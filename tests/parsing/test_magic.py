"""What a file is by its bytes."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.magic import sniff


def _zip(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "application/vnd.oasis.opendocument.text")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"%PDF-1.4", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"MZ\x90\0", "application/vnd.microsoft.portable-executable"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"\0\0\0\x18ftypmp42", "video/mp4"),
        (b"\0\0\0\x18ftypheic", "image/heic"),
        (_zip("x.txt"), "application/zip"),
        (
            _zip("[Content_Types].xml", "xl/workbook.xml"),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        (_zip("mimetype"), "application/vnd.oasis.opendocument.text"),
        (b"\xef\xbb\xbf<!DOCTYPE html><p>", "text/html"),
        (b"<?xml version='1.0'?><svg>", "image/svg+xml"),
        (b"just words\n", "text/plain"),
        ("Grüße".encode("cp1252"), "text/plain"),
        (b"\0\1\2", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_type_is_seen(data: bytes, expected: str) -> None:
    assert sniff(data) == expected


@given(st.binary(max_size=100))
def test_any_bytes_have_a_type(data: bytes) -> None:
    assert "/" in sniff(data)

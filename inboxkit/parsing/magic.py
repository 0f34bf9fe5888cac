"""What a file really is, by its first bytes; a small table, not a library of formats."""

from __future__ import annotations

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\0\0\1\0", "image/vnd.microsoft.icon"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\7", "application/vnd.rar"),
    (b"MSCF", "application/vnd.ms-cab-compressed"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"{\\rtf", "application/rtf"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF", "application/x-elf"),
    (b"\xca\xfe\xba\xbe", "application/java-vm"),
    (b"#!", "text/x-script"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"%!PS", "application/postscript"),
    (b"-----BEGIN PGP ", "application/pgp"),
    (b"BEGIN:VCALENDAR", "text/calendar"),
    (b"BEGIN:VCARD", "text/vcard"),
    (b"\x78\x9f\x3e\x22", "application/ms-tnef"),
)
# Formats that are zip files: a name that stands among the first entries.
_ZIPS = (
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (b"META-INF/", "application/java-archive"),
)
_MARKUP = (
    (b"<!doctype html", "text/html"),
    (b"<html", "text/html"),
    (b"<svg", "image/svg+xml"),
    (b"<?xml", "application/xml"),
)
_LOOKED_AT = 4_096
_TEXT_CONTROLS = frozenset(b"\t\n\f\r\x1b")


def sniff(data: bytes) -> str:
    """Return the media type that the bytes show, or application/octet-stream."""
    start = data[:_LOOKED_AT]
    for mark, kind in _STARTS:
        if start.startswith(mark):
            return kind
    if start.startswith(b"PK\3\4"):
        return _zip(start)
    if start[4:8] == b"ftyp":
        return _iso_media(start[8:12])
    if start[:4] == b"RIFF":
        kinds = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
        return kinds.get(start[8:12], "application/octet-stream")
    return _text(start)


def _zip(start: bytes) -> str:
    if start[30:38] == b"mimetype":
        # OpenDocument and EPUB store their type as the first entry, uncompressed.
        kind = start[38:120].partition(b"PK")[0].strip()
        if kind.startswith(b"application/") and kind.isascii():
            return kind.decode("ascii")
    return next((kind for name, kind in _ZIPS if name in start), "application/zip")


def _iso_media(brand: bytes) -> str:
    # ISO base media file format: what the brand says.
    if brand in (b"heic", b"heix", b"mif1"):
        return "image/heic"
    if brand == b"avif":
        return "image/avif"
    return "video/quicktime" if brand == b"qt  " else "video/mp4"


def _text(start: bytes) -> str:
    head = start[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for mark, kind in _MARKUP:
        if head.startswith(mark):
            return "image/svg+xml" if kind == "application/xml" and b"<svg" in head else kind
    if not start or any(byte < 32 and byte not in _TEXT_CONTROLS for byte in start):
        return "application/octet-stream"
    return "text/plain"

"""The MIME parts of the mail we write: texts, files, and the containers around them (RFC 2045).

Equal input gives equal bytes, so that a send which is tried again is the same mail.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING

from . import base64_text
from .outbound_headers import Field, header_block, is_token, parametrized, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .values import File

_SHORT = 76  # longer lines are encoded, RFC 2045 section 6.7
_LONGEST_LINE = 998  # RFC 5322 section 2.1.1
_PIECE = 1024 * 1024  # of a large mail; nothing else runs while one is looked at
_LINE_END = re.compile(rb"\r\n|\r")
_PARAMETERS = re.compile(
    r'(?:; ?[A-Za-z0-9-]{1,40}=(?:[\w.+-]{1,60}|"[^"\\\r\n]{0,60}"))*', re.ASCII
)
# Python's mimetypes reads files of the machine, which differ from one to the next.
_TYPES = {
    suffix: f"{main}/{sub}"
    for main, subs in {
        "text": "plain:txt,log,text csv:csv html:html,htm calendar:ics markdown:md vcard:vcf "
        "css:css xml:xml javascript:js",
        "image": "png:png jpeg:jpg,jpeg gif:gif webp:webp svg+xml:svg heic:heic tiff:tif,tiff "
        "bmp:bmp avif:avif",
        "audio": "mpeg:mp3 wav:wav ogg:ogg mp4:m4a",
        "video": "mp4:mp4 webm:webm quicktime:mov",
        "message": "rfc822:eml",
        "application": "pdf:pdf json:json zip:zip gzip:gz,tgz x-tar:tar x-7z-compressed:7z rtf:rtf "
        "msword:doc vnd.ms-excel:xls vnd.ms-powerpoint:ppt epub+zip:epub "
        "vnd.openxmlformats-officedocument.wordprocessingml.document:docx "
        "vnd.openxmlformats-officedocument.spreadsheetml.sheet:xlsx "
        "vnd.openxmlformats-officedocument.presentationml.presentation:pptx "
        "vnd.oasis.opendocument.text:odt vnd.oasis.opendocument.spreadsheet:ods",
    }.items()
    for sub, _, suffixes in (item.partition(":") for item in subs.split())
    for suffix in suffixes.split(",")
}
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,200}")


@dataclass(frozen=True, slots=True)
class Part:
    """The content fields of a part, in order, and its encoded body in pieces.

    A large body is put together once, with the whole mail.
    """

    fields: tuple[Field, ...]
    body: Sequence[bytes]


def text_part(kind: str, text: str) -> Part:
    """Write a text/plain or text/html part; raise ValueError when it is no proper Unicode."""
    try:
        data = text.replace("\r\n", "\n").replace("\r", "\n").encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the {kind} text holds half a character (a lone surrogate)") from error
    lines = data.split(b"\n")
    if lines[-1]:
        lines.append(b"")
    encoding, body = _encoded(data, lines)
    content_type = parametrized("Content-Type", f"text/{kind}", [("charset", "utf-8")])
    return Part((content_type, ("Content-Transfer-Encoding", encoding)), (body,))


def file_part(file: File, *, inline: bool = False) -> Part:
    """Write a file; raise ValueError for an unusable content type or Content-ID."""
    name = plain_line(file.filename)
    content_type = _content_type(file, name)
    if content_type.startswith("message/"):
        return mail_part(file.data, name)
    named = [("name", _plain_name(name))] if name and "name=" not in content_type else []
    fields = [
        parametrized("Content-Type", content_type, named),
        ("Content-Transfer-Encoding", "base64"),
        _disposition(name, inline=inline),
    ]
    if file.content_id:
        fields.append(("Content-ID", f"<{_content_id(file)}>"))
    return Part(tuple(fields), tuple(base64_text.lines(file.data)))


def mail_part(raw: bytes, name: str = "") -> Part:
    """Write a whole mail as an attachment.

    RFC 2046 section 5.2.1 forbids to encode message/rfc822: what is no mail by its line lengths
    becomes a plain file, so that not a byte of it is lost.
    """
    body, longest = _lines(raw)
    disposition = _disposition(name or "message.eml")
    if b"\0" in raw or longest > _LONGEST_LINE:
        octets = ("Content-Type", "application/octet-stream")
        encoding = ("Content-Transfer-Encoding", "base64")
        return Part((octets, encoding, disposition), tuple(base64_text.lines(raw)))
    mail = ("Content-Type", "message/rfc822")
    encoding = ("Content-Transfer-Encoding", "7bit" if raw.isascii() else "8bit")
    return Part((mail, encoding, disposition), body)


def _lines(raw: bytes) -> tuple[list[bytes], int]:
    """Return a mail with CRLF line ends, in pieces, and how long its longest line is."""
    pieces, longest = list[bytes](), 0
    start = begun = 0  # where a piece begins, and how much of its first line is before it
    while start < len(raw):
        end = start + _PIECE
        end += raw[end - 1 : end + 1] == b"\r\n"
        first, *others = lines = _LINE_END.sub(b"\n", raw[start:end]).split(b"\n")
        pieces.append(b"\r\n".join(lines))
        begun += len(first)
        longest = max(longest, begun, max(map(len, others), default=0))
        begun = len(others[-1]) if others else begun
        start = end
    return pieces, longest


def multipart(kind: str, parts: Sequence[Part]) -> Part:
    """Put parts into a container; a single part needs none."""
    if len(parts) == 1:
        return parts[0]
    wholes = [(header_block(part.fields), *part.body) for part in parts]
    boundary = _boundary(wholes)
    parameters = [("boundary", boundary)]
    if kind == "related":  # RFC 2387 section 3.1
        parameters.append(("type", "text/html"))
    line = b"\r\n--" + boundary.encode()
    body = [line[2:], b"\r\n", *wholes[0]]
    for whole in wholes[1:]:
        body += (line, b"\r\n", *whole)
    body += (line, b"--\r\n")
    fields = [parametrized("Content-Type", f"multipart/{kind}", parameters)]
    if any(("Content-Transfer-Encoding", "8bit") in part.fields for part in parts):
        fields.append(("Content-Transfer-Encoding", "8bit"))  # RFC 2045 section 6.4
    return Part(tuple(fields), body)


def joined(pieces: Iterable[bytes]) -> bytes:
    """Put a mail together from its pieces; one after the other, as one join takes long."""
    whole = BytesIO()
    for piece in pieces:
        whole.write(piece)
    return whole.getvalue()


def has_bare_line_ends(raw: bytes) -> bool:
    """Whether some line end is not CRLF (RFC 5321 section 2.3.8)."""
    for start in range(0, len(raw), _PIECE):
        end = start + _PIECE
        pairs = raw.count(b"\r\n", start, end + 1)
        if not raw.count(b"\n", start + 1, end + 1) == pairs == raw.count(b"\r", start, end):
            return True
    return raw.startswith(b"\n")


def _boundary(wholes: Sequence[Iterable[bytes]]) -> str:
    """Make a boundary of what it parts: no part can hold the hash of all parts."""
    digest = hashlib.sha256()
    for piece in chain.from_iterable(wholes):
        digest.update(piece)
    return f"=_{digest.hexdigest()[:40]}"


def _encoded(data: bytes, lines: Sequence[bytes]) -> tuple[str, bytes]:
    """Choose the transfer encoding: as it is, quoted-printable, or base64 for other scripts."""
    is_plain = data.isascii() and not re.search(rb"[^\t\n -~]", data)
    if is_plain and all(len(x) <= _SHORT and not x.startswith(b"From ") for x in lines):
        return "7bit", b"\r\n".join(lines)
    if sum(byte > 127 for byte in data) * 3 > len(data):
        return "base64", b"".join(base64_text.lines(b"\r\n".join(lines)))
    return "quoted-printable", b"\r\n".join(map(_quoted_printable, lines))


def _quoted_printable(line: bytes) -> bytes:
    quoted = binascii.b2a_qp(line).replace(b"\n", b"\r\n")
    # "From " at the start of a line would be changed by whoever keeps mail in an mbox
    return b"=46rom " + quoted[5:] if quoted.startswith(b"From ") else quoted


def _content_type(file: File, name: str) -> str:
    """Return the declared type with its parameters, or the one that the name tells."""
    declared = file.content_type.strip()
    if not declared:
        return _TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")
    kind, separator, parameters = declared.partition(";")
    main, _, sub = kind.strip().lower().partition("/")
    proper = is_token(main) and is_token(sub) and main != "multipart"
    if not proper or not _PARAMETERS.fullmatch(separator + parameters):
        raise ValueError(f"file {name!r}: {declared[:80]!r} is not a content type of a file")
    return f"{main}/{sub}{separator}{parameters}"


def _plain_name(name: str) -> str:
    """Return a name in ASCII, for readers that do not know RFC 2231."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem, dot, suffix = folded.rpartition(".")
    plain = folded if name.isascii() or (stem if dot else suffix).strip() else f"file{dot}{suffix}"
    return plain[:60] if len(plain) <= 60 else f"{plain[:40]}{plain[-20:]}"


def _disposition(name: str, *, inline: bool = False) -> Field:
    parameters = [("filename", name)] if name else []
    return parametrized("Content-Disposition", "inline" if inline else "attachment", parameters)


def _content_id(file: File) -> str:
    content_id = file.content_id.removeprefix("<").removesuffix(">")
    if not _CONTENT_ID.fullmatch(content_id):
        raise ValueError(f"file {file.filename!r}: {file.content_id[:80]!r} is not a Content-ID")
    return content_id

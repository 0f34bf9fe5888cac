"""The files of a mail: which parts they are, what they hold, and names that are safe to save."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

from . import bodies, images, magic, mime
from .model import Limits, ParsedAttachment

if TYPE_CHECKING:
    from .model import Mail, Part

_MAX_NAME = 150  # bytes: leaves room for a hash in front within the 255 of most file systems
_MAX_LISTED = 1_000
_NAMES = {
    "message/rfc822": "message.eml",
    "message/global": "message.eml",
    "message/delivery-status": "delivery-status.txt",
    "message/global-delivery-status": "delivery-status.txt",
    "message/disposition-notification": "disposition-notification.txt",
    "message/feedback-report": "feedback-report.txt",
    "text/rfc822-headers": "headers.txt",
    "message/rfc822-headers": "headers.txt",
    "text/calendar": "invite.ics",
    "application/ics": "invite.ics",
    "text/vcard": "contact.vcf",
    "text/x-vcard": "contact.vcf",
    "application/pgp-signature": "signature.asc",
    "application/pgp-encrypted": "version.asc",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/ms-tnef": "winmail.dat",
    "application/vnd.ms-tnef": "winmail.dat",
}
_EXTENSIONS = {
    "text/plain": "txt",
    "text/html": "html",
    "text/csv": "csv",
    "image/jpeg": "jpg",
    "image/svg+xml": "svg",
    "audio/mpeg": "mp3",
    "application/zip": "zip",
    "application/pdf": "pdf",
    "application/json": "json",
    "application/xml": "xml",
    "application/octet-stream": "bin",
}
# Names that Windows reserves with any extension.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|\Z)", re.IGNORECASE)
_UNSAFE = re.compile(r'[<>:"|?*$`;&\'\\]')


def attachments(mail: Mail) -> tuple[ParsedAttachment, ...]:
    """Return the files of a mail in order; ``index`` finds each again in the same bytes."""
    text = mail.html
    return tuple(
        _describe(index, part, text) for index, part in enumerate(_files(mail)[:_MAX_LISTED])
    )


def extract(raw: bytes, index: int, limits: Limits = Limits()) -> bytes:
    """Return the bytes of the attachment that ``parse`` numbered so; raise IndexError if none."""
    return _files(mime.decode(raw, limits))[index].data


def is_message(content_type: str, filename: str = "") -> bool:
    """Tell whether a file is a message: by its declared type, else by its name."""
    if content_type in ("", "application/octet-stream"):
        return filename.lower().endswith(".eml")
    return content_type in ("message/rfc822", "message/global")


def safe_name(filename: str) -> str:
    """Return a file name that can do no harm in a folder, in a shell or on a page; never empty.

    Keeps letters of every script. At most 150 bytes, no path, no control or direction signs, no
    leading dot or dash, no name that Windows reserves.
    """
    name = unicodedata.normalize("NFC", filename)
    name = name.replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    name = "".join(c for c in name if c.isprintable() or c in "\u200c\u200d")
    name = _UNSAFE.sub("_", name)
    name = " ".join(name.split()).strip(" .-~").strip()
    if _RESERVED.match(name):
        name = f"_{name}"
    return _shortened(name) or "attachment"


def _files(mail: Mail) -> list[Part]:
    unpacked = {part.container for part in mail.parts} & mime.TNEF
    return [
        part
        for part in mail.parts
        if not bodies.is_body(part)
        and not bodies.is_variant(part)
        and part.content_type not in unpacked
    ]


def _describe(index: int, part: Part, html: str) -> ParsedAttachment:
    name = part.filename or _default_name(index, part.content_type)
    cited = bool(part.content_id) and f"cid:{part.content_id}" in html
    is_image = part.content_type.startswith("image/")
    inline = cited or (part.disposition == "inline" and is_image)
    return ParsedAttachment(
        index=index,
        filename=name,
        safe_name=safe_name(name),
        content_type=part.content_type,
        sniffed_type=magic.sniff(part.data),
        size=len(part.data),
        sha256=hashlib.sha256(part.data).hexdigest(),
        inline=inline,
        content_id=part.content_id,
        data=part.data,
        dimensions=images.dimensions(part.data),
    )


def _default_name(index: int, content_type: str) -> str:
    if content_type in _NAMES:
        return _NAMES[content_type]
    kind, _, subtype = content_type.partition("/")
    short = subtype if subtype.isalnum() and len(subtype) <= 5 else "bin"
    noun = kind if kind in ("image", "audio", "video") else "attachment"
    return f"{noun}-{index + 1}.{_EXTENSIONS.get(content_type, short)}"


def _shortened(name: str) -> str:
    # Cuts whole characters, and keeps the extension.
    if len(name.encode()) <= _MAX_NAME:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension.encode()) > 16:
        stem, extension = name, ""
    room = _MAX_NAME - len(extension.encode()) - 1
    stem = stem.encode()[:room].decode("utf-8", "ignore").rstrip(" .")
    return f"{stem}.{extension}" if extension else stem

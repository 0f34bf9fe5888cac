"""Bytes to text: the declared charset when it can be one, then a guess; no byte is dropped.

Only charsets of text are accepted. Python's other codecs (idna, punycode, zlib, rot13, utf-7 and
so on) are slow, hide markup or are not charsets at all, and a mail may name any of them.
"""

from __future__ import annotations

import codecs
import functools
import re

# What the WHATWG Encoding Standard section 4.2 reads these labels as: mails use the larger set.
_ALIASES = {
    "ansi_x3.4-1968": "cp1252",
    "ansi_x3.4-1986": "cp1252",
    "iso-ir-6": "cp1252",
    "us": "cp1252",
    "iso646-us": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "l1": "cp1252",
    "cp819": "cp1252",
    "ibm819": "cp1252",
    "iso8859-1": "cp1252",
    "iso-8859-1": "cp1252",
    "iso_8859-1": "cp1252",
    "iso_8859-1:1987": "cp1252",
    "iso-ir-100": "cp1252",
    "windows-1252": "cp1252",
    "x-cp1252": "cp1252",
    "ansi": "cp1252",
    "iso-8859-9": "cp1254",
    "latin5": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso8859_8",
    "iso-8859-8-e": "iso8859_8",
    "logical": "iso8859_8",
    "visual": "iso8859_8",
    "iso-8859-6-i": "iso8859_6",
    "iso-8859-6-e": "iso8859_6",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gb-2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "chinese": "gb18030",
    "big5": "cp950",
    "x-x-big5": "cp950",
    "cn-big5": "cp950",
    "big5-hkscs": "big5hkscs",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "ms_kanji": "cp932",
    "windows-31j": "cp932",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601-1989": "cp949",
    "ksc5601": "cp949",
    "ksc_5601": "cp949",
    "korean": "cp949",
    "windows-949": "cp949",
    "iso-2022-jp": "iso2022_jp_ext",
    "csiso2022jp": "iso2022_jp_ext",
    "x-euc-jp": "euc_jp",
    "koi": "koi8_r",
    "koi8": "koi8_r",
    "koi8-ru": "koi8_u",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "x-macroman": "mac_roman",
    "x-mac-ce": "mac_latin2",
    "dos-874": "cp874",
    "utf8": "utf-8",
    "utf-8mb4": "utf-8",
    "utf8mb4": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "unicode": "utf-16",
    "ucs-2": "utf-16",
    "iso-10646-ucs-2": "utf-16",
}
# The codecs that are charsets of text, by Python's own names (codecs.lookup(label).name).
_TEXT_CODECS = frozenset(
    "ascii utf-8 utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be cp1252 "
    "gb18030 gb2312 gbk hz big5 big5hkscs cp950 cp932 shift_jis shift_jis_2004 shift_jisx0213 "
    "euc_jp euc_jis_2004 euc_jisx0213 iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_2004 "
    "iso2022_jp_3 iso2022_jp_ext iso2022_kr euc_kr cp949 johab "
    "koi8-r koi8-u koi8-t kz1048 ptcp154 tis-620 viscii "
    "iso8859-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-9 "
    "iso8859-10 iso8859-11 iso8859-13 iso8859-14 iso8859-15 iso8859-16 "
    "cp037 cp273 cp437 cp500 cp720 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 "
    "cp863 cp864 cp865 cp866 cp869 cp874 cp1006 cp1026 cp1125 cp1140 cp1250 cp1251 cp1253 cp1254 "
    "cp1255 cp1256 cp1257 cp1258 mac-croatian mac-cyrillic mac-greek mac-iceland mac-latin2 "
    "mac-roman mac-romanian mac-turkish".split()
)
_ONE_BYTE = ("cp125", "iso8859", "koi8", "mac-", "cp87")
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")
_LABEL = re.compile(r"[a-z0-9][a-z0-9._:+-]{0,39}\Z")
_MULTIBYTE_ESCAPES = (b"\x1b$", b"\x1b(J")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


_MARKING = frozenset(mark[0] for mark, _ in _BOMS)


@functools.lru_cache(maxsize=256)
def codec(label: str) -> str:
    """Return the Python codec for a charset label, or "" when it names no charset of text."""
    name = label.strip(" \t\"'<>;,=").lower()
    if name in ("utf-8", "us-ascii", "ascii"):
        return "utf-8" if name == "utf-8" else "ascii"
    name = _ALIASES.get(name, name)
    if not _LABEL.match(name):
        return ""
    return _look_up(name) or _look_up("cp" + name.rpartition("-")[2])


def decode(data: bytes, charset: str = "", *, otherwise: str = "") -> str:
    """Return the text of ``data``, declared to be in ``charset``; never raises.

    A charset that is missing, unknown or plainly wrong is guessed: UTF-8, else ``otherwise``, else
    windows-1252. What still cannot be read becomes U+FFFD. NUL and lone surrogates are taken out:
    databases refuse them.
    """
    name = codec(charset) if charset else ""
    if name in ("", "ascii", "utf-8"):
        if data.isascii() and b"\x1b" not in data and b"\0" not in data:
            return data.decode("ascii")
        if data[0] not in _MARKING and b"\0" not in data and not data.isascii():
            text = _strictly(data, "utf-8")
            if text is not None:
                return text
        return clean(_sniffed(data, codec(otherwise) or "cp1252", is_utf8=name == "utf-8"))
    if name in ("utf-16", "utf-32") and not data.startswith(_UTF_16_MARKS):
        return clean(_without_mark(data, name))
    return clean(_with_codec(data, name))


def clean(text: str) -> str:
    """Return the text without NUL and with lone surrogates as U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "")
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _look_up(name: str) -> str:
    # codecs.lookup turns "-" and " " into "_" and imports encodings.NAME; _LABEL keeps paths out.
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    return found if found in _TEXT_CODECS else ""


def _sniffed(data: bytes, otherwise: str, *, is_utf8: bool = False) -> str:
    if data.isascii():
        if b"\x1b" in data and any(mark in data for mark in _MULTIBYTE_ESCAPES):
            return _with_codec(data, "iso2022_jp_ext")
        return data.decode("ascii")
    if data[0] in _MARKING:
        for mark, name in _BOMS:
            if data.startswith(mark):
                return data.decode(name, "replace")
    text = _strictly(data, "utf-8")
    if text is not None:
        return text
    # A cut or damaged UTF-8 text stays UTF-8; one with next to no valid sequence never was UTF-8.
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = sum(map(len, _NON_ASCII.findall(text))) - wrong
    return text if right > wrong or (is_utf8 and right) else _with_codec(data, otherwise)


def _with_codec(data: bytes, name: str) -> str:
    if name.startswith(_ONE_BYTE) and (text := _as_utf8(data)):
        return text
    if text := _strictly(data, name) or _as_utf8(data):
        return text
    if name == "iso2022_jp_ext":
        return _decode_jis(data)
    try:
        return data.decode(name, "replace")
    except (UnicodeError, ValueError):
        return data.decode("latin-1")


def _strictly(data: bytes, name: str) -> str | None:
    # The text if every byte of the data fits the codec.
    try:
        return data.decode(name)
    except (UnicodeError, ValueError):
        return None


def _as_utf8(data: bytes) -> str:
    # The text if it is UTF-8 beyond doubt: two characters that by chance no other charset gives.
    if data.isascii():
        return ""
    text = _strictly(data, "utf-8")
    return text if text and len(data) - len(text) > 1 else ""


def _decode_jis(data: bytes) -> str:
    # ISO-2022-JP with the signs that Windows adds to JIS X 0208, which Python's codec refuses:
    # the same characters are in cp932, at places that follow from those in JIS.
    first, *rest = data.split(b"\x1b")
    pieces = [first.decode("ascii", "replace")]
    for piece in rest:
        mode, body = piece[:2], piece[2:]
        if mode in (b"$B", b"$@"):
            pieces.append(_shifted(body).decode("cp932", "replace"))
        else:
            pieces.append(body.decode("cp932", "replace"))
    return "".join(pieces)


def _shifted(body: bytes) -> bytes:
    # JIS X 0208 rows and cells as Shift_JIS; a line end inside is no character.
    out = bytearray()
    for one, two in zip(body[::2], body[1::2], strict=False):
        if one < 0x21 or two < 0x21:
            out += bytes((one, two))
            continue
        lead = ((one - 0x21) >> 1) + 0x81
        trail = two + 0x7E if one % 2 == 0 else two + (0x1F if two < 0x60 else 0x20)
        out += bytes(((lead + 0x40 if lead > 0x9F else lead) & 0xFF, trail & 0xFF))
    return bytes(out)


def _without_mark(data: bytes, name: str) -> str:
    # Without a byte order mark, RFC 2781 section 4.3 says big-endian; most mails are little-endian.
    zeros_first = data[0:200:2].count(0) > data[1:200:2].count(0)
    if b"\0" not in data[:200]:
        return _sniffed(data, "cp1252")
    return _with_codec(data, f"{name}-{'be' if zeros_first else 'le'}")

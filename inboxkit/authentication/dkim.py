"""DKIM signatures (RFC 6376), checked by dkimpy under limits that hostile mail cannot exceed.

The body is hashed here: dkimpy's own way takes quadratic time on runs of spaces.
"""

from __future__ import annotations

import base64
import binascii
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import ed25519
from .canonical import BodyHash
from .conclusion import Proof
from .domains import aligned, ascii_form
from .resolver import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .resolver import Budget

_MOST_SIGNATURES = 5
_LONGEST_FIELD = 8 * 1024
_LONGEST_SPACE = re.compile(rb"\s{256}")
_DOMAIN = re.compile(rb"[;\s]d[ \t]*=\s{0,9}([^;\s]{1,253})")
_LONGEST_KEY = 2_000  # characters of a record; a key of 4,096 bits has 740
_MOST_BITS = 4_096  # RFC 8301 section 3.2
_LARGEST_EXPONENT = 1 << 32
_FIELD = b"dkim-signature"
_ALGORITHMS = (b"rsa-sha256", ed25519.ALGORITHM)  # RFC 8301 section 3.1: no SHA-1


def check(head: bytes, body: bytes, sender: str, names: Budget) -> list[Proof]:
    """Return what each signature proves, those of the sender's organization first.

    At most five are checked. One whose ``l=`` leaves the end of the body unsigned, or whose hash is
    SHA-1, gives "policy".
    """
    library: Any = import_module("dkim")
    try:
        mail = library.DKIM(head)
    except Exception:  # noqa: BLE001 - foreign input in a foreign library, which raises anything
        return [Proof("permerror")] if _FIELD in head.lower() else []
    fields = [value for name, value in mail.headers if name.lower() == _FIELD]
    order = sorted(range(len(fields)), key=lambda n: not aligned(_domain(fields[n]), sender))
    hashed = BodyHash(body)
    key = keys(library, names)
    return [
        _checked(library, mail, number, fields[number], hashed, key)
        for number in order[:_MOST_SIGNATURES]
    ]


def keys(library: Any, names: Budget) -> Callable[..., bytes | None]:
    """Return how dkimpy gets at the record of a key; None for one that would take too long."""

    def key(name: bytes, timeout: float = 5) -> bytes | None:
        found = names.lookup(name.decode("latin-1").rstrip("."), "TXT")
        record = found[0].encode("latin-1") if found else b""
        return record if _is_bounded(library, record) else None

    return key


def is_plain(fields: Iterable[bytes]) -> bool:
    """Whether fields are short enough for dkimpy, whose expressions nest their repeats."""
    return all(len(f) <= _LONGEST_FIELD and not _LONGEST_SPACE.search(f) for f in fields)


def same_hash(fields: dict[bytes, bytes], hashed: BodyHash) -> bool:
    """Whether the body is the one that was signed."""
    algorithm = fields.get(b"c", b"simple/simple").lower().partition(b"/")[2] or b"simple"
    try:
        signed = base64.b64decode(b"".join(fields[b"bh"].split()))
    except binascii.Error:
        return False
    return signed == hashed(algorithm.strip())


def _checked(
    library: Any,
    mail: Any,
    number: int,
    field: bytes,
    hashed: BodyHash,
    key: Callable[..., bytes | None],
) -> Proof:
    domain = _domain(field)
    if not is_plain([field]):
        return Proof("permerror", domain)
    try:
        return Proof(_result(library, mail, number, hashed, key), domain)
    except Unanswered:
        return Proof("temperror", domain)
    except (library.ValidationError, library.NaClNotFoundError):  # a key of the other algorithm
        return Proof("fail", domain)
    except Exception:  # noqa: BLE001 - foreign input in a foreign library, which raises anything
        return Proof("permerror", domain)


def _result(
    library: Any, mail: Any, number: int, hashed: BodyHash, key: Callable[..., bytes | None]
) -> str:
    fields, signed, found = mail.verify_headerprep(number)
    if b"from" not in signed:  # RFC 6376 section 6.1.1
        return "permerror"
    if b"l" in fields or fields[b"a"] not in _ALGORITHMS:
        return "policy"
    if not same_hash(fields, hashed):
        return "fail"
    without_hash = {name: value for name, value in fields.items() if name != b"bh"}
    if fields[b"a"] == ed25519.ALGORITHM:
        record = key(fields[b"s"] + b"._domainkey." + fields[b"d"] + b".") or b""
        good = ed25519.verify(library, mail, without_hash, signed, found[number], record)
    else:
        good = mail.verify_sig(without_hash, signed, found[number], key)
    return "pass" if good else "fail"


def _domain(field: bytes) -> str:
    found = _DOMAIN.search(b";" + field[:_LONGEST_FIELD])
    return ascii_form(found[1].decode("latin-1")) if found else ""


def signing_domains(fields: Iterable[str]) -> list[str]:
    """Return the domains that sign a mail, as far as its DKIM-Signature fields say."""
    return [_domain(field.encode("utf-8", "replace")) for field in fields]


def _is_bounded(library: Any, record: bytes) -> bool:
    """Whether a public key can be used in a moment: a huge one would stop the whole process."""
    if len(record) > _LONGEST_KEY:
        return False
    try:
        key, _, kind, _ = library.evaluate_pk(b"", record)
    except Exception:  # noqa: BLE001 - dkimpy meets the same record again, and says what is wrong
        return True
    if kind != b"rsa":
        return True
    bits = int(key["modulus"]).bit_length()
    return bits <= _MOST_BITS and int(key["publicExponent"]) <= _LARGEST_EXPONENT

"""Ed25519 signatures of DKIM (RFC 8463), checked by cryptography: dkimpy would need PyNaCl."""

from __future__ import annotations

import base64
from importlib import import_module
from typing import Any

ALGORITHM = b"ed25519-sha256"


class PublicKey:
    """Stands where dkimpy has a key of PyNaCl's, and remembers whether the signature was good.

    It raises nothing for a bad one: dkimpy would look for an exception of PyNaCl's then.
    """

    def __init__(self, key: Any) -> None:
        self._key = key
        self.is_satisfied = False

    def verify(self, digest: bytes, signature: bytes) -> None:
        """Check the signature of the header's hash."""
        exceptions: Any = import_module("cryptography.exceptions")
        try:
            self._key.verify(signature, digest)
        except exceptions.InvalidSignature:
            return
        self.is_satisfied = True


def public_key(library: Any, record: bytes) -> PublicKey | None:
    """Return the key of a record (RFC 6376 section 3.6.1); None when it holds none of this kind."""
    keys: Any = import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    try:
        tags = library.parse_tag_value(record)
        if tags[b"k"] != b"ed25519" or tags.get(b"v", b"DKIM1") != b"DKIM1":
            return None
        data = base64.b64decode(b"".join(tags[b"p"].split()), validate=True)
        return PublicKey(keys.Ed25519PublicKey.from_public_bytes(data))
    except (KeyError, ValueError, library.InvalidTagValueList):
        return None


def verify(
    library: Any, mail: Any, fields: dict[bytes, bytes], signed: Any, header: Any, record: bytes
) -> bool:
    """Whether the signature in these fields is one of the key in a record."""
    key = public_key(library, record)
    if key is None:
        return False
    mail.pk, mail.keysize, mail.ktag, mail.seqtlsrpt = key, 256, b"ed25519", False
    mail.verify_sig_process(fields, signed, header, None)
    return key.is_satisfied

"""DKIM keys: made for a domain, written into its DNS, and used to sign what it sends (RFC 6376).

Needs the extra ``auth``; its libraries are loaded when a key is made or used.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from .errors import ConfigurationError

SELECTOR = "inboxkit"
_BITS = 2048  # RFC 8301 section 3.2
_INSTALL = "pip install 'inboxkit[auth]'"


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A domain's private key, as PEM, and the name that its public key is found under."""

    domain: str
    selector: str
    pem: str = field(repr=False)

    def sign(self, mail: bytes) -> bytes:
        """Return a mail with a signature in front of it; raise ConfigurationError."""
        signature: bytes = _dkim().sign(
            mail,
            self.selector.encode(),
            self.domain.encode("idna"),
            self.pem.encode(),
            canonicalize=(b"relaxed", b"relaxed"),
        )
        return signature + mail


def new_key(domain: str, selector: str = SELECTOR) -> DkimKey:
    """Make an RSA key of 2048 bits; raise ConfigurationError without the library."""
    try:
        from cryptography.hazmat.primitives import serialization  # 50 ms
        from cryptography.hazmat.primitives.asymmetric import rsa
    except ImportError:
        raise ConfigurationError(f"DKIM keys need a library: {_INSTALL}") from None
    made = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    pem = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,  # what dkimpy reads
        serialization.NoEncryption(),
    )
    return DkimKey(domain, selector, pem.decode())


def public_record(key: DkimKey) -> str:
    """Return the TXT record that tells others the public key (RFC 6376 section 3.6.1)."""
    try:
        from cryptography.hazmat.primitives import serialization  # see above
    except ImportError:
        raise ConfigurationError(f"DKIM keys need a library: {_INSTALL}") from None
    private = serialization.load_pem_private_key(key.pem.encode(), password=None)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


def _dkim() -> Any:
    try:
        return import_module("dkim")  # only who signs needs it
    except ImportError:
        raise ConfigurationError(f"signing by DKIM needs a library: {_INSTALL}") from None

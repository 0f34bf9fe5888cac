"""Signatures of vendors that sign with a private key: RSA PKCS#1 v1.5 and ECDSA on P-256.

Needs the ``cryptography`` library (extra ``signatures``), imported when the first key is read.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

Digest: TypeAlias = Literal["sha1", "sha256"]

_LONGEST_KEY = 64 * 1024
_FORMS = "a PEM public key, a PEM certificate, or base64 of a DER public key"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that checks signatures; made by ``read``."""

    _key: Any = field(repr=False)

    @classmethod
    def read(cls, text: str) -> PublicKey:
        """Read a PEM public key, a PEM certificate, or base64 of a DER public key (RFC 5280).

        Raises ValueError for anything else, and for keys that are neither RSA of 1024 bits or
        more nor ECDSA on P-256; ConfigurationError when ``cryptography`` is not installed.
        """
        libraries = _cryptography()
        errors = (ValueError, binascii.Error, libraries.Unsupported, RecursionError)
        try:
            key = _load(libraries, text.strip()[:_LONGEST_KEY])
        except errors:
            raise ValueError(f"not {_FORMS}") from None
        if isinstance(key, libraries.rsa.RSAPublicKey) and key.key_size >= 1024:
            return cls(key)
        if isinstance(key, libraries.ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1":
            return cls(key)
        raise ValueError("neither an RSA key of 1024 bits or more nor an ECDSA key on P-256")

    def verify(self, signature: str, signed: bytes, digest: Digest = "sha256") -> bool:
        """Whether ``signature``, in base64, is this key's over ``signed``; never raises.

        RSA is PKCS#1 v1.5 (RFC 8017 section 8.2), ECDSA a DER pair (RFC 3279 section 2.2.3).
        """
        libraries = _cryptography()
        try:
            data = base64.b64decode("".join(signature.split()), validate=True)
            self._key.verify(data, signed, *libraries.scheme(self._key, digest))
        except (ValueError, libraries.Invalid, libraries.Unsupported):
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs as a vendor does, for the Fakes; made by ``rsa``, ``ecdsa`` or ``read``."""

    _key: Any = field(repr=False)

    @classmethod
    def read(cls, text: str) -> PrivateKey:
        """Read base64 of a DER private key (RFC 5208); raise ValueError for anything else."""
        return cls(_cryptography().serialization.load_der_private_key(base64.b64decode(text), None))

    @classmethod
    def rsa(cls) -> PrivateKey:
        """Make a new RSA key of 2048 bits."""
        return cls(_cryptography().rsa.generate_private_key(65537, 2048))

    @classmethod
    def ecdsa(cls) -> PrivateKey:
        """Make a new key on P-256."""
        ec = _cryptography().ec
        return cls(ec.generate_private_key(ec.SECP256R1()))

    def sign(self, signed: bytes, digest: Digest = "sha256") -> str:
        """Return the signature over ``signed`` in base64."""
        scheme = _cryptography().scheme(self._key, digest)
        return base64.b64encode(self._key.sign(signed, *scheme)).decode()

    @property
    def public(self) -> str:
        """The public key: base64 of its DER form, as SendGrid and Postal show it."""
        return base64.b64encode(self._public("DER")).decode()

    @property
    def public_pem(self) -> str:
        """The public key in PEM."""
        return self._public("PEM").decode()

    def certificate(self, name: str, now: datetime) -> str:
        """Return a certificate of this key in PEM, signed by itself and good for a year."""
        libraries = _cryptography()
        x509 = libraries.x509
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365))
        )
        signed = builder.sign(self._key, libraries.hashes.SHA256())
        return str(signed.public_bytes(libraries.serialization.Encoding.PEM).decode())

    def _public(self, encoding: Literal["DER", "PEM"]) -> bytes:
        serialization = _cryptography().serialization
        return bytes(
            self._key.public_key().public_bytes(
                getattr(serialization.Encoding, encoding),
                serialization.PublicFormat.SubjectPublicKeyInfo,
            )
        )


class _Libraries:
    """What we use of ``cryptography``; it is not a dependency of the core, so it comes late."""

    def __init__(self) -> None:
        from cryptography import exceptions, x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

        self.x509: Any = x509
        self.hashes: Any = hashes
        self.serialization: Any = serialization
        self.ec: Any = ec
        self.rsa: Any = rsa
        self.Invalid = exceptions.InvalidSignature
        self.Unsupported = exceptions.UnsupportedAlgorithm
        self._padding: Any = padding

    @cached_property
    def _digests(self) -> dict[str, Any]:
        return {"sha1": self.hashes.SHA1(), "sha256": self.hashes.SHA256()}

    def scheme(self, key: Any, digest: Digest) -> tuple[Any, ...]:
        """Return the arguments after the data: padding and hash of RSA, or ECDSA's hash."""
        chosen = self._digests[digest]
        if isinstance(key, (self.rsa.RSAPublicKey, self.rsa.RSAPrivateKey)):
            return (self._padding.PKCS1v15(), chosen)
        return (self.ec.ECDSA(chosen),)


def require() -> None:
    """Raise ConfigurationError that says what to install, unless signatures can be checked."""
    _cryptography()


@cache
def _cryptography() -> _Libraries:
    try:
        return _Libraries()
    except ImportError as error:
        raise ConfigurationError(
            "this provider's webhooks need cryptography: pip install 'inboxkit[signatures]'"
        ) from error


def _load(libraries: _Libraries, text: str) -> Any:
    if text.startswith("-----BEGIN CERTIFICATE-----"):
        return libraries.x509.load_pem_x509_certificate(text.encode()).public_key()
    if text.startswith("-----BEGIN "):
        return libraries.serialization.load_pem_public_key(text.encode())
    der = base64.b64decode("".join(text.split()), validate=True)
    return libraries.serialization.load_der_public_key(der)

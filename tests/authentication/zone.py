"""A DNS of a dict, and mail signed with real keys."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib import import_module
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from inboxkit.authentication.canonical import split
from inboxkit.authentication.resolver import Budget, Unanswered

Records = Mapping[tuple[str, str], Sequence[str] | None]
PEER = "198.51.100.7"
MAIL = (
    b"From: Ann <ann@shop.example>\r\nTo: support@inbox.example\r\nSubject: Hello\r\n"
    b"Message-ID: <1@shop.example>\r\n\r\nTwo  blue   lids, please. \r\n\r\n"
)
SPF = {("shop.example", "TXT"): [f"v=spf1 ip4:{PEER} -all"]}
DMARC = {("_dmarc.shop.example", "TXT"): ["v=DMARC1; p=reject"]}


class Zone:
    """Answers from a dict; None stands for a name server that is silent."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.asked: list[tuple[str, str]] = []

    def lookup(self, name: str, kind: str, *, timeout: float) -> Sequence[str]:
        """Return the records of a name."""
        self.asked.append((name, kind))
        found = self.records.get((name, kind), ())
        if found is None:
            raise Unanswered(name)
        return found


def budget(*records: Records) -> Budget:
    """Return a zone's resolver as one mail has it."""
    return Budget(Zone({k: v for some in records for k, v in some.items()}), 5.0)


@cache
def private_key(bits: int = 1024) -> rsa.RSAPrivateKey:
    """Return a key, the same for all tests."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def public_record(bits: int = 1024) -> str:
    """Return the record of the key, as a domain publishes it."""
    return _record(private_key(bits).public_key())


def _record(public: rsa.RSAPublicKey) -> str:
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


def keys(*domains: str, bits: int = 1024) -> Records:
    """Return the records under which these domains publish the key."""
    return {(f"s1._domainkey.{domain}", "TXT"): [public_record(bits)] for domain in domains}


def pem(bits: int = 1024) -> bytes:
    """Return the private key as dkimpy reads it."""
    return private_key(bits).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def signed(
    raw: bytes = MAIL, domain: str = "shop.example", *, bits: int = 1024, **options: Any
) -> bytes:
    """Return a mail with a signature of the domain on top."""
    library: Any = import_module("dkim")
    return bytes(library.sign(raw, b"s1", domain.encode(), pem(bits), **options)) + raw


def signed_without_from() -> bytes:
    """Return a mail whose signature is right, but covers only the subject."""
    library: Any = import_module("dkim")
    signer = library.DKIM(MAIL)
    signer.hasher = sha256
    policy = library.CanonicalizationPolicy.from_c_value(b"relaxed/simple")
    body_hash = base64.b64encode(sha256(policy.canonicalize_body(signer.body)).digest())
    tags = b"v=1;a=rsa-sha256;c=relaxed/simple;d=shop.example;s=s1;h=subject;bh=%b;b=0" % body_hash
    fields = [tuple(tag.split(b"=", 1)) for tag in tags.split(b";")]
    key = library.parse_pem_private_key(pem())
    value = bytes(signer.gen_header(fields, [b"subject"], policy, b"DKIM-Signature", key))
    return b"DKIM-Signature: " + value + MAIL


def endless_key() -> str:
    """Return the record of a key whose exponent is as long as its modulus."""
    numbers = rsa.RSAPublicNumbers(e=(1 << 5_000) + 1, n=(1 << 6_000) + 1)
    return _record(numbers.public_key())


def sealed(raw: bytes, sealer: str, results: str, *, length: int | None = None) -> bytes:
    """Return a mail with an ARC set of a forwarder on top, which states these results.

    ``length`` is how much of the body the set says it holds for, where it says so.
    """
    library: Any = import_module("dkim")
    stated = f"Authentication-Results: {sealer}; {results}\r\n".encode() + raw
    name = sealer.encode()
    at = None if length is None else f"1700000000; l={length}"  # dkimpy has no other place for it
    return b"".join(library.arc_sign(stated, b"s1", name, pem(), name, timestamp=at)) + stated


def parts(raw: bytes) -> tuple[bytes, bytes]:
    """Return header block and body."""
    return split(raw)

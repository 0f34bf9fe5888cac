from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.providers.public_keys import Digest, PrivateKey, PublicKey

from .vendor import cases

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RSA, ECDSA = PrivateKey.rsa(), PrivateKey.ecdsa()
# made with openssl genrsa and ecparam, which know nothing of the library under test
_PUBLIC = {
    "RSA": (
        "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCl64xS2s6uBn1kpEdypo+8U/tLt90xmD9/I2v5"
        "YPXgld/4pxfaoRmeZVEcnERjngFs/49fDi2mUuLhhJ/8nuQYLZNZSJN/mynWRgr0fJzIa9Qq6b3h"
        "8VF7VgmxvZSlb4xA0zlaSn3BzmkK+QNjDRB9gjhT8MNj2NiMaPfMp9nKowIDAQAB"
    ),
    "ECDSA": (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUsmZ3DzAQecRFTyTo8K2BPOjascJyBXYgLDDHgSh"
        "Qms0afztR9QZDOTsbahwQx5ECjuZtslMV5CcqldhI6FBPw=="
    ),
}
# openssl dgst -sign over the bytes "signed by openssl"
_SIGNATURES: dict[tuple[str, Digest], str] = {
    ("RSA", "sha1"): (
        "Zw6LeaD8wnpm8CUvJ0Ls/FkWuE3Etq5tZmTF9tDCZ3VaiNQgkvQqhsOOqw4VERm7lsRwVLnjMeJc"
        "BhyGYCR8BL0O/tUltRi+afl1QnN6555u4fYHMMZqhewNZgTHFGVPk/faqDK7L+Ox4pL2ulrJ4t5W"
        "DNN3hQtdmRYKpO/jSLk="
    ),
    ("RSA", "sha256"): (
        "P3jSzJIiKqRuBSMjDfhMNBPJn1p9YyxlFV8MiUTPp5AyCsQuerlzkljGnS4i+4JnQcNox0s5aIVp"
        "RA3ffFzRO8vyWIGkSwPcip8ncGWlPY86osT67CgU47AiFII57pghxAVp+gzekviJn3YrKsszWNlQ"
        "pNQ/H57KFMQDRLib4uc="
    ),
    ("ECDSA", "sha1"): (
        "MEUCIQDJolaeeKI4DwNWGoBmPWcQdDpAj6nn2YcpotHojKXWnAIgY48fpYgharWWV0TDGX+U/ae8"
        "jT5hiXgMYheLr7qdwvI="
    ),
    ("ECDSA", "sha256"): (
        "MEYCIQDZ/eZXxOgutrDrODTyijpWW7Mz8PAEfBIlewl3l0/1MQIhAMv7wmaeQSUEMVxdgFUgPBJs"
        "MEjO/eWL531ntm6G5BGa"
    ),
}


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
@pytest.mark.parametrize("key", cases({"RSA": RSA, "ECDSA": ECDSA}))
def test_a_signature_holds_for_its_bytes_digest_and_key_alone(
    key: PrivateKey, digest: Digest
) -> None:
    signature = key.sign(b"data", digest)
    public = PublicKey.read(key.public)

    assert public.verify(signature, b"data", digest)
    assert not public.verify(signature, b"datA", digest)
    assert not public.verify(signature, b"data", "sha1" if digest == "sha256" else "sha256")
    assert not PublicKey.read(PrivateKey.ecdsa().public).verify(signature, b"data", digest)


@pytest.mark.parametrize(("key", "digest"), list(_SIGNATURES))
def test_what_openssl_signed_is_accepted(key: str, digest: Digest) -> None:
    public = PublicKey.read(_PUBLIC[key])

    assert public.verify(_SIGNATURES[key, digest], b"signed by openssl", digest)
    assert not public.verify(_SIGNATURES[key, digest], b"signed by nobody", digest)


@pytest.mark.parametrize(
    "text",
    cases(
        {
            "DER in base64": RSA.public,
            "in lines": "\n".join(RSA.public[n : n + 64] for n in range(0, 400, 64)),
            "PEM": RSA.public_pem,
            "certificate": RSA.certificate("sns.amazonaws.com", NOW),
            "white space around": f"\n {RSA.public_pem}\n ",
        }
    ),
)
def test_a_key_is_read_in_every_form_it_comes_in(text: str) -> None:
    assert PublicKey.read(text).verify(RSA.sign(b"data"), b"data")


@pytest.mark.parametrize(
    "text",
    cases(
        {
            "nothing": "",
            "no base64": "!!",
            "no key": "AAAA",
            "not ASCII": "ключ",
            "cut off": RSA.public[:100],
            "an empty certificate": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
            "a private key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "RSA of 512 bits": (
                "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANoVvEAIK4mjUsCUiLMWUmMuuvZP4ti4q4DDWSbfFY0b"
                "vRi+xxEV3GU36NhK2dz2+XMZIL5nEZDCHwYU5TPMk48CAwEAAQ=="
            ),
            "another curve (P-384)": (
                "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEEdKMCHl+XPxUrCcMJBDbJONEXudTfa/mcGAAIgb6eMl5"
                "csRHHYwL6Ule4oIPP1MHMpVjFGHfhUDGy3F0p+mSMNqAsXZEo/5UY/mrepIaAb/hZtTYeMZoO/dk"
                "Mo7bqOHN"
            ),
            # RFC 8410 section 10.1: a key for Ed25519
            "another algorithm": "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
        }
    ),
)
def test_what_is_no_usable_key_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(not|neither) a"):
        PublicKey.read(text)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_signature_makes_verify_raise(signature: str) -> None:
    for key in (RSA, ECDSA):
        assert not PublicKey.read(key.public).verify(signature, b"data")


def test_without_the_library_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from inboxkit.providers import public_keys\n"
        "try: public_keys.require()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("ConfigurationError ")
    assert "pip install 'inboxkit[signatures]'" in done.stdout


def test_no_key_shows_in_a_repr() -> None:
    assert repr(RSA) == "PrivateKey()"
    assert repr(PublicKey.read(RSA.public)) == "PublicKey()"

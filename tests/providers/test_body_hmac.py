from __future__ import annotations

import pytest

from inboxkit.errors import ConfigurationError
from inboxkit.providers.base import WebhookRequest
from inboxkit.providers.body_hmac import Signing, sign, signing
from inboxkit.providers.options import Options

from .tampering import forged

SIGNING = Signing("X-Signature", ("first", "second"))


def _post(secret: str) -> WebhookRequest:
    body = b'{"a": 1}'
    return WebhookRequest(headers={"x-signature": sign(secret, body)}, body=body)


def test_the_signature_is_hmac_sha256_in_hex() -> None:
    # RFC 4231, test case 2
    digest = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign("Jefe", b"what do ya want for nothing?") == digest


def test_any_of_the_secrets_will_do() -> None:
    assert SIGNING.refused(_post("first")) is None
    assert SIGNING.refused(_post("second")) is None


def test_what_was_changed_is_refused() -> None:
    for name, bad in forged(_post("first"), "X-Signature").items():
        refused = SIGNING.refused(bad)
        assert refused, name
        assert refused.status == 401


def test_secrets_are_needed_or_waived() -> None:
    def read(**options: str) -> Signing:
        return signing(Options("vendor", options), "X-Signature", ("one", "two"))

    assert read(two="s").secrets == ("s",)
    assert read(one="old, new", two="s").secrets == ("old", "new", "s")
    assert read(insecure="yes").refused(WebhookRequest()) is None
    assert read(one="s", insecure="yes").refused(WebhookRequest())
    with pytest.raises(ConfigurationError, match="vendor: one is missing"):
        read()
    assert "s3cret" not in repr(read(one="s3cret"))

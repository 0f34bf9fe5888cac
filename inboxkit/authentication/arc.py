"""ARC (RFC 8617): what a forwarder saw before it changed a mail; listed sealers are believed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import dkim, results
from .canonical import BodyHash

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .resolver import Budget
    from .results import Stated

_MOST_FIELDS = 30  # ten sets
_FIELDS = (b"arc-seal", b"arc-message-signature", b"arc-authentication-results")


def sealed(head: bytes, body: bytes, sealers: Collection[str], names: Budget) -> Stated | None:
    """Return what the last sealer stated, None when it is not listed or the chain is broken.

    Raise Unanswered when a name server does not answer.
    """
    if b"arc-seal" not in head.lower() or not sealers:
        return None
    library: Any = import_module("dkim")
    chain = _chain(library, body)(head)
    fields = [value for name, value in chain.headers if name.lower() in _FIELDS]
    if len(fields) > _MOST_FIELDS or not dkim.is_plain(fields):
        return None
    state, sets, _ = chain.verify(dnsfunc=dkim.keys(library, names))
    if state != b"pass":
        return None
    last = sets[0]
    sealer = last["as-domain"].decode("latin-1").lower()
    value = last["aar-value"].decode("latin-1").partition(";")[2]  # after "i=3;"
    return results.parse(value, sealer) if sealer in sealers else None


def _chain(library: Any, body: bytes) -> Any:
    """Return dkimpy's class for ARC, with the body hashed in linear time."""
    hashed = BodyHash(body)

    def verify_sig(
        self: Any, fields: dict[bytes, bytes], signed: Any, field: Any, key: Callable[..., Any]
    ) -> bool:
        if b"bh" in fields:
            if b"l" in fields or not dkim.same_hash(fields, hashed):
                return False
            fields = {name: value for name, value in fields.items() if name != b"bh"}
        return bool(library.DomainSigner.verify_sig(self, fields, signed, field, key))

    return type("Chain", (library.ARC,), {"verify_sig": verify_sig})

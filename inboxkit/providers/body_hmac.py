"""Webhooks signed by HMAC-SHA256 over the raw body, in lower-case hex; there is no timestamp."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .base import Unverified

if TYPE_CHECKING:
    from .base import WebhookRequest
    from .options import Options


@dataclass(frozen=True, slots=True)
class Signing:
    """The secrets of the webhooks at one URL; without any, everything is taken."""

    header: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def refused(self, request: WebhookRequest) -> Unverified | None:
        """Check the signature in constant time; None when it is right."""
        if not self.secrets:
            return None
        given = request.header(self.header).encode("utf-8", "replace")
        good = [hmac.compare_digest(sign(s, request.body).encode(), given) for s in self.secrets]
        if any(good):
            return None
        return Unverified(f"wrong {self.header}" if given else f"no {self.header}")

    def headers(self, body: bytes, number: int = 0) -> dict[str, str]:
        """Return the header that a post is signed with by one of the secrets; {} without any."""
        return {self.header.lower(): sign(self.secrets[number], body)} if self.secrets else {}


def signing(read: Options, header: str, keys: tuple[str, ...]) -> Signing:
    """Read the secrets; one must be there unless ``insecure`` says that webhooks go unsigned.

    A key may have several by comma: the old one and the new one, while it is changed.
    """
    secrets = tuple(one for key in keys for one in read.text(key).replace(",", " ").split())
    if not secrets and not read.flag("insecure"):
        raise read.error(keys[0], "is missing; insecure = yes takes webhooks from anybody")
    read.flag("insecure")
    return Signing(header, secrets)


def sign(secret: str, body: bytes) -> str:
    """Return the signature of a body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

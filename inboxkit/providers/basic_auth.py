"""HTTP Basic authentication (RFC 7617): of webhooks whose vendors sign nothing, and of APIs.

The user and password stand in the webhook's URL as the vendor knows it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .base import Unverified, Verified

if TYPE_CHECKING:
    from .base import WebhookRequest
    from .options import Options


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password; its repr shows neither."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def authorization(self) -> str:
        """The Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def verify(self, request: WebhookRequest, *, refusal: int = 401) -> Verified | Unverified:
        """Check the Authorization header in constant time; equal bodies are the same webhook."""
        given = request.header("authorization").encode("utf-8", "replace")
        if not hmac.compare_digest(self.authorization.encode(), given):
            return Unverified("wrong user or password in the webhook's URL", refusal)
        return unsigned(request)


def unsigned(request: WebhookRequest) -> Verified:
    """Take a webhook as it is; equal bodies are the same webhook."""
    return Verified(hashlib.sha256(request.body).hexdigest())


def login(read: Options) -> Login | None:
    """Read ``webhook_user`` and ``webhook_password``; None only if the user insists on it.

    Without a password ``insecure`` must be yes, and anybody can then post a webhook.
    """
    user = read.text("webhook_user", "inboxkit")
    if read.flag("insecure") and not read.text("webhook_password"):
        return None
    return Login(user, read.required("webhook_password"))

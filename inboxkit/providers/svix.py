"""Webhooks signed by Svix (Standard Webhooks v1), which several vendors let post for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import signatures
from .base import Unverified, Verified
from .basic_auth import unsigned

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..signatures import Key
    from .base import WebhookRequest
    from .options import Options


@dataclass(frozen=True, slots=True)
class Signing:
    """The keys of an account's webhooks; without any, everybody may post."""

    keys: tuple[Key, ...] = ()

    def verify(self, request: WebhookRequest, now: datetime) -> Verified | Unverified:
        """Check the signature over the raw body; ``svix-id`` is the same at every retry."""
        if not self.keys:
            return Verified(event_id(request) or unsigned(request).dedupe_id)
        try:
            return Verified(signatures.verify(self.keys, request.headers, request.body, now))
        except signatures.BadSignature as error:
            # not a stop code: a wrong clock or secret can be put right while Svix tries on
            return Unverified(str(error))

    def headers(self, id: str, now: datetime, body: bytes) -> Mapping[str, str]:
        """Return the headers of a post, signed by the first key, as a Fake needs them."""
        signed = signatures.headers(self.keys[:1], id, now, body, prefix="svix")
        return {"content-type": "application/json", **signed}


def signing(read: Options) -> Signing:
    """Read ``signing_secret``: one ``whsec_…`` or several (each endpoint has its own).

    Only where ``insecure`` is yes may it be missing. Raise ConfigurationError.
    """
    insecure = read.flag("insecure")
    secrets = (read.text if insecure else read.required)("signing_secret")
    try:
        return Signing(tuple(map(signatures.Key.of, secrets.replace(",", " ").split())))
    except ValueError as error:
        raise read.error("signing_secret", str(error)) from None


def event_id(request: WebhookRequest) -> str:
    """Return the id of a webhook, which is the same at every retry, or ""."""
    return request.header("svix-id") or request.header("webhook-id")

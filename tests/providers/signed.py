"""What may be wrong with a webhook that Svix signed, for the tests of vendors that use it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inboxkit import signatures
from inboxkit.signatures import Key

from .vendor import NOW

if TYPE_CHECKING:
    from inboxkit.providers.base import WebhookRequest

KEY = Key(b"signing-secret-2 of the account")


def tampered(post: WebhookRequest) -> dict[str, WebhookRequest]:
    """Return a post with each part of its signature, and its body, changed or missing."""
    other = signatures.headers([Key(b"some other signing key 1")], "msg_1", NOW, post.body)
    changes = {
        "id": {"svix-id": "msg_other"},
        "timestamp": {"svix-timestamp": str(int(NOW.timestamp()) + 1)},
        "signature": {"svix-signature": "v1,AAAA"},
        "other key": {**dict.fromkeys(_NAMES, ""), **other},
        **{f"no {name}": {name: ""} for name in _NAMES},
    }
    posts = {n: replace(post, headers={**post.headers, **c}) for n, c in changes.items()}
    return posts | {"body": replace(post, body=post.body + b" ")}


_NAMES = ("svix-id", "svix-timestamp", "svix-signature")

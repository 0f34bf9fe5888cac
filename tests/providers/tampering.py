"""Webhooks that were tampered with, for vendors that sign the body or send a password along."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from inboxkit.providers.body_hmac import sign

if TYPE_CHECKING:
    from inboxkit.providers.base import WebhookRequest


def unauthorized(post: WebhookRequest) -> dict[str, WebhookRequest]:
    """Return a post under wrong passwords of all kinds."""
    good = post.header("authorization")
    other = base64.b64encode(b"inboxkit:another password").decode()
    headers = {
        "no password": "",
        "another password": f"Basic {other}",
        "another scheme": good.replace("Basic", "Bearer").replace("Bearer ", "Token "),
        "cut off": good[:-1],
        "beyond ASCII": "Basic \udcff€",
    }
    return {name: _with(post, "authorization", value) for name, value in headers.items()}


def forged(post: WebhookRequest, header: str) -> dict[str, WebhookRequest]:
    """Return a post whose body, signature or key is another one."""
    good = post.header(header)
    values = {
        "no signature": "",
        "another key": sign("another key", post.body),
        "capitals": good.upper(),
        "cut off": good[:-1],
        "beyond ASCII": "\udcff€",
    }
    bad = {name: _with(post, header, value) for name, value in values.items()}
    return {**bad, "body": replace(post, body=post.body + b" ")}


def _with(post: WebhookRequest, header: str, value: str) -> WebhookRequest:
    kept = {n: v for n, v in post.headers.items() if n.lower() != header.lower()}
    return replace(post, headers={**kept, **({header: value} if value else {})})

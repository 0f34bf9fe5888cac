"""Posting a vendor's webhook to the program under test, and again when it is not taken."""

from __future__ import annotations

import logging
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
import anyio

if TYPE_CHECKING:
    from ..providers.base import WebhookRequest

log = logging.getLogger("inboxkit.fake")
_PAUSES = (0.5, 2.0, 10.0)  # vendors wait for minutes; a person at a desk does not
_TIMEOUT = aiohttp.ClientTimeout(total=30)


async def post(session: aiohttp.ClientSession, webhook: WebhookRequest, url: str) -> int:
    """Post a webhook as the vendor does; return the status it was answered with."""
    target = f"{url}?{webhook.query}" if webhook.query else url
    async with session.request(
        webhook.method,
        target,
        data=BytesIO(webhook.body),
        headers=dict(webhook.headers),
        timeout=_TIMEOUT,
    ) as answer:
        await answer.read()
        return answer.status


async def deliver(session: aiohttp.ClientSession, webhook: WebhookRequest, url: str) -> int:
    """Post a webhook until it is taken; return the last status, 0 when nobody answered."""
    status = 0
    for pause in (*_PAUSES, None):
        try:
            status = await post(session, webhook, url)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("webhook to %s: %s", url, type(error).__name__)
            status = 0
        if 200 <= status < 300:
            return status
        if pause is not None:
            await anyio.sleep(pause)
    log.error("webhook to %s: given up, the last answer was %s", url, status or "none")
    return status

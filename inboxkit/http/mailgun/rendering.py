"""A send by template: the stored text with the variables of the request filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...providers.mailgun_requests import Refusal

if TYPE_CHECKING:
    from ...providers.mailgun_requests import SendRequest
    from .call import Call


async def rendered(call: Call, asked: SendRequest) -> SendRequest:
    """Return a request with its template's words; raise Refusal for one that is not there."""
    if not asked.template:
        return asked
    raise Refusal(400, f"template {asked.template[:100]!r} is not stored here")

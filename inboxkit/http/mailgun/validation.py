"""Is an address worth writing to? Told from its form, from DNS if asked, and from what bounced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...blocking import in_thread
from ...pipeline.mailgun_lists import mail_servers
from ...providers.mailgun_requests import Refusal, is_on
from ...store import mailgun_lists
from ...validation import addresses
from ...validation.addresses import Facts, examined
from ...validation.mailgun import shown
from .call import Call, Route

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_CHARACTERS = 512


async def validate(call: Call) -> Mapping[str, Any]:
    """Return a verdict. DNS is asked with ``provider_lookup=true``; nobody's server ever is."""
    address = call.text("address").strip()
    if not address:
        raise Refusal(400, "address parameter is missing")
    if len(address) > _MOST_CHARACTERS:
        raise Refusal(400, f"address parameter has more than {_MOST_CHARACTERS} characters")
    return shown(address, examined(address, await _facts(call, address)))


async def _facts(call: Call, address: str) -> Facts:
    mailboxes = addresses.mailboxes(address)
    known = await call.store.read(mailgun_lists.history, call.reach, mailboxes)
    history = tuple(reason for reasons in known.values() for reason in reasons)
    if not (mailboxes and is_on(call.text("provider_lookup"))):
        return Facts(history=history)
    domain = mailboxes[0].rpartition("@")[2]
    return Facts(history, await in_thread(mail_servers, call.parts.resolver(), domain))


ROUTES = (
    Route("GET", "/v4/address/validate", validate, "suppression_read"),
    Route("POST", "/v4/address/validate", validate, "suppression_read"),
)

"""Is an address worth writing to? Told from its form, from DNS if asked, and from what bounced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio import to_thread

from ...errors import ConfigurationError, RemoteError
from ...providers.mailgun_requests import Refusal, is_on
from ...store import suppressions
from ...validation.addresses import Facts, examined
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
    verdict = examined(address, await _facts(call, address))
    return {
        "address": address,
        "did_you_mean": verdict.did_you_mean or None,
        "is_disposable_address": verdict.is_disposable,
        "is_role_address": verdict.is_role,
        "reason": list(verdict.reasons),
        "result": verdict.result,
        "risk": verdict.risk,
        "root_address": verdict.root_address or None,
    }


async def _facts(call: Call, address: str) -> Facts:
    known = await call.store.read(suppressions.of_addresses, [address])
    history = tuple(known.get(address.lower(), {}).values())
    if not is_on(call.text("provider_lookup")):
        return Facts(history=history)
    domain = address.rpartition("@")[2]
    try:
        resolver = call.parts.resolver()
        servers = await to_thread.run_sync(resolver.mx, domain)
    except (ConfigurationError, RemoteError, ValueError):
        return Facts(history=history)
    return Facts(history=history, servers=tuple(server for _, server in servers))


ROUTES = (
    Route("GET", "/v4/address/validate", validate, "suppression_read"),
    Route("POST", "/v4/address/validate", validate, "suppression_read"),
)

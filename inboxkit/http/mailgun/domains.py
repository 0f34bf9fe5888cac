"""Domains: those that are set up here, with the DNS records that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ...providers.mailgun_requests import Refusal
from ...store import domains, mailgun_domains
from ...store.domains import DomainTaken
from ...store.pages import Page
from ..api import domains as api_domains
from ..api.call import Call as ApiCall
from ..api.schemas.domains import CreateDomainRequest
from ..api.schemas.wire import Nothing
from .call import Call, Route
from .pages import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...dns_records import DnsRecord
    from ...store.domains import DomainRecord

_MOST = 1_000
_STATES = {"VERIFIED": "active", "FAILED": "disabled"}


async def require(call: Call) -> None:
    """Raise Refusal 404 for a domain that is not set up and that no inbox within reach has."""
    settings = call.parts.settings
    if call.domain in (settings.domain.lower(), settings.reply_domain.lower()):
        return
    if not await call.store.read(mailgun_domains.is_known, call.reach, call.domain):
        raise Refusal(404, f"Domain not found: {call.domain[:255]}")


async def listed(call: Call) -> Mapping[str, Any]:
    """Return the domains that are set up."""
    found = await call.store.read(domains.listed, call.reach, Page(_MOST))
    skip = call.number("skip", 0, most=1_000_000)
    shown = found[skip : skip + call.number("limit", 100)]
    return {"total_count": len(found), "items": [_shown(call, one) for one in shown]}


async def get(call: Call) -> Mapping[str, Any]:
    """Return a domain with its DNS records."""
    return _whole(call, await _wanted(call))


async def create(call: Call) -> Mapping[str, Any]:
    """Set a domain up, with a DKIM key of its own."""
    name = call.text("name")
    if not name:
        raise Refusal(400, "name parameter is missing")
    try:
        made = await api_domains.create(_api_call(call, name, CreateDomainRequest(domain=name)))
    except ValidationError:
        raise Refusal(400, f"{name[:255]!r} is no domain") from None
    except DomainTaken as error:
        raise Refusal(400, str(error)) from None
    found = await call.store.read(domains.find, call.reach, made.domain_id)
    return {"message": "Domain has been created", **_whole(call, _there(found, name))}


async def verify(call: Call) -> Mapping[str, Any]:
    """Look the records of a domain up in DNS."""
    known = await _wanted(call)
    await api_domains.verify(_api_call(call, known.id, Nothing()))
    return {"message": "Domain DNS records have been updated", **_whole(call, await _wanted(call))}


async def delete(call: Call) -> Mapping[str, Any]:
    """Forget a domain and its key; its inboxes stay."""
    known = await _wanted(call)
    await call.store.write(domains.remove, known.id)
    return {"message": "Domain has been deleted"}


def _api_call(call: Call, name: str, given: Any) -> ApiCall[Any]:
    """Return the request as the API's own routes take it."""
    return ApiCall(
        parts=call.parts,
        who=call.who,
        reach=call.reach,
        given=given,
        ids={"domain_id": name},
        headers=call.headers,
        base=call.base,
    )


async def _wanted(call: Call) -> DomainRecord:
    return _there(await call.store.read(domains.find, call.reach, call.domain), call.domain)


def _there(found: DomainRecord | None, name: str) -> DomainRecord:
    if found is None:
        raise Refusal(404, f"Domain not found: {name[:255]}")
    return found


def _shown(call: Call, record: DomainRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.id,
        "state": _STATES.get(record.status, "unverified"),
        "created_at": stamp(record.created_at),
        "smtp_login": f"postmaster@{record.id}",
        "spam_action": "disabled",
        "type": "custom",
        "wildcard": record.subdomains_enabled,
        "is_disabled": False,
        "require_tls": False,
        "skip_verification": False,
    }


def _whole(call: Call, record: DomainRecord) -> dict[str, Any]:
    receiving = [one for one in record.records if one.type == "MX" and one.name == record.id]
    sending = [one for one in record.records if one not in receiving]
    return {
        "domain": _shown(call, record),
        "receiving_dns_records": _records(receiving),
        "sending_dns_records": _records(sending),
    }


def _records(records: Sequence[DnsRecord]) -> list[dict[str, Any]]:
    valid = {"VALID": "valid", "INVALID": "invalid"}
    return [
        {
            "record_type": one.type,
            "name": one.name,
            "value": one.value,
            "valid": valid.get(one.status, "unknown"),
            "is_active": one.status == "VALID",
            "cached": [],
            **({"priority": str(one.priority)} if one.priority is not None else {}),
        }
        for one in records
    ]


def _routes(version: str) -> tuple[Route, ...]:
    many, one = f"/{version}/domains", f"/{version}/domains/{{domain}}"
    return (
        Route("GET", many, listed, "domain_read"),
        Route("POST", many, create, "domain_create"),
        Route("GET", one, get, "domain_read"),
        Route("DELETE", one, delete, "domain_delete"),
        Route("PUT", f"{one}/verify", verify, "domain_update"),
    )


ROUTES = (*_routes("v3"), *_routes("v4"))

"""Domains: create, list, get, change, delete, verify; their records as a zone file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ...addresses import check_address
from ...blocking import in_thread
from ...dkim_keys import SELECTOR, new_key, public_record
from ...dns_records import (
    NOT_STARTED,
    Wanted,
    checked,
    host_for,
    records,
    zone_file,
)
from ...store import domains
from ...store.domains import DomainRecord
from . import page_tokens
from .envelope import ApiError, invalid
from .routing import At, Route
from .schemas.domains import (
    CreateDomainRequest,
    Domain,
    ListDomainsResponse,
    SetupLinkResponse,
    UpdateDomainRequest,
    domain,
    item,
)
from .schemas.wire import Nothing, PageQuery, Plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...dns_records import DnsRecord
    from .call import Call


async def create(call: Call[CreateDomainRequest]) -> Domain:
    """Take a domain into use: with a DKIM key of its own, and the records that DNS must have."""
    if call.reach.inbox_id is not None:
        raise ApiError("forbidden", "A key that is bound to an inbox makes no domains")
    asked, now = call.given, call.now
    name = _name(asked.domain)
    key = await in_thread(new_key, name)
    made = DomainRecord(
        id=name,
        pod_id=call.reach.pod_id,
        status=NOT_STARTED,
        **_USES | asked.uses(),
        records=(),
        dkim_selector=SELECTOR,
        dkim_key=key.pem,
        client_id=asked.client_id,
        created_at=now,
        updated_at=now,
    )
    wanted = replace(made, records=tuple(_records(call, made)))
    return domain(await call.store.write(domains.create, wanted))


_USES: dict[str, Any] = {
    "feedback_enabled": True,
    "inbound_enabled": True,
    "subdomains_enabled": False,
    "tracking_enabled": False,
}


def _name(written: str) -> str:
    """Return a domain in ASCII and lower case; raise ApiError for what is none."""
    try:
        return check_address(f"postmaster@{written.strip().rstrip('.')}").rpartition("@")[2].lower()
    except ValueError:
        raise invalid("is no domain, such as mail.example.com", "domain") from None


def _records(call: Call[Any], made: DomainRecord) -> list[DnsRecord]:
    return records(
        Wanted(
            domain=made.id,
            host=host_for(made.id, call.parts.settings.hostname),
            selector=made.dkim_selector,
            dkim=public_record(made.key),
            inbound=made.inbound_enabled,
            subdomains=made.subdomains_enabled,
        )
    )


async def listed(call: Call[PageQuery]) -> ListDomainsResponse:
    """List domains, newest first."""
    page = call.page("domains", call.given)
    if page.after is not None:
        micros, name = page.after
        page = replace(page, after=(page_tokens.moment(micros), name))
    found = await call.store.read(domains.listed, call.reach, page)
    items, fields = call.cut(
        "domains", page, found, lambda one: [page_tokens.micros(one.created_at), one.id]
    )
    return ListDomainsResponse(domains=[item(one) for one in items], **fields)


async def _wanted(call: Call[Any]) -> DomainRecord:
    """Return the domain of the path; raise ApiError 404."""
    found = await call.store.read(domains.find, call.reach, call.name("domain_id").lower())
    if found is None:
        raise call.unknown("Domain", "domain_id")
    return found


async def get(call: Call[Nothing]) -> Domain:
    """Return a domain with its records."""
    return domain(await _wanted(call))


async def update(call: Call[UpdateDomainRequest]) -> Domain:
    """Change what a domain is used for; what that needs must then be verified."""
    known, uses, wanted = await _wanted(call), call.given.uses(), partial(_records, call)
    return _there(call, await call.store.write(domains.change, known.id, uses, wanted, call.now))


def _there(call: Call[Any], made: DomainRecord | None) -> Domain:
    if made is None:  # deleted meanwhile
        raise call.unknown("Domain", "domain_id")
    return domain(made)


async def delete(call: Call[Nothing]) -> None:
    """Delete a domain and its key; mail from it is not signed any more."""
    await call.store.write(domains.remove, (await _wanted(call)).id)


async def verify(call: Call[Nothing]) -> Domain:
    """Look the records up in DNS. Once the DKIM record is there, what SMTP sends is signed."""
    known = await _wanted(call)
    resolver = call.parts.resolver()

    def look() -> Sequence[DnsRecord]:
        return [checked(record, resolver) for record in known.records]

    found = await in_thread(look)
    return _there(call, await call.store.write(domains.verified, known.id, found, now=call.now))


async def get_zone_file(call: Call[Nothing]) -> Plain:
    """Return the records as a zone file."""
    known = await _wanted(call)
    return Plain(text=zone_file(known.id, known.records))


async def get_setup_link(call: Call[Nothing]) -> SetupLinkResponse:
    """Say that no DNS service is set up by a link here."""
    await _wanted(call)
    return SetupLinkResponse()


_LIST, _ITEM = "/domains", "/domains/{domain_id}"
_AT = At.ORG | At.POD
_LINK = f"{_ITEM}/setup-link"
ROUTES: tuple[Route[Any], ...] = (
    Route("POST", _LIST, create, CreateDomainRequest, Domain, "domain_create", _AT),
    Route("GET", _LIST, listed, PageQuery, ListDomainsResponse, "domain_read", _AT),
    Route("GET", _ITEM, get, Nothing, Domain, "domain_read", _AT),
    Route("PATCH", _ITEM, update, UpdateDomainRequest, Domain, "domain_update", _AT),
    Route("DELETE", _ITEM, delete, Nothing, None, "domain_delete", _AT),
    Route("POST", f"{_ITEM}/verify", verify, Nothing, Domain, "domain_update", _AT),
    Route("GET", f"{_ITEM}/zone-file", get_zone_file, Nothing, Plain, "domain_read", _AT),
    Route("GET", _LINK, get_setup_link, Nothing, SetupLinkResponse, "domain_read", _AT),
)

"""Domains on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from .wire import ClientId, Line, Listed, Request, Stamp, Wire

if TYPE_CHECKING:
    from ....dns_records import DnsRecord
    from ....store.domains import DomainRecord

USES = ("feedback_enabled", "inbound_enabled", "subdomains_enabled", "tracking_enabled")


class _DomainRequest(Request):
    """What a domain is used for."""

    feedback_enabled: bool | None = None
    inbound_enabled: bool | None = None
    subdomains_enabled: bool | None = None
    tracking_enabled: bool | None = None

    def uses(self) -> dict[str, Any]:
        """Return what is said of its uses."""
        said = {name: getattr(self, name) for name in USES}
        return {name: value for name, value in said.items() if value is not None}


class CreateDomainRequest(_DomainRequest):
    """A domain to use."""

    domain: Annotated[Line, Field(min_length=1, max_length=255)]
    client_id: ClientId | None = None


class UpdateDomainRequest(_DomainRequest):
    """Other uses of a domain."""

    @model_validator(mode="after")
    def _says_something(self) -> UpdateDomainRequest:
        if not self.uses():
            raise ValueError(f"give at least one of {', '.join(USES)}")
        return self


class VerificationRecord(Wire):
    """A record that must be in DNS."""

    type: str
    name: str
    value: str
    status: str
    priority: int | None = None
    reason: str | None = None


class DomainItem(Wire):
    """A domain in a list."""

    pod_id: str | None = None
    domain_id: str
    domain: str
    feedback_enabled: bool
    inbound_enabled: bool
    subdomains_enabled: bool
    tracking_enabled: bool
    client_id: str | None = None
    updated_at: Stamp
    created_at: Stamp


class Domain(DomainItem):
    """A domain with its records."""

    status: str
    reason: str | None = None
    records: Sequence[VerificationRecord]


class ListDomainsResponse(Listed):
    """A page of domains, newest first."""

    domains: Sequence[DomainItem]


class SetupLinkResponse(Wire):
    """Whether the owner's DNS service can be set up by a link: add the records by hand."""

    supported: bool = False


def item(record: DomainRecord) -> DomainItem:
    """Return a domain for a list."""
    return DomainItem(**_fields(record))


def domain(record: DomainRecord) -> Domain:
    """Return a domain with its records."""
    wrong = {r.status for r in record.records} if record.status != "VERIFIED" else set[str]()
    reason = "dns_records_invalid" if "INVALID" in wrong else "dns_records_missing"
    return Domain(
        **_fields(record),
        status=record.status,
        reason=reason if wrong else None,
        records=[_shown(one) for one in record.records],
    )


def _shown(record: DnsRecord) -> VerificationRecord:
    return VerificationRecord(
        type=record.type,
        name=record.name,
        value=record.value,
        status=record.status,
        priority=record.priority,
        reason=record.reason or None,
    )


def _fields(record: DomainRecord) -> dict[str, Any]:
    return {
        "pod_id": record.pod_id,
        "domain_id": record.id,
        "domain": record.id,
        **{name: getattr(record, name) for name in USES},
        "client_id": record.client_id,
        "updated_at": record.updated_at,
        "created_at": record.created_at,
    }

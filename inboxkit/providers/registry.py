"""Which providers there are: an explicit table, by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ConfigurationError
from .base import Provider
from .mailgun import Mailgun
from .memory import Memory
from .optional import Fetching, KeyFetching, Lookup
from .ses import Ses
from .smtp import Smtp

if TYPE_CHECKING:
    from collections.abc import Mapping

AnyProvider: TypeAlias = Provider[Any]  # goes only with the config that it made itself

PROVIDERS: Mapping[str, AnyProvider] = MappingProxyType(
    {"mailgun": Mailgun(), "memory": Memory(), "ses": Ses(), "smtp": Smtp()}
)


def provider(name: str) -> AnyProvider:
    """Return the provider of that name; raise ConfigurationError that lists the names."""
    if name not in PROVIDERS:
        raise ConfigurationError(f"no provider {name!r}; there are {', '.join(sorted(PROVIDERS))}")
    return PROVIDERS[name]


def lookup(provider: AnyProvider) -> Lookup[Any] | None:
    """Return the part of a provider that finds lost sends, if it has one."""
    return provider if isinstance(provider, Lookup) else None


def fetching(provider: AnyProvider) -> Fetching[Any] | None:
    """Return the part of a provider that reads what a FetchPlan brought, if it has one."""
    return provider if isinstance(provider, Fetching) else None


def key_fetching(provider: AnyProvider) -> KeyFetching[Any] | None:
    """Return the part of a provider that checks with a fetched certificate, if it has one."""
    return provider if isinstance(provider, KeyFetching) else None

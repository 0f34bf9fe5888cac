"""Which providers there are: an explicit table, by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ConfigurationError
from .base import Provider
from .mailgun import Mailgun
from .memory import Memory
from .smtp import Smtp

if TYPE_CHECKING:
    from collections.abc import Mapping

AnyProvider: TypeAlias = Provider[Any]  # goes only with the config that it made itself

PROVIDERS: Mapping[str, AnyProvider] = MappingProxyType(
    {"mailgun": Mailgun(), "memory": Memory(), "smtp": Smtp()}
)


def provider(name: str) -> AnyProvider:
    """Return the provider of that name; raise ConfigurationError that lists the names."""
    if name not in PROVIDERS:
        raise ConfigurationError(f"no provider {name!r}; there are {', '.join(sorted(PROVIDERS))}")
    return PROVIDERS[name]

"""The providers of a runtime, each with its checked options."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..providers.base import Feature, refuse_too_large, refuse_unsupported
from ..providers.registry import AnyProvider, key_lasts, most_bytes, provider
from ..providers.unsupported import spare, untracked, without

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..providers.base import Outgoing
    from ..settings import Settings

_KEY_MARGIN = timedelta(minutes=10)  # before a key expires: for a request, and clocks that differ


@dataclass(frozen=True, slots=True)
class Configured:
    """A provider with its checked options; ``drops``: whether what it lacks may be left out."""

    provider: AnyProvider
    config: Any
    drops: bool = False

    @property
    def repeats_safely(self) -> bool:
        """Whether the same key twice sends once."""
        return (
            Feature.IDEMPOTENCY in self.provider.capabilities or self.provider.transport == "memory"
        )

    def knows_key(self, age: timedelta) -> bool:
        """Whether a key that was used so long ago still sends once."""
        lasts = key_lasts(self.provider)
        return self.repeats_safely and (lasts is None or age < lasts - _KEY_MARGIN)

    def fitted(self, message: Outgoing) -> tuple[Outgoing, frozenset[Feature]]:
        """Return a message as this provider is to get it, and what was left out of it.

        SMTP tracks nothing, so that there it need not be switched off.
        """
        if self.provider.transport == "smtp":
            message = untracked(message)
        lacking = spare(message, self.provider.capabilities)
        if not (self.drops and lacking):
            return message, frozenset()
        return without(message, lacking), lacking

    def check(self, message: Outgoing) -> None:
        """Raise UnsupportedFeature for what can never leave."""
        fitted, _ = self.fitted(message)
        refuse_unsupported(self.provider.name, fitted, self.provider.capabilities)

    def check_size(self, message_id: str, size: int) -> None:
        """Raise SendError for more bytes than the vendor documents that it takes."""
        refuse_too_large(self.provider.name, message_id, size, most_bytes(self.provider))

    @property
    def most(self) -> float:
        """How many bytes of a message the vendor documents that it takes, if it does."""
        most = most_bytes(self.provider)
        return math.inf if most is None else most


def check_size(providers: Sequence[Configured], message_id: str, size: int) -> None:
    """Raise SendError for what none of them takes: who takes less than another is passed over."""
    if providers:
        max(providers, key=lambda chosen: chosen.most).check_size(message_id, size)


def configure(settings: Settings) -> tuple[Configured, ...]:
    """Return the providers to send through, in order; raise ConfigurationError."""
    _check_limits(settings)
    drops = settings.unsupported == "drop"
    return tuple(
        Configured(found := provider(name), found.configure(settings.provider_options(name)), drops)
        for name in settings.provider
    )


def _check_limits(settings: Settings) -> None:
    """Raise for a limit of a provider that there is not: the one that is meant would have none."""
    for key in ("send_rates", "send_slots"):
        for name in getattr(settings, key):
            try:
                provider(name)
            except ConfigurationError as error:
                raise ConfigurationError(f"{key}: {error}") from None

"""The vendors that can be emulated: how each Fake is made, and the account that it emulates."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..providers.mailgun_fake import MailgunFake
from ..providers.registry import provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from ..providers.fake import Fake

    MakeFake = Callable[[Any, Callable[[], datetime]], Fake]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One vendor. ``options`` are the settings of its account here, made up.

    ``url_option`` is the setting of ours that points at another server; ``sdk`` the line that
    points the vendor's own Python client at it, with ``{url}`` and the options to fill in.
    """

    make: MakeFake
    options: Mapping[str, str] = field(repr=False)
    sdk: str
    url_option: str = "base_url"

    def account(self, given: Mapping[str, str], url: str) -> dict[str, str]:
        """Return the options of the emulated account; those that were given win."""
        return {**self.options, **given, self.url_option: url}

    def fake(self, name: str, options: Mapping[str, str], now: Callable[[], datetime]) -> Fake:
        """Return a new Fake of an account."""
        return self.make(provider(name).configure(options), now)


VENDORS: Mapping[str, Vendor] = MappingProxyType(
    {
        "mailgun": Vendor(
            make=MailgunFake,
            options={
                "api_key": "key-fake",
                "domain": "mg.example.com",
                "signing_key": "signing-fake",
            },
            sdk='mailgun.client.Client(auth=("api", "{api_key}"), api_url="{url}")',
        ),
    }
)


def chosen(names: Iterable[str]) -> tuple[str, ...]:
    """Return the vendors of these names, all of them for none; raise ConfigurationError."""
    wanted = tuple(names) or tuple(VENDORS)
    for name in wanted:
        if name not in VENDORS:
            raise ConfigurationError(f"no fake of {name!r}; there are {', '.join(VENDORS)}")
    return wanted

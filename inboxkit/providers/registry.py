"""Which providers there are: an explicit table, by name. One is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..errors import ConfigurationError
from .batches import Batch, Batching
from .optional import Expiring, Fetching, Insistent, KeyFetching, Lookup, Sized
from .parts import Most
from .provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

AnyProvider: TypeAlias = Provider[Any]  # goes only with the config that it made itself

_CLASSES = {  # by module: each name is that of its file
    "agentmail": "AgentMail",
    "brevo": "Brevo",
    "mailersend": "MailerSend",
    "mailgun": "Mailgun",
    "mailjet": "Mailjet",
    "mailtrap": "Mailtrap",
    "mandrill": "Mandrill",
    "memory": "Memory",
    "postal": "Postal",
    "postmark": "Postmark",
    "resend": "Resend",
    "scaleway": "Scaleway",
    "sendgrid": "Sendgrid",
    "ses": "Ses",
    "smtp": "Smtp",
    "sparkpost": "SparkPost",
    "unisender_go": "UnisenderGo",
}


class _Providers(Mapping[str, AnyProvider]):
    """All of them together take 150 ms of every start; a program uses one or two."""

    def __init__(self) -> None:
        self._made: dict[str, AnyProvider] = {}

    def __getitem__(self, name: str) -> AnyProvider:
        if name not in self._made:
            module = import_module(f".{name}", __package__) if name in _CLASSES else None
            self._made[name] = getattr(module, _CLASSES[name])()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in _CLASSES

    def __iter__(self) -> Iterator[str]:
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)


PROVIDERS: Mapping[str, AnyProvider] = _Providers()


def provider(name: str) -> AnyProvider:
    """Return the provider of that name; raise ConfigurationError that lists the names."""
    if name not in PROVIDERS:
        raise ConfigurationError(f"no provider {name!r}; there are {', '.join(sorted(PROVIDERS))}")
    return PROVIDERS[name]


# Every send asks these two; isinstance with a protocol takes 50 microseconds.


def most(provider: AnyProvider) -> Most | None:
    """Return how many recipients one request takes; None for any number."""
    found = getattr(provider, "most", None)
    return found if isinstance(found, Most) else None


def batching(provider: AnyProvider) -> Batching[Any] | None:
    """Return the part of a provider that takes many messages in one request, if it has one."""
    is_one = isinstance(getattr(provider, "batch", None), Batch)
    return cast("Batching[Any]", provider) if is_one else None


def lookup(provider: AnyProvider) -> Lookup[Any] | None:
    """Return the part of a provider that finds lost sends, if it has one."""
    return provider if isinstance(provider, Lookup) else None


def key_lasts(provider: AnyProvider) -> timedelta | None:
    """Return for how long the same key sends once; None for good."""
    return provider.key_lasts if isinstance(provider, Expiring) else None


def most_bytes(provider: AnyProvider) -> int | None:
    """Return how large a message may be; None where its vendor documents no limit."""
    return provider.most_bytes if isinstance(provider, Sized) else None


def try_again(provider: AnyProvider) -> int:
    """Return the answer to a webhook that its vendor is to post again later."""
    return provider.try_again if isinstance(provider, Insistent) else 503


def fetching(provider: AnyProvider) -> Fetching[Any] | None:
    """Return the part of a provider that reads what a FetchPlan brought, if it has one."""
    return provider if isinstance(provider, Fetching) else None


def key_fetching(provider: AnyProvider) -> KeyFetching[Any] | None:
    """Return the part of a provider that checks with a fetched certificate, if it has one."""
    return provider if isinstance(provider, KeyFetching) else None

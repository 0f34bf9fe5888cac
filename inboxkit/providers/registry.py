"""Which providers there are: an explicit table, by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ConfigurationError
from .agentmail import AgentMail
from .base import Provider
from .brevo import Brevo
from .mailersend import MailerSend
from .mailgun import Mailgun
from .mailjet import Mailjet
from .mailtrap import Mailtrap
from .mandrill import Mandrill
from .memory import Memory
from .optional import Fetching, KeyFetching, Lookup
from .postal import Postal
from .postmark import Postmark
from .resend import Resend
from .scaleway import Scaleway
from .sendgrid import Sendgrid
from .ses import Ses
from .smtp import Smtp
from .sparkpost import SparkPost
from .unisender_go import UnisenderGo

if TYPE_CHECKING:
    from collections.abc import Mapping

AnyProvider: TypeAlias = Provider[Any]  # goes only with the config that it made itself

PROVIDERS: Mapping[str, AnyProvider] = MappingProxyType(
    {
        "agentmail": AgentMail(),
        "brevo": Brevo(),
        "mailersend": MailerSend(),
        "mailgun": Mailgun(),
        "mailjet": Mailjet(),
        "mailtrap": Mailtrap(),
        "mandrill": Mandrill(),
        "memory": Memory(),
        "postal": Postal(),
        "postmark": Postmark(),
        "resend": Resend(),
        "scaleway": Scaleway(),
        "sendgrid": Sendgrid(),
        "ses": Ses(),
        "smtp": Smtp(),
        "sparkpost": SparkPost(),
        "unisender_go": UnisenderGo(),
    }
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

"""The vendors that can be emulated: how each Fake is made, and the account that it emulates."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..providers.fakes import postal as postal_fake
from ..providers.fakes import sendgrid as sendgrid_fake
from ..providers.fakes.agentmail import AgentMailFake
from ..providers.fakes.brevo import BrevoFake
from ..providers.fakes.mailersend import MailerSendFake
from ..providers.fakes.mailgun import MailgunFake
from ..providers.fakes.mailjet import MailjetFake
from ..providers.fakes.mailtrap import MailtrapFake
from ..providers.fakes.mandrill import MandrillFake
from ..providers.fakes.postal import PostalFake
from ..providers.fakes.postmark import PostmarkFake
from ..providers.fakes.resend import ResendFake
from ..providers.fakes.scaleway import ScalewayFake
from ..providers.fakes.sendgrid import SendgridFake
from ..providers.fakes.ses import SesFake
from ..providers.fakes.sparkpost import SparkPostFake
from ..providers.fakes.unisender_go import UnisenderGoFake
from ..providers.registry import provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from ..providers.fakes.fake import Fake

    MakeFake = Callable[[Any, Callable[[], datetime]], Fake]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One vendor. ``options`` are the settings of its account here, made up.

    ``url_option`` is the setting of ours that points at another server; ``sdk`` the line that
    points the vendor's own Python client at it, with ``{url}`` and the options to fill in.
    ``signs_path``: requests are signed with their whole path. ``webhook_option`` names the setting
    that holds the address of the webhooks, where that is signed too.
    """

    make: MakeFake
    options: Mapping[str, str] = field(repr=False)
    sdk: str
    url_option: str = "api_url"
    webhook_option: str = ""
    signs_path: bool = False

    def account(self, given: Mapping[str, str], url: str, webhook: str = "") -> dict[str, str]:
        """Return the options of the emulated account; those that were given win."""
        told = {self.webhook_option: webhook or url} if self.webhook_option else {}
        return {**self.options, **told, **given, self.url_option: url}

    def fake(self, name: str, options: Mapping[str, str], now: Callable[[], datetime]) -> Fake:
        """Return a new Fake of an account."""
        return self.make(provider(name).configure(options), now)


DOMAIN = "mg.example.com"  # to send from, as any account here takes it
_SVIX = "whsec_ZmFrZS1zaWduaW5nLXNlY3JldC1vZi0zMi1ieXRlcyE="

VENDORS: Mapping[str, Vendor] = MappingProxyType(
    {
        "agentmail": Vendor(
            make=AgentMailFake,
            options={"api_key": "key-fake", "signing_secret": _SVIX},
            sdk='agentmail.AgentMail(api_key="{api_key}", environment='
            'AgentMailEnvironment(http="{url}", websockets="{url}"))',
        ),
        "brevo": Vendor(
            make=BrevoFake,
            options={"api_key": "key-fake", "webhook_password": "password-fake"},
            sdk='brevo.Brevo(api_key="{api_key}", base_url="{url}/v3")',
        ),
        "mailersend": Vendor(
            make=MailerSendFake,
            options={
                "api_key": "key-fake",
                "signing_secret": "signing-fake",
                "inbound_secret": "inbound-fake",
            },
            sdk='mailersend.MailerSendClient(api_key="{api_key}", base_url="{url}/v1")',
        ),
        "mailgun": Vendor(
            make=MailgunFake,
            options={
                "api_key": "key-fake",
                "domain": DOMAIN,
                "signing_key": "signing-fake",
            },
            url_option="base_url",
            sdk='mailgun.client.Client(auth=("api", "{api_key}"), api_url="{url}")',
        ),
        "mailjet": Vendor(
            make=MailjetFake,
            options={
                "api_key": "key-fake",
                "secret_key": "secret-fake",
                "webhook_password": "password-fake",
            },
            sdk='mailjet_rest.Client(auth=("{api_key}", "{secret_key}"), version="v3.1", '
            'api_url="{url}")',
        ),
        "mailtrap": Vendor(
            make=MailtrapFake,
            options={
                "api_token": "key-fake",
                "signing_secret": "signing-fake",
                "inbound_secret": "inbound-fake",
            },
            sdk='mailtrap.MailtrapClient(token="{api_token}", api_host=...) '
            "speaks https only: put a proxy with TLS in front of {url}",
        ),
        "mandrill": Vendor(
            make=MandrillFake,
            options={"api_key": "key-fake", "webhook_key": "signing-fake"},
            webhook_option="webhook_url",
            sdk='client = mailchimp_transactional.Client("{api_key}"); '
            'client.messages.api_client.host = "{url}/api/1.3"',
        ),
        "postal": Vendor(
            make=PostalFake,
            options={"api_key": "key-fake", "webhook_key": postal_fake.VERIFICATION_KEY},
            sdk='POST {url}/api/v1/send/message with the header "X-Server-API-Key: {api_key}"',
        ),
        "postmark": Vendor(
            make=PostmarkFake,
            options={"server_token": "key-fake", "webhook_password": "password-fake"},
            sdk='postmark.ServerClient("{server_token}", base_url="{url}")',
        ),
        "resend": Vendor(
            make=ResendFake,
            options={"api_key": "key-fake", "signing_secret": _SVIX},
            sdk='resend.api_key = "{api_key}"; resend.api_url = "{url}"',
        ),
        "scaleway": Vendor(
            make=ScalewayFake,
            options={
                "secret_key": "key-fake",
                "project_id": "project-fake",
                "webhook_password": "password-fake",
            },
            sdk='scaleway.Client(secret_key="{secret_key}", api_url="{url}", ...)',
        ),
        "sendgrid": Vendor(
            make=SendgridFake,
            options={
                "api_key": "key-fake",
                "verification_key": sendgrid_fake.VERIFICATION_KEY,
                "parse_key": sendgrid_fake.VERIFICATION_KEY,
            },
            sdk='sendgrid.SendGridAPIClient("{api_key}", host="{url}")',
        ),
        "ses": Vendor(
            make=SesFake,
            options={
                "access_key_id": "AKIAFAKE",
                "secret_access_key": "key-fake",
                "region": "us-east-1",
                "topic_arns": "arn:aws:sns:us-east-1:123456789012:inboxkit",
            },
            signs_path=True,
            sdk='boto3.client("sesv2", endpoint_url="{url}", region_name="{region}", '
            'aws_access_key_id="{access_key_id}", aws_secret_access_key="{secret_access_key}")',
        ),
        "sparkpost": Vendor(
            make=SparkPostFake,
            options={
                "api_key": "key-fake",
                "webhook_password": "password-fake",
                "webhook_token": "token-fake",
            },
            sdk='sparkpost.transmissions.Transmissions("{url}/api/v1", "{api_key}")',
        ),
        "unisender_go": Vendor(
            make=UnisenderGoFake,
            options={"api_key": "key-fake", "webhook_key": "signing-fake"},
            sdk='unione.UniOneClient("{api_key}", host="{url}/en/transactional/api/v1")',
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

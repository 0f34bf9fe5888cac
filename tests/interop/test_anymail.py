"""django-anymail as a second opinion: it reads our recorded payloads as we do, or we say why not.

Compared are the kind of event, the recipient, the link and the moment. anymail has no hard and soft
bounces, and no reason classes of ours. AgentMail and Scaleway's events are not among its vendors.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.providers.base import ProviderEvent
from tests.providers.conformance import Conformance
from tests.providers.vendor import PAYLOADS

from .disagreements import DISAGREEMENTS, EVERYTHING, FIELDS

if TYPE_CHECKING:
    from tests.providers.vendor import Vendor

django: Any = import_module("django")
import_module("anymail")

VIEWS = {
    "brevo": ("BrevoTrackingWebhookView", {}),
    "mailersend": ("MailerSendTrackingWebhookView", {"signing_secret": "secret"}),
    "mailgun": ("MailgunTrackingWebhookView", {"webhook_signing_key": "secret"}),
    "mailjet": ("MailjetTrackingWebhookView", {}),
    "mailtrap": ("MailtrapTrackingWebhookView", {"signing_secret": "secret"}),
    "mandrill": ("MandrillCombinedWebhookView", {"webhook_key": "secret"}),
    "postal": ("PostalTrackingWebhookView", {"webhook_key": "secret"}),
    "postmark": ("PostmarkTrackingWebhookView", {}),
    "resend": ("ResendTrackingWebhookView", {}),
    "sendgrid": ("SendGridTrackingWebhookView", {}),
    "ses": ("AmazonSESTrackingWebhookView", {}),
    "sparkpost": ("SparkPostTrackingWebhookView", {}),
    "unisender_go": ("UnisenderGoTrackingWebhookView", {"api_key": "secret"}),
}
MODULES = {"ses": "amazon_ses"}
# Our word for what anymail calls otherwise.
WORDS = {"accepted": "queued", "subscribed": "unknown", "autoresponded": "unknown"}
PLACES = [
    (name, path.stem)
    for name in VIEWS
    for path in sorted((PAYLOADS / name).glob("*.json"))
    if not path.stem.startswith("inbound")  # another view of anymail's takes mail
]


@dataclass(frozen=True)
class Reading:
    """One event as somebody reads it."""

    type: str
    recipient: str
    url: str
    at: int

    @classmethod
    def ours(cls, event: ProviderEvent) -> Reading:
        return cls(
            WORDS.get(event.type, str(event.type)),
            event.recipient,
            str(event.data.get("url", "")),
            int(event.at.timestamp()),
        )

    @classmethod
    def theirs(cls, event: Any) -> Reading:
        return cls(
            WORDS.get(event.event_type, event.event_type),
            event.recipient or "",
            event.click_url or "",
            int(event.timestamp.timestamp()) if event.timestamp else 0,
        )


@pytest.fixture(scope="module", autouse=True)
def site() -> None:
    from django.conf import settings

    if not settings.configured:
        settings.configure(DEFAULT_CHARSET="utf-8", USE_TZ=True, ANYMAIL={}, SECRET_KEY="x")
        django.setup()


def vendor_of(name: str) -> Vendor:
    """Return what the conformance suite knows of a vendor."""
    module = import_module(f"tests.providers.test_{name}")
    found = [
        value.vendor
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Conformance) and value is not Conformance
    ]
    return found[0]


def read_by_them(name: str, post: Any) -> list[Reading] | None:
    """Return what anymail reads in a webhook, None when it raises."""
    from django.test import RequestFactory

    view, options = VIEWS[name]
    module = import_module(f"anymail.webhooks.{MODULES.get(name, name)}")
    headers = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in post.headers.items()}
    request = RequestFactory().post(
        "/", data=post.body, content_type=post.header("content-type"), **headers
    )
    try:
        events = getattr(module, view)(**options).parse_events(request)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return [Reading.theirs(e) for e in events if type(e).__name__ == "AnymailTrackingEvent"]


def differing(ours: list[Reading], theirs: list[Reading] | None) -> set[str]:
    """Return the fields that are read otherwise."""
    if theirs is None:
        return {EVERYTHING}

    def values(readings: list[Reading], field: str) -> list[str]:
        return sorted(str(getattr(reading, field)) for reading in readings)

    return {field for field in FIELDS if values(ours, field) != values(theirs, field)}


def without_metadata(value: Any) -> Any:
    """Return a payload of Brevo's without metadata: anymail raises for what is no JSON."""
    if isinstance(value, list):
        return [without_metadata(item) for item in value]
    return {k: v for k, v in value.items() if k != "X-Mailin-custom"}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("name", "case"), PLACES, ids=map("-".join, PLACES))
def test_both_read_the_same(name: str, case: str) -> None:
    vendor = vendor_of(name)
    payload = json.loads((PAYLOADS / name / f"{case}.json").read_text())["payload"]
    post = vendor.posted(without_metadata(payload) if name == "brevo" else payload)
    ours = [
        Reading.ours(event)
        for event in vendor.provider.parse_events(post, vendor.config)
        if isinstance(event, ProviderEvent)
    ]
    theirs = read_by_them(name, post)
    assert differing(ours, theirs) == set(DISAGREEMENTS.get((name, case), {})), (ours, theirs)


def test_every_disagreement_is_about_a_payload_that_there_is() -> None:
    assert set(DISAGREEMENTS) <= set(PLACES)
    assert all(reason for found in DISAGREEMENTS.values() for reason in found.values())

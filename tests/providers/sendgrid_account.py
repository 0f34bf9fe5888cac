"""A SendGrid account, for the tests of the provider."""

from __future__ import annotations

from inboxkit.providers.fakes.sendgrid import VERIFICATION_KEY
from inboxkit.providers.sendgrid import Sendgrid

OPTIONS = {
    "api_key": "key-secret-1",
    "verification_key": VERIFICATION_KEY,
    "parse_key": VERIFICATION_KEY,
}
PROVIDER = Sendgrid()
CONFIG = PROVIDER.configure(OPTIONS)
JSON = {"content-type": "application/json"}

from __future__ import annotations

from typing import Any

import pytest

from inboxkit.errors import ConfigurationError
from inboxkit.smtp.settings import SmtpSettings


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        pytest.param({"max_recipients": 0}, "max_recipients", id="count"),
        pytest.param({"idle_seconds": 0}, "idle_seconds", id="seconds"),
        pytest.param({"trusted_networks": ("10.0.0.1/8",)}, "trusted_networks", id="network"),
        pytest.param({"bare_newline": "keep"}, "bare_newline", id="choice"),
        pytest.param({"require_auth": True}, "require_auth", id="auth-without-users"),
        pytest.param({"auth": {"ann": "secret"}}, "tls_context", id="auth-in-the-clear"),
    ],
)
def test_a_setting_that_cannot_work_is_named(wrong: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        SmtpSettings(**wrong)


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(SmtpSettings(auth={"ann": "secret"}, auth_without_tls=True))

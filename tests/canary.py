"""A pytest plugin: no secret of any test is in what is logged at DEBUG, or written to the screen.

A test gives its servers and accounts secrets that can be told from all other words (``_SECRETS``).
What a command prints on purpose is read by its test, and with that no longer there to be looked at.
"""

from __future__ import annotations

import base64
import logging
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_LOGGERS = ("inboxkit", "aiohttp", "aiosmtpd", "aiosmtplib", "asyncio", "mail", "psycopg")
_NAMED = ("key-secret-1", "signing-secret-2", "password-secret-3", "canary-password-3")


def _in_base64(secret: str) -> Iterator[str]:
    """Give what base64 makes of a secret wherever it stands, as in Basic and in AUTH PLAIN."""
    for before in range(3):
        written = base64.b64encode(b"\0" * before + secret.encode()).decode()
        yield written[(before * 8 + 5) // 6 : len(written) // 4 * 4 - 4]


_SECRETS = {
    "a provider's or a user's secret": "|".join(_NAMED),
    "one of them in base64": "|".join(re.escape(t) for s in _NAMED for t in _in_base64(s)),
    "an API key": r"k{20}|ik_(?:live|test)_[\w-]{20}",
    "a signing secret": r"whsec_[A-Za-z0-9+/]{16}",
    "a canary": r"canary-\w",
    "a private key": r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY",
}
_ALL = re.compile("|".join(_SECRETS.values()))


def leaks(text: str) -> list[str]:
    """Return which kinds of secrets a text holds, without them."""
    if not _ALL.search(text):
        return []
    return [kind for kind, pattern in _SECRETS.items() if re.search(pattern, text)]


def pytest_configure() -> None:
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what has logged or written a secret; the last report of a test knows all of it."""
    report = yield
    if call.when == "teardown":
        found = [f"{kind} in {where}" for where, said in report.sections for kind in leaks(said)]
        if found:
            report.outcome = "failed"
            report.longrepr = f"a secret was shown: {'; '.join(found)}"
    return report

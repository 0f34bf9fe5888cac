"""The pytest plugin: fixtures ``sandbox``, ``mailbox`` and ``fake_provider``.

Nothing heavy is imported to load it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .fakes import Fakes
    from .mailbox import Mailbox
    from .runner import Runner
    from .sandbox import Sandbox


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``mailbox`` be a view on a server that is running already."""
    group = parser.getgroup("inboxkit")
    group.addoption(
        "--inboxkit-url", metavar="URL", default="", help="Mail server that the tests share."
    )
    group.addoption(
        "--inboxkit-smtp",
        metavar="HOST:PORT",
        default="",
        help="Where it takes mail; port 1025 of the URL's host by default.",
    )


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """The real runtime in a thread of its own: for tests of handlers, asyncio, trio or sync."""
    from .runner import Runner  # imports the runtime, which only tests that use it pay for
    from .sandbox import Sandbox

    runner = Runner(any_recipient=True, smtp_any_login=True)
    runner.start()
    try:
        yield Sandbox(runner)
    finally:
        runner.stop()


@pytest.fixture(scope="session")
def inboxkit_server() -> Iterator[Runner]:
    """The mail server that all ``mailbox`` views of a session share."""
    from .runner import Runner  # see above

    runner = Runner(any_recipient=True, smtp_any_login=True)
    runner.start()
    try:
        yield runner
    finally:
        runner.stop()


@pytest.fixture
def mailbox(request: pytest.FixtureRequest) -> Iterator[Mailbox]:
    """Blocking calls for sync tests of any app that sends mail; sees only this test's mail.

    With ``--inboxkit-url`` on a server that others use too, so name the recipient in every call.
    """
    from ..tokens import encode, new_id  # see above
    from .mailbox import Mailbox
    from .shared import SharedMailbox

    url, smtp = (str(request.config.getoption(f"--inboxkit-{o}")) for o in ("url", "smtp"))
    address = f"{encode(new_id())}@inbox.example"
    view = (
        SharedMailbox(url, smtp, address)
        if url
        else Mailbox(request.getfixturevalue("inboxkit_server"), address)
    )
    yield view
    view.close()


@pytest.fixture
def fake_provider() -> Iterator[Fakes]:
    """Every vendor's API on a loopback port: ``fake_provider("mailgun").url`` and what it took."""
    from .fakes import Fakes  # see above

    with Fakes() as fakes:
        yield fakes

"""The pytest plugin in sessions of other people: frameworks, xdist, and what it costs to load."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

STORY = """
import smtplib

from inboxkit import Message, Router
from inboxkit.testing import Mailbox, Sandbox

router = Router()


@router.on_message()
async def greet(message: Message) -> None:
    await message.reply("Hello.")


async def story(sandbox: Sandbox) -> None:
    sandbox.include(router)
    inbox = await sandbox.inbox()
    ann = sandbox.person("ann@example.com")
    await ann.send(inbox.address, "Hi", "Your code is 123456.")
    assert await inbox.wait_for_otp(timeout=30) == "123456"
    assert (await ann.next_message()).text.strip() == "Hello."


def send(mailbox: Mailbox, subject: str) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.port) as client:
        client.sendmail("a@shop.example", ["u@example.com"], f"Subject: {subject}\\n\\nHi")
"""

ANYIO = """
import pytest


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_story(sandbox: Sandbox) -> None:
    await story(sandbox)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_blocking_mail_in_the_loop(sandbox: Sandbox, mailbox: Mailbox) -> None:
    send(mailbox, "one")
    assert mailbox.wait_for_message().subject == "one"
"""

ASYNCIO = """
import pytest


@pytest.mark.asyncio
async def test_story(sandbox: Sandbox) -> None:
    await story(sandbox)


@pytest.mark.asyncio(loop_scope="module")
async def test_story_in_a_loop_that_tests_share(sandbox: Sandbox) -> None:
    await story(sandbox)


class TestSync:
    def test_mailbox(self, mailbox: Mailbox) -> None:
        send(mailbox, "one")
        assert [m.subject for m in mailbox.messages()] == ["one"]
"""

MANY = """
import pytest


@pytest.mark.parametrize("number", range(12))
def test_sees_its_own_mail_only(mailbox: Mailbox, number: int) -> None:
    send(mailbox, f"Number {number}")
    assert mailbox.wait_for_message().subject == f"Number {number}"
    assert len(mailbox.messages()) == 1
"""


_SCOPE = ["-o", "asyncio_default_fixture_loop_scope=function"]


def run(folder: Path, text: str, *options: str) -> str:
    """Run a test file in a session of its own; return what pytest said at the end."""
    (folder / "test_it.py").write_text(STORY + text)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-c", "none.ini", *options]
    (folder / "none.ini").write_text("[pytest]\n")
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    return ran.stdout.splitlines()[-1] if ran.returncode == 0 else ran.stdout + ran.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "options", "passed"),
    [
        (ANYIO, ["-p", "anyio", "-p", "no:asyncio"], 4),
        (ASYNCIO, ["-p", "no:anyio", *_SCOPE], 3),
        (MANY, ["-n", "2", *_SCOPE], 12),
    ],
    ids=["anyio", "pytest-asyncio", "xdist"],
)
def test_the_fixtures_work_in(tmp_path: Path, text: str, options: list[str], passed: int) -> None:
    assert run(tmp_path, text, *options).startswith(f"{passed} passed")


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    heavy = "{'sqlalchemy', 'sqlmodel', 'aiohttp', 'aiosmtpd', 'pydantic', 'anyio', 'asyncio'}"
    code = (
        "import inboxkit.testing.plugin, sys\n"
        f"print(sorted({heavy} & set(sys.modules)), 'inboxkit.kit' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (ran.stdout.strip(), ran.stderr) == ("[] False", "")


def test_the_plugin_is_found_by_its_entry_point(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.has_plugin("inboxkit")


def test_the_names_of_the_package_are_resolved_when_used() -> None:
    import inboxkit.testing as package

    assert package.__all__ == sorted(package.__all__)
    assert [getattr(package, name).__name__ for name in package.__all__] == package.__all__
    with pytest.raises(AttributeError, match="no attribute 'Postman'"):
        _ = package.Postman

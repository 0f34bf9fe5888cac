"""What commands import: one that only looks does not load what serves, sends or reads mail."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Command

SERVING = (
    *("aiohttp", "aiosmtpd", "aiosmtplib", "jinja2", "mcp"),
    *("inboxkit.kit", "inboxkit.runtime"),
)
STORING = ("sqlalchemy", "sqlmodel", "alembic", "inboxkit.store")
PROGRAM = """\
import sys
from inboxkit.cli.main import main
for line in sys.stdin:
    try:
        main(line.split())
    except SystemExit as stopped:
        loaded = [name for name in sys.argv[1:] if name in sys.modules]
        print(line.strip(), stopped.code or 0, *loaded, file=sys.stderr)
"""
ON_A_DATABASE = {
    "messages": 0,
    "messages --json --query is:unread": 0,
    "inbox list": 0,
    "runs": 0,
    "events": 0,
    "routes": 0,
    "suppressions list": 0,
    "key list": 0,
    "show msg_0000000000001": 3,
    "thread thd_0000000000001": 3,
    "inbox show nobody@inbox.example": 3,
    "runs run_0000000000001": 3,
}
ELSEWHERE = {
    "--help": 0,
    "parse 1.eml": 0,
    "--url http://127.0.0.1:1 messages": 5,
    "--url http://127.0.0.1:1 webhook list": 5,
    "--url http://127.0.0.1:1 agent setup cursor": 0,
    "sendmail --smtp 127.0.0.1:1 ann@example.com": 75,
    "sendmail --smtp 127.0.0.1:1 --tls tls ann@example.com": 75,
}


@pytest.mark.parametrize(
    ("commands", "unwanted"),
    [(ON_A_DATABASE, SERVING), (ELSEWHERE, STORING)],
    ids=["database", "elsewhere"],
)
def test_light_commands_load_little(
    inboxkit: Command, commands: dict[str, int], unwanted: tuple[str, ...]
) -> None:
    (inboxkit.folder / "1.eml").write_text("Subject: Hello\n\nHello\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *unwanted],
        cwd=inboxkit.folder,
        input="\n".join(commands),
        capture_output=True,
        text=True,
        timeout=60,
    )
    wanted = [f"{command} {code}" for command, code in commands.items()]
    assert [line for line in done.stderr.splitlines() if line in wanted] == wanted, done.stderr

"""The command itself: help, exit codes, settings from flags, what is imported for it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from inboxkit.cli.main import COMMANDS

if TYPE_CHECKING:
    from .conftest import Command

HEAVY = {"aiohttp", "aiosmtpd", "alembic", "anyio", "pydantic", "rich", "sqlalchemy", "sqlmodel"}
UNKNOWN = "msg_0000000000001"


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from inboxkit.cli.main import main\n"
        "try:\n    main(['--help'])\n"
        "finally:\n    print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert set(COMMANDS) <= set(done.stdout.split())
    assert not HEAVY & set(done.stderr.split())


def test_garbage_is_not_looked_for_while_a_command_is_imported_nor_at_the_exit() -> None:
    code = (
        "import atexit, gc, sys\n"
        "from inboxkit.cli.main import main\n"
        "def tell():\n"
        "    print(looks.count('start') < 2, gc.isenabled(), gc.get_freeze_count() > 0)\n"
        "looks, sys.argv = [], ['inboxkit', 'run', '--help']\n"
        "atexit.register(tell)\n"
        "gc.callbacks.append(lambda phase, _: looks.append(phase))\n"
        "gc.set_threshold(10_000)\n"  # what is done besides makes fewer objects
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "True True True", done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_there_and_explains_itself(inboxkit: Command, name: str) -> None:
    done = inboxkit(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: inboxkit {name}")
    assert "``" not in done.out  # markup that no terminal shows


def test_a_database_that_does_not_answer_is_told_in_one_line(inboxkit: Command) -> None:
    url = "postgresql://ann@127.0.0.1:1/mail?password=secret"
    done = inboxkit("--database", url, "messages")
    [said] = done.err.splitlines()
    assert done.code == 1 and "secret" not in said
    assert "mail?password=***: cannot be opened: connection" in said


def test_version(inboxkit: Command) -> None:
    assert inboxkit("--version").out.startswith("inboxkit, version 0.")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("nosuch", 2, "No such command 'nosuch'"),
        ("run --set catch_all=true", 2, "--set goes before the command: inboxkit --set ... run"),
        ("inbox list --url http://127.0.0.1:1", 2, "goes before the command: inboxkit --url ... i"),
        ("run --sett x=y", 2, "No such option"),
        ("messages --limit many", 2, "--limit"),
        ("messages --limit -1", 2, "--limit"),
        ("receive --to a@inbox.example", 2, "standard input is empty"),
        ("--url http://127.0.0.1:1 inbox list", 2, "url: inboxkit inbox list works on a database"),
        ("runs --state foo", 2, "'pending', 'retrying', 'done', 'failed', 'rejected', 'skipped'"),
        ("events --after evt_x", 3, "no event evt_x"),
        ("events --after evt_0000000000000x", 3, "no event"),
        ("messages --query state:foo", 2, "state:foo; possible are accepted"),
        ("messages --query is:purple", 2, "purple"),
        ("messages --query after:999999w", 2, "after:999999w is no time"),
        ("--database nonsense messages", 2, "'nonsense' is not a URL"),
        ("--database sqlite:///. messages", 2, "database: . is a folder; name a file in it"),
        ("--database sqlite:///.. config check", 2, "is a folder"),
        (
            "--database postgresql://a:pw@h:abc/m messages",
            2,
            "'postgresql://a:***@h:abc/m' is not a",
        ),
        ("--database mysql://host/name messages", 2, "mysql is not supported"),
        ("--config nosuch.toml messages", 2, "nosuch.toml does not exist"),
        ("--set nonsense messages", 2, "nonsense is not KEY=VALUE"),
        ("--set colour=red messages", 2, "colour: unknown key"),
        ("--provider nosuch inbox create", 2, "no provider 'nosuch'"),
        ("inbox create nonsense", 2, "'nonsense'"),
        ("otp a@inbox.example --timeout -1", 2, "--timeout"),
        ("mesages", 2, "No such command 'mesages'; did you mean messages?"),
        ("inboxes list", 2, "No such command 'inboxes'; did you mean inbox?"),
        ("juggle", 2, "No such command 'juggle'."),
        ("purge", 2, "--older-than"),
        ("purge --older-than soon --yes", 2, "soon"),
        ("purge --keep 1 --yes", 2, "--inbox"),
        ("replay", 2, "--failed"),
        ("import --inbox a@inbox.example --send .", 2, "--dispatch"),
        ("send --from a@inbox.example --to b@example.com --at soon --text x", 2, "'soon'"),
        ("send --from bad --to b@example.com --text x", 2, "'bad' is not an address"),
        ("send --from a@inbox.example --to bad --text x", 2, "recipient 'bad': "),
        ("send --from a@inbox.example --to b@example.com --bcc Bob<x> --text x", 2, "'Bob<x>'"),
        ("messages --inbox a@inbox.example", 3, "inboxkit inbox create a@inbox.example"),
        ("inbox show a@inbox.example", 3, "no inbox a@inbox.example"),
        ("inbox delete a@inbox.example --yes", 3, "no inbox a@inbox.example"),
        ("export --inbox a@inbox.example out", 3, "no inbox a@inbox.example"),
        ("purge --older-than 1d --inbox a@inbox.example --yes", 3, "no inbox"),
        ("show nonsense", 3, "no message nonsense"),
        (f"show {UNKNOWN}", 3, f"no message {UNKNOWN}"),
        (f"reply {UNKNOWN} --text x", 3, f"no message {UNKNOWN}"),
        ("thread thd_0000000000001", 3, "no thread thd_0000000000001"),
        ("thread nonsense", 3, "no thread nonsense"),
        ("events --after nonsense", 3, "no event nonsense"),
        (f"events --message {UNKNOWN}", 3, f"no message {UNKNOWN}"),
        (f"runs --message {UNKNOWN}", 3, f"no message {UNKNOWN}"),
        ("replay run_0000000000001", 3, "no Run run_0000000000001"),
        (f"replay {UNKNOWN}", 3, f"no message {UNKNOWN}"),
        ("replay nonsense", 3, "no Run nonsense"),
        ("otp a@inbox.example --timeout 0.1", 4, "no otp for a@inbox.example within 0.1 s"),
        ("link a@inbox.example --timeout 0.1", 4, "no link for a@inbox.example"),
        ("wait a@inbox.example --timeout 0.1", 4, "nothing came"),
        ("suppressions add nonsense", 2, "nonsense"),
        ("webhook-url mailgun --base mail.example.com", 2, "https://mail.example.com"),
        ("init /dev/null/x", 1, "/dev/null/x"),
    ],
)
def test_exit_codes(inboxkit: Command, arguments: str, code: int, says: str) -> None:
    done = inboxkit(*arguments.split())
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", ["messages", "events", "runs", "inbox list", "suppressions list"])
def test_an_empty_database_lists_nothing(inboxkit: Command, name: str) -> None:
    assert inboxkit.rows(*name.split()) == []
    assert inboxkit(*name.split()).out == ""


def test_a_file_that_is_no_database_is_named(inboxkit: Command) -> None:
    (inboxkit.folder / "inboxkit.db").write_text("This is no database, though long enough.")
    done = inboxkit("messages")
    assert done.code == 1
    assert "inboxkit.db" in done.err
    assert "Traceback" not in done.err


def test_flag_before_variable_before_file(
    inboxkit: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inboxkit.folder / "inboxkit.toml").write_text('domain = "file.example"\nhostname = "file"\n')
    monkeypatch.setenv("INBOXKIT_DOMAIN", "variable.example")
    (from_variable,) = inboxkit.rows("config", "show")
    (from_flag,) = inboxkit.rows("--domain", "flag.example", "config", "show")
    assert (from_variable["domain"], from_flag["domain"]) == ("variable.example", "flag.example")
    assert from_flag["hostname"] == "file"


def test_every_setting_and_option_can_be_a_flag(inboxkit: Command) -> None:
    (shown,) = inboxkit.rows(
        "--set", "catch_all=yes", "--set", "mailgun.domain=mg.example", "config", "show"
    )
    assert shown["catch_all"] is True
    assert shown["options"] == {"mailgun": {"domain": "mg.example"}}


def test_config_chooses_the_file(inboxkit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (inboxkit.folder / "other.toml").write_text('domain = "other.example"')
    assert inboxkit.rows("--config", "other.toml", "config", "show")[0]["domain"] == "other.example"
    monkeypatch.setenv("INBOXKIT_CONFIG", "other.toml")
    assert inboxkit.rows("config", "show")[0]["domain"] == "other.example"


def test_database_chooses_the_database(inboxkit: Command) -> None:
    other = f"sqlite:///{inboxkit.folder}/folder/other.db"
    inboxkit("--database", other, "inbox", "create", "a@inbox.example")
    assert [row["address"] for row in inboxkit.rows("--database", other, "inbox", "list")] == [
        "a@inbox.example"
    ]
    assert inboxkit.rows("inbox", "list") == []


def test_a_reader_that_has_seen_enough_is_no_error(inboxkit: Command) -> None:
    for number in range(300):
        (inboxkit.folder / f"{number}.eml").write_bytes(b"Subject: x\n\n" + b"word " * 200)
    command = [sys.executable, "-m", "inboxkit", "parse", str(inboxkit.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0

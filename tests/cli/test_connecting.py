"""``inboxkit agent setup``: what an agent's program needs to start our tools."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.cli.agent_programs import PROGRAMS, merged

if TYPE_CHECKING:
    from tests.http.api import Api

    from .conftest import Command, Done

ENTRY = {"command": "inboxkit", "args": ["mcp"], "env": {"A": "1"}}


@pytest.fixture
def home(bare: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own, and the command beside it."""
    home = bare.folder / "home"
    home.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    return home


def entry_of(done: Done, key: str = "mcpServers") -> dict[str, Any]:
    assert done.code == 0, done.err
    entry: dict[str, Any] = json.loads(done.out)[key]["inboxkit"]
    return entry


def test_what_is_printed_names_what_this_call_works_on(bare: Command) -> None:
    Path("inboxkit.toml").write_text('domain = "a.example"\n')
    flags = ("--inbox", "a@a.example", "--send", "auto", "--allow-to", "*@b.example", "--read-only")
    before = ("--provider", "mailgun", "--set", "mailgun.domain=a.example")
    entry = entry_of(bare(*before, "agent", "setup", *flags))
    assert Path(entry["command"]).is_absolute()
    wanted = ["mcp", "--read-only", "--inbox", "a@a.example", "--send", "auto"]
    assert entry["args"][-8:] == [*wanted, "--allow-to", "*@b.example"]
    assert entry["env"] == {
        "INBOXKIT_PROVIDER": "mailgun",
        "INBOXKIT_MAILGUN_DOMAIN": "a.example",
        "INBOXKIT_CONFIG": str(bare.folder / "inboxkit.toml"),
        "INBOXKIT_DATABASE": f"sqlite:///{(bare.folder / 'inboxkit.db').as_posix()}",
    }
    assert os.listdir(bare.folder) == ["inboxkit.toml"]


def test_with_a_server_its_url_and_key_are_named(there: Command, api: Api) -> None:
    done = there("agent", "setup")
    assert entry_of(done)["env"] == {"INBOXKIT_URL": api.url, "INBOXKIT_API_KEY": "k" * 20}
    assert "keep it to yourself" in done.err


@pytest.mark.parametrize(
    ("flags", "variable"),
    [
        (("--database", "postgresql://ann:s3cret@db.example/mail"), "INBOXKIT_DATABASE"),
        (("--set", "mailgun.api_key=s3cret"), "INBOXKIT_MAILGUN_API_KEY"),
    ],
)
def test_every_secret_that_goes_along_is_named_and_so_is_who_could_read_it(
    bare: Command, flags: tuple[str, ...], variable: str
) -> None:
    file = bare.folder / "shared.json"
    file.write_text("{}")
    file.chmod(0o644)
    done = bare(*flags, "agent", "setup", "--write", "--file", str(file))
    assert done.code == 0 and f"it holds secrets ({variable}): keep it" in done.err
    assert f"chmod 600 {file}" in done.err and "s3cret" not in done.err
    file.chmod(0o600)
    assert "chmod" not in bare(*flags, "agent", "setup", "--write", "--file", str(file)).err


def test_without_a_key_it_says_how_to_make_one(bare: Command) -> None:
    done = bare("--url", "http://127.0.0.1:1", "agent", "setup", "vscode")
    entry = entry_of(done, "servers")
    assert (entry["type"], entry["env"]) == ("stdio", {"INBOXKIT_URL": "http://127.0.0.1:1"})
    assert "inboxkit key create" in done.err and ".vscode" in done.err


@pytest.mark.long
def test_the_command_that_is_named_serves_the_tools(inboxkit: Command) -> None:
    entry = entry_of(inboxkit("agent", "setup"))
    asked: dict[str, Any] = {"protocolVersion": "2025-06-18", "capabilities": {}}
    asked["clientInfo"] = {"name": "test", "version": "1"}
    line = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": asked}
    elsewhere = inboxkit.folder / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [entry["command"], *entry["args"]],
        input=json.dumps(line) + "\n",
        env={**os.environ, **entry["env"]},
        cwd=elsewhere,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["result"]["serverInfo"]["name"] == "inboxkit"


def test_it_is_written_beside_what_is_there(home: Path, bare: Command) -> None:
    file = home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    others = (
        '{\n    "x": [1, "ü"],\n    "mcpServers": {\n        "other": {"command": "o"}\n    }\n}'
    )
    file.write_text(others, encoding="utf-8")
    file.chmod(0o640)
    done = bare("agent", "setup", "cursor", "--write", "--read-only")
    assert (done.code, done.out) == (0, "") and f"written {file}" in done.err
    after = json.loads(file.read_text(encoding="utf-8"))
    assert (after["x"], after["mcpServers"]["other"]) == ([1, "ü"], {"command": "o"})
    assert after["mcpServers"]["inboxkit"]["args"][-2:] == ["mcp", "--read-only"]
    assert file.read_text(encoding="utf-8").startswith('{\n    "x": [\n')
    assert file.stat().st_mode & 0o777 == 0o640
    assert os.listdir(file.parent) == ["mcp.json"]
    again = bare("agent", "setup", "cursor", "--write", "--read-only")
    assert again.code == 0 and f"kept    {file}" in again.err


def test_a_new_file_is_for_its_owner_alone(home: Path, bare: Command) -> None:
    assert bare("agent", "setup", "gemini-cli", "--write", "--name", "mail").code == 0
    file = home / ".gemini" / "settings.json"
    assert list(json.loads(file.read_text())["mcpServers"]) == ["mail"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_link_goes_on_leading_to_the_file(bare: Command) -> None:
    Path("real.json").write_text("{}")
    Path(".mcp.json").symlink_to("real.json")
    assert bare("agent", "setup", "claude-code", "--write").code == 0
    assert Path(".mcp.json").is_symlink()
    assert "inboxkit" in json.loads(Path("real.json").read_text())["mcpServers"]


BAD = {
    "comment": b"{} // mine",
    "cut short": b'{"mcpServers": {',
    "list": b"[]",
    "servers are a list": b'{"mcpServers": []}',
    "twice": b'{"a": 1, "a": 2}',
    "no number": b'{"a": NaN}',
    "no UTF-8": b'{"a": "\xff"}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("before", BAD.values(), ids=BAD)
def test_a_file_that_cannot_be_kept_is_left_as_it_is(bare: Command, before: bytes) -> None:
    file = bare.folder / "mcp.json"
    file.write_bytes(before)
    done = bare("agent", "setup", "--file", str(file), "--write")
    assert done.code == 2 and f"{file}" in done.err and "nothing is changed" in done.err
    assert file.read_bytes() == before
    assert os.listdir(bare.folder) == ["mcp.json"]


@pytest.mark.parametrize(
    "arguments",
    [("--write",), ("emacs",), ("cursor", "--send", "perhaps"), ("--name",)],
    ids=" ".join,
)
def test_wrong_use_is_said(bare: Command, arguments: tuple[str, ...]) -> None:
    assert bare("agent", "setup", *arguments).code == 2


def test_what_a_user_added_to_the_entry_stays(bare: Command) -> None:
    before = {"mcpServers": {"inboxkit": {"url": "http://x", "env": {"B": "2"}, "disabled": True}}}
    after = json.loads(merged(json.dumps(before), "mcpServers", "inboxkit", ENTRY))
    assert after["mcpServers"]["inboxkit"] == {**ENTRY, "disabled": True}


@pytest.mark.parametrize(
    ("client", "platform", "wanted"),
    [
        ("claude-code", "linux", ".mcp.json"),
        ("claude-desktop", "darwin", "/h/Library/Application Support/Claude"),
        ("claude-desktop", "win32", "C:/Roaming/Claude"),
        ("claude-desktop", "linux", None),
        ("cursor", "linux", "/h/.cursor/mcp.json"),
        ("gemini-cli", "darwin", "/h/.gemini/settings.json"),
        ("vscode", "win32", ".vscode/mcp.json"),
    ],
)
def test_where_programs_keep_it(client: str, platform: str, wanted: str | None) -> None:
    found = PROGRAMS[client].path(platform, {"APPDATA": "C:/Roaming"}, Path("/h"))
    if wanted is None:
        assert found is None
        return
    name = "claude_desktop_config.json" if client == "claude-desktop" else ""
    assert found == Path(wanted) / name
    assert PROGRAMS[client].path("win32", {}, Path("/h")) != Path(name)


def test_half_a_character_is_written_as_it_was_spelt() -> None:
    after = merged(r'{"a": "\ud800"}', "mcpServers", "inboxkit", ENTRY)
    assert json.loads(after)["a"] == "\ud800" and after.isascii()

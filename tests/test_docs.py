"""The pages under ``docs``: their code runs, their tables are complete, their commands exist."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import click
import pytest

from inboxkit import Settings
from inboxkit.cli.main import COMMANDS, cli
from inboxkit.settings import load

from .blocks import ROOT, Block, blocks, run_script, run_tests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))
PYTHON = [block for page in PAGES for block in blocks(page, "python")]


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("block", [b for b in PYTHON if not b.is_test], ids=str)
def test_scripts_run(
    block: Block,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    run_script(block, tmp_path)
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


@pytest.mark.long
@pytest.mark.parametrize("page", sorted({block.page for block in PYTHON if block.is_test}))
def test_tests_pass(page: str, tmp_path: Path) -> None:
    found = [block for block in PYTHON if block.page == page and block.is_test]
    assert run_tests(found, tmp_path) == ""


def test_every_setting_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| (`.*?) \|", read("docs/settings.md"), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(Settings.model_fields)


def test_the_defaults_are_those_of_the_settings() -> None:
    shown = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", read("docs/settings.md"), re.MULTILINE))
    defaults = {name: Settings.model_fields[name].get_default() for name in shown}
    assert {name: _written(value) for name, value in defaults.items()} == shown


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - tuples of words


def leaves(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Iterate over what can be called, with its name as users type it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from leaves(child, f"{path} {name}".strip())


@pytest.mark.parametrize("path", [path for path, _ in leaves(cli)])
def test_every_flag_says_what_it_is_for(path: str) -> None:
    flags = [one for one in dict(leaves(cli))[path].params if isinstance(one, click.Option)]
    assert [flag.opts for flag in flags if not flag.help] == []


@pytest.mark.parametrize("path", [path for path, _ in leaves(cli)])
def test_every_command_is_documented_with_its_flags(path: str) -> None:
    command = dict(leaves(cli))[path]
    page = read("docs/command-line.md")
    (line,) = re.findall(rf"^- `{path}\b.*$", page, re.MULTILINE)
    flags = {max(p.opts, key=len) for p in command.params if isinstance(p, click.Option)}
    assert {flag for flag in flags if flag not in line} == set()
    assert set(re.findall(r"--[a-z-]+", line.split("`")[1])) == flags


def test_the_flags_before_a_command_are_documented() -> None:
    (line,) = re.findall(r"^- Before the command.*$", read("docs/command-line.md"), re.MULTILINE)
    flags = {max(p.opts, key=len) for p in cli.params if isinstance(p, click.Option)}
    assert set(re.findall(r"--[a-z-]+", line)) == flags - {"--version"}


def test_the_settings_in_toml_can_be_loaded(tmp_path: Path) -> None:
    (block,) = blocks("docs/settings.md", "toml")
    (tmp_path / "inboxkit.toml").write_text(block.text, encoding="utf-8")
    settings = load(environ={}, file=tmp_path / "inboxkit.toml")
    assert settings.provider_options("smtp") == {"host": "relay.example.com"}


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", *PAGES])
def test_the_commands_that_a_page_names_exist(page: str) -> None:
    code = re.findall(r"`[^`\n]+`|^```sh$.*?^```$", read(page), re.MULTILINE | re.DOTALL)
    named = re.findall(r"\binboxkit (?:--\S+ \S+ )*([a-z][a-z-]*)", "\n".join(code))
    assert set(named) <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", read(page))
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []

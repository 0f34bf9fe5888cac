"""The README's promises: its two commands are what is checked, and its code runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .blocks import ROOT, Block, blocks, run_script, run_tests

PAGE = "README.md"
INSTALL = "python3 -m venv "
PYTHON = blocks(PAGE, "python")
SHELL = [block for block in blocks(PAGE, "sh") if not block.text.startswith(INSTALL)]
COMMANDS = [block.text.strip() for block in blocks(PAGE, "sh") if block.text.startswith(INSTALL)]


def test_the_two_commands_differ_only_in_their_ends() -> None:
    demo, tests = COMMANDS
    assert demo.endswith(".venv/bin/inboxkit demo")
    assert tests.endswith(".venv/bin/pytest")
    assert demo.removesuffix("inboxkit demo") == tests.removesuffix("pytest")
    assert "\n" not in demo + tests


def test_what_is_checked_is_the_test_command_letter_for_letter() -> None:
    assert COMMANDS[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("block", [b for b in PYTHON if not b.is_test], ids=str)
def test_scripts_run(
    block: Block,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    run_script(block, tmp_path)
    said = capsys.readouterr().out
    assert re.fullmatch(r"support@inbox\.example answers: We have it\.\s+", said)


def test_tests_pass(tmp_path: Path) -> None:
    assert run_tests([block for block in PYTHON if block.is_test], tmp_path) == ""


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_shell_commands_run(block: Block, tmp_path: Path) -> None:
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=tmp_path,
        env={"PATH": tools},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("echo@inbox.example\nhandlers.echo\techo\tmessage\t")


def test_every_block_is_run() -> None:
    known = {"python", "sh", ""}  # the one without a language is the picture
    fences = re.findall(r"^```(\w*)$", (ROOT / PAGE).read_text(encoding="utf-8"), re.MULTILINE)
    assert set(fences) == known
    assert len(fences) == 2 * (len(PYTHON) + len(SHELL) + len(COMMANDS) + 1)


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / PAGE).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []

"""``init`` and ``demo``: the first things that a new user runs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inboxkit.cli.initiating import TEMPLATE

if TYPE_CHECKING:
    from .conftest import Command

HANDLERS = Path(__file__).parents[2] / "handlers"


@pytest.mark.long
def test_a_new_project_passes_its_own_test(bare: Command) -> None:
    assert bare("init", "shop").code == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=bare.folder / "shop", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_new_project_has_settings_and_the_ready_made_handlers(bare: Command) -> None:
    bare("init", "shop")
    laid_out = {path.name for path in (bare.folder / "shop" / "handlers").iterdir()}
    assert laid_out == {p.name for p in HANDLERS.iterdir() if p.suffix in (".py", ".md")}
    shop = ("--config", "shop/inboxkit.toml")
    assert bare(*shop, "config", "check").out == "ok\n"
    assert len(bare.rows("routes", "--handlers", "shop/handlers")) == 7


def test_the_wheel_carries_the_handlers_where_init_looks() -> None:
    project = tomllib.loads((HANDLERS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"handlers": f"inboxkit/cli/{'/'.join(TEMPLATE)}"}


def test_files_that_are_there_are_kept(bare: Command) -> None:
    own = bare.folder / "handlers" / "echo.py"
    own.parent.mkdir()
    own.write_text("# mine\n")
    done = bare("init", ".")
    assert own.read_text() == "# mine\n"
    assert "kept    handlers/echo.py\n" in done.err
    assert "written handlers/tickets.py\n" in done.err
    assert done.out == ""


def test_a_gitignore_that_is_kept_is_held_against_what_git_must_leave_out(bare: Command) -> None:
    own = bare.folder / ".gitignore"
    own.write_text(".venv\n/files/\n__pycache__\n*.db\n")
    said = "git would take mail and keys along; add to .gitignore: *.db-* *.db.files/ .env\n"
    assert said in bare("init", ".").err
    own.write_text(own.read_text() + "*.db-*\n*.db.files\n.env\n")
    assert "git would" not in bare("init", ".").err


def test_init_refuses_a_file(inboxkit: Command) -> None:
    (inboxkit.folder / "shop").write_text("")
    assert inboxkit("init", "shop").code == 2


def test_demo_tells_the_whole_story(bare: Command) -> None:
    done = bare("demo")
    assert (done.code, done.err) == (0, "")
    steps = [line.split()[1] for line in done.out.splitlines()[1:-1]]
    assert steps == [
        "sent",
        "reply",
        "handler",
        "code",
        "attachment",
        "bounce",
        "suppressed",
    ]
    assert list(bare.folder.iterdir()) == []

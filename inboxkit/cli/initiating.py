"""The command ``init``: a new project with settings, ready-made handlers and a test that passes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

TEMPLATE = ("template", "handlers")  # where the wheel carries them, below this package
_SETTINGS = """\
# Settings of inboxkit. Every key is also a flag and a variable, such as INBOXKIT_DOMAIN.
database = "sqlite:///inboxkit.db"
domain = "inbox.example"          # your own domain, once mail for it reaches you
provider = ["memory"]             # "smtp" or a vendor, such as "mailgun", to send for real
smtp = "127.0.0.1:1025"
http = "127.0.0.1:8025"

# Options of a provider are a table of its name.
# [mailgun]
# domain = "mg.example.com"
# api_key = "..."                 # better: INBOXKIT_MAILGUN_API_KEY
# signing_key = "..."
"""
_TEST = '''\
"""The echo handler answers; run with: pytest"""

import asyncio

from handlers import echo
from inboxkit.testing import Sandbox


def test_echo_answers(sandbox: Sandbox) -> None:
    sandbox.include(echo.router)
    ann = sandbox.person("ann@example.com")

    async def story() -> str:
        await ann.send("echo@inbox.example", subject="Hello", text="Is anybody there?")
        return (await ann.next_message()).text

    assert "Is anybody there?" in asyncio.run(story())
'''
_CONFTEST = '''\
"""Makes the project's own folder importable, so that tests find its handlers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
'''
_IGNORED = """\
*.db
*.db-*
*.db.files/
files/
.env
.venv/
__pycache__/
"""


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Lay out a new project in FOLDER; files that are there already stay as they are."""
    _write(folder / "inboxkit.toml", _SETTINGS)
    _ignore(folder / ".gitignore")
    _write(folder / "tests" / "test_handlers.py", _TEST)
    _write(folder / "tests" / "conftest.py", _CONFTEST)
    for source in _ready_made():
        _write(folder / "handlers" / source.name, source.read_text(encoding="utf-8"))
    click.echo(f"next: cd {folder} && inboxkit dev", err=True)


def _ready_made() -> list[Traversable]:
    """Return the ready-made handlers: in the wheel, or in the checkout that is installed."""
    packed = files("inboxkit.cli").joinpath(*TEMPLATE)
    folder: Traversable = packed
    if not packed.is_dir():
        folder = Path(__file__).parents[2] / "handlers"
    wanted = (file for file in folder.iterdir() if file.name.endswith((".py", ".md")))
    return sorted(wanted, key=lambda file: file.name)


def _ignore(target: Path) -> None:
    """Have git leave out the database; of a file that is kept, say what it lacks for that."""
    is_kept = target.exists()
    _write(target, _IGNORED)
    known = {line.strip("/") for line in target.read_text(encoding="utf-8").split()}
    missing = [line for line in _IGNORED.split() if line.strip("/") not in known]
    if is_kept and missing:
        told = f"git would take mail and keys along; add to {target}: {' '.join(missing)}"
        click.echo(told, err=True)


def _write(target: Path, text: str) -> None:
    if target.exists():
        click.echo(f"kept    {target}", err=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    click.echo(f"written {target}", err=True)

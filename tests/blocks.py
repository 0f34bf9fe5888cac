"""The code blocks of a page, and running them as a reader would."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LIMIT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and where it is."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_test(self) -> bool:
        """Whether it is for pytest, not to be run by itself."""
        return "def test_" in self.text


def blocks(page: str, language: str) -> list[Block]:
    """Return the blocks of a page in one language, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in _BLOCK.finditer(text)
        if match[1] == language
    ]


def run_script(block: Block, folder: Path) -> None:
    """Run a block as a script; what it raises is raised."""
    script = folder / "script.py"
    script.write_text(block.text, encoding="utf-8")
    runpy.run_path(str(script), run_name="__main__")


def run_tests(found: Sequence[Block], folder: Path) -> str:
    """Run blocks that define tests through pytest; return what it says, "" when all passed."""
    for block in found:
        (folder / f"test_line_{block.line}.py").write_text(block.text, encoding="utf-8")
    settings = ("asyncio_mode=auto", "asyncio_default_fixture_loop_scope=function")
    flags = [flag for setting in settings for flag in ("-o", setting)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *flags]
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=_LIMIT_SECONDS,
    )
    passed = done.returncode == 0 and f"{len(found)} passed" in done.stdout
    return "" if passed else done.stdout + done.stderr

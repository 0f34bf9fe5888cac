"""Run mypy and pyright over good.py, bad.py and the Python of ``docs/handlers.md``.

Exits 1 unless both report every line marked ``# error`` in bad.py, and nothing else anywhere.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]  # where pyproject.toml configures both
PAGE = ROOT / "docs" / "handlers.md"

Place = tuple[str, int]  # file name and line


def expected() -> set[Place]:
    """Return the lines of bad.py that are marked wrong."""
    lines = (FOLDER / "bad.py").read_text().splitlines()
    return {("bad.py", number) for number, line in enumerate(lines, 1) if line.endswith("# error")}


def examples(folder: Path) -> list[Path]:
    """Write each block of the page to a file, its lines numbered as on the page."""
    files = list[Path]()
    page = PAGE.read_text()
    for block in re.finditer(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        start = page.count("\n", 0, block.start(1))
        files.append(folder / f"{PAGE.stem}_line_{start}.py")
        files[-1].write_text("\n" * start + block[1])
    return files


def mypy(files: list[Path]) -> set[Place]:
    """Return the lines where mypy reports an error."""
    said = run(["mypy", "--strict", "--follow-imports=silent"], files)
    return {(m[1], int(m[2])) for m in re.finditer(r"([^/\\]+\.py):(\d+): error:", said)}


def pyright(files: list[Path]) -> set[Place]:
    """Return the lines where pyright reports an error."""
    found = json.loads(run(["pyright", "--outputjson"], files))["generalDiagnostics"]
    return {
        (Path(d["file"]).name, d["range"]["start"]["line"] + 1)
        for d in found
        if d["severity"] == "error"
    }


def run(checker: list[str], files: list[Path]) -> str:
    """Return what the checker prints; stop when it did not check at all."""
    command = [sys.executable, "-m", *checker, *map(str, files)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode not in (0, 1):
        sys.exit(f"{checker[0]} could not run:\n{done.stdout}{done.stderr}")
    return done.stdout


def complaints() -> list[str]:
    """Return what each checker missed and what it reported beside the marked lines."""
    marked, out = expected(), list[str]()
    with TemporaryDirectory() as folder:
        # copies, since the configuration keeps bad.py from being checked where it is
        copies = [Path(copy(FOLDER / name, folder)) for name in ("good.py", "bad.py")]
        files = [*copies, *examples(Path(folder))]
        found = {"mypy": mypy(files), "pyright": pyright(files)}
    for name, reported in found.items():
        out += [f"{name} misses {file}:{line}" for file, line in sorted(marked - reported)]
        out += [f"{name} reports {file}:{line}" for file, line in sorted(reported - marked)]
    return out


def main() -> int:
    """Print the complaints and return the exit code."""
    found = complaints()
    sys.stdout.write("\n".join(found) + "\n" if found else "typing: every mistake is reported\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

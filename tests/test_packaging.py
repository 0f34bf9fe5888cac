"""The wheel that is installed holds what the tree holds, nothing less and nothing more."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from inboxkit import Settings

ROOT = Path(__file__).parents[1]
PACKAGE, HANDLERS = ROOT / "inboxkit", ROOT / "handlers"
TEMPLATE = "inboxkit/cli/template/handlers"


def _files(folder: Path, name: str) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    inside = (path.relative_to(folder) for path in paths if path.suffix != ".pyc")
    return {f"{name}/{path.as_posix()}" for path in inside}


def test_the_source_distribution_holds_what_pages_link_to() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    taken = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = {target for page in pages for target in _linked(page)}
    assert {"docs", "deploy"} <= links <= {*taken, "README.md"}


def _linked(page: Path) -> set[str]:
    """Return the files and folders of the root that the links of a page lead into."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    return {(page.parent / link).resolve().relative_to(ROOT).parts[0] for link in links}


def test_the_variables_of_files_to_deploy_with_are_settings() -> None:
    files = [*(ROOT / "deploy").iterdir(), ROOT / "compose.yaml", ROOT / "Dockerfile"]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    named = {name.lower() for name in re.findall(r"\bINBOXKIT_([A-Z_]+)", text)}
    assert {"database", "smtp_any_login"} <= named
    assert named - {"url"} <= set(Settings.model_fields)


def test_the_extras_are_documented() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    table = page.partition("| extra | for |")[2].partition("\n\n")[0]
    own = {"test", "interop", "lint"}  # for work on the project itself
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == sorted(
        set(project["optional-dependencies"]) - own
    )


@pytest.mark.long
def test_the_wheel_holds_the_package_and_the_ready_made_handlers(tmp_path: Path) -> None:
    # As .ci/run does: the environment that runs the tests has no pip of its own.
    pip = ["python3", "-m", "pip", "--python", sys.executable]
    build = [*pip, "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert held == _files(PACKAGE, "inboxkit") | _files(HANDLERS, TEMPLATE)
    assert "inboxkit/py.typed" in held

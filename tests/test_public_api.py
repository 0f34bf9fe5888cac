"""What ``inboxkit`` offers: every name listed and sorted, heavy ones resolved when asked for."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import inboxkit
import inboxkit.errors
import inboxkit.testing

LIGHT = {
    "inboxkit",
    "inboxkit.errors",
    "inboxkit.extracted",
    "inboxkit.models",
    "inboxkit.registration",
    "inboxkit.router",
    "inboxkit.values",
}
LAZY = {"Inbox": "inbox", "InboxKit": "kit", "Settings": "settings"}


def imported_by(statement: str) -> set[str]:
    """Return the modules that a statement imports in a fresh interpreter."""
    code = f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def outsiders(modules: set[str]) -> set[str]:
    """Return the packages among modules that are neither ours nor the standard library's."""
    return {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"inboxkit"}


@pytest.mark.parametrize("module", [inboxkit, inboxkit.testing], ids=["inboxkit", "testing"])
def test_all_is_sorted_and_every_name_is_there(module: object) -> None:
    names: list[str] = getattr(module, "__all__", [])
    assert names
    assert names == sorted(set(names))
    assert [name for name in names if not hasattr(module, name)] == []


def test_all_is_complete() -> None:
    defined = {
        name
        for name, value in vars(inboxkit).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("inboxkit.")
    }
    assert (defined | set(LAZY)) - set(inboxkit.__all__) == set()


def test_every_error_is_public() -> None:
    tree = {name for name, value in vars(inboxkit.errors).items() if isinstance(value, type)}
    assert tree <= set(inboxkit.__all__)


def test_every_public_name_says_what_it_is_for() -> None:
    things = {name: getattr(inboxkit, name) for name in inboxkit.__all__}
    types = {name: thing for name, thing in things.items() if isinstance(thing, type)}
    assert [name for name, thing in types.items() if not thing.__doc__] == []


@pytest.mark.parametrize(("name", "module"), LAZY.items())
def test_heavy_names_are_resolved_when_asked_for(name: str, module: str) -> None:
    assert getattr(inboxkit, name) is getattr(import_module(f"inboxkit.{module}"), name)
    assert name not in vars(inboxkit)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'inboxkit' has no attribute 'nosuch'"):
        _ = inboxkit.nosuch


def test_importing_inboxkit_imports_values_and_router_only() -> None:
    modules = imported_by("import inboxkit")
    assert {name for name in modules if name.startswith("inboxkit")} == LIGHT
    assert outsiders(modules) == set()


def test_the_pytest_plugin_imports_nothing_else_until_a_test_asks() -> None:
    modules = imported_by(
        "import pytest\nbefore = set(sys.modules)\nimport inboxkit.testing.plugin"
    )
    assert outsiders(modules) == set()
    assert "inboxkit.kit" not in modules


def test_the_version_is_that_of_the_package() -> None:
    assert inboxkit.__version__ == version("inboxkit")


def test_the_package_is_typed() -> None:
    assert (Path(inboxkit.__file__).parent / "py.typed").exists()

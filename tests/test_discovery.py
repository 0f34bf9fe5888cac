"""Loading handlers from real folders, in this process."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import TYPE_CHECKING

import pytest

from inboxkit import ConfigurationError, discovery
from inboxkit.discovery import forget, load, load_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUTER = """
from inboxkit import Message, Router
router = Router()
@router.on_message(to="{to}@*")
async def take(message: Message) -> None: ...
"""


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """Give back the modules and the path as they were: other tests import handlers too."""
    modules, path = dict(sys.modules), list(sys.path)
    forget()
    yield
    forget()
    sys.modules.update({n: m for n, m in modules.items() if n.partition(".")[0] == "handlers"})
    sys.path[:] = path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "handlers"
    made.mkdir()
    return made


def ids(folder: Path) -> list[str]:
    return [handler.id for router in load(folder) for handler in router.handlers]


def test_routers_come_in_name_order_under_stable_names(folder: Path) -> None:
    for name in ("b", "a", "c"):
        (folder / f"{name}.py").write_text(ROUTER.format(to=name))
    assert ids(folder) == ["handlers.a.take", "handlers.b.take", "handlers.c.take"]


def test_a_folder_of_another_name_gives_the_same_handler_ids(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(ROUTER.format(to="a"))
    assert ids(tmp_path) == ["handlers.a.take"]


def test_missing_and_empty_folders_hold_no_handlers(folder: Path) -> None:
    assert load(folder) == load(folder / "nowhere") == []


@pytest.mark.parametrize("name", ["_private.py", ".#lock.py", "test_a.py", "conftest.py", "a.txt"])
def test_files_that_hold_no_handlers_are_not_imported(folder: Path, name: str) -> None:
    (folder / name).write_text("raise RuntimeError")
    assert load(folder) == []


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(ROUTER.format(to="a"))
    with pytest.raises(ConfigurationError, match="name the folder"):
        load(tmp_path / "a.py")


@pytest.mark.parametrize(
    "line", ["from handlers import _shared", "from . import _shared", "from ._shared import TO"]
)
def test_siblings_import_each_other(folder: Path, line: str) -> None:
    (folder / "_shared.py").write_text("TO = 'a'")
    (folder / "a.py").write_text(line + ROUTER.format(to="a"))
    assert ids(folder) == ["handlers.a.take"]


def test_the_package_file_is_run_first(folder: Path) -> None:
    (folder / "__init__.py").write_text("TO = 'support'")
    (folder / "a.py").write_text("from handlers import TO" + ROUTER.format(to="a"))
    assert ids(folder) == ["handlers.a.take"]
    assert sys.modules["handlers"].TO == "support"


def test_handlers_import_the_project_around_them(folder: Path) -> None:
    (folder.parent / "shop_of_this_test.py").write_text("NAME = 'shop'")
    (folder / "a.py").write_text("import shop_of_this_test" + ROUTER.format(to="a"))
    assert ids(folder) == ["handlers.a.take"]


def test_import_error_keeps_its_cause_and_traceback(folder: Path) -> None:
    (folder / "a.py").write_text("def broken():\n    return 1 / 0\nbroken()\n")
    with pytest.raises(ConfigurationError, match=r"a\.py does not import: ZeroDivisionError") as e:
        load(folder)
    assert isinstance(e.value.__cause__, ZeroDivisionError)
    frames = traceback.extract_tb(e.value.__cause__.__traceback__)
    assert (frames[-1].filename, frames[-1].name) == (str(folder / "a.py"), "broken")


def test_the_traceback_shows_no_machinery_of_ours(folder: Path) -> None:
    (folder / "a.py").write_text("from inboxkit import Router\nRouter().on_message(frm='x')\n")
    with pytest.raises(ConfigurationError) as raised:
        load(folder)
    cause = raised.value.__cause__
    assert cause is not None
    frames = traceback.extract_tb(cause.__traceback__)
    places = [frame.filename for frame in frames]
    assert places[-1] == str(folder / "a.py")
    assert not [place for place in places if "importlib" in place or place == discovery.__file__]


@pytest.mark.parametrize(
    ("source", "error"), [("async def :", "SyntaxError"), ("raise SystemExit(0)", "SystemExit")]
)
def test_what_ends_an_import_is_named_with_its_file(folder: Path, source: str, error: str) -> None:
    (folder / "a.py").write_text(source)
    with pytest.raises(ConfigurationError, match=rf"a\.py does not import: {error}"):
        load(folder)


def test_broken_package_file_is_reported_and_tried_again(folder: Path) -> None:
    (folder / "__init__.py").write_text("1 / 0")
    (folder / "a.py").write_text(ROUTER.format(to="a"))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"__init__\.py does not import"):
            load(folder)


@pytest.mark.parametrize(
    ("source", "said"),
    [("x = 1", r"a\.py has no `router`"), ("router = 1", r"a\.py: `router` is no Router but int")],
)
def test_module_without_router_is_refused(folder: Path, source: str, said: str) -> None:
    (folder / "a.py").write_text(source)
    with pytest.raises(ConfigurationError, match=said + r": add `router = Router\(\)`"):
        load(folder)


def test_name_with_a_dot_is_refused(folder: Path) -> None:
    (folder / "a.old.py").write_text(ROUTER.format(to="a"))
    with pytest.raises(ConfigurationError, match="rename it"):
        load(folder)


def test_loading_twice_gives_the_same_routers(folder: Path) -> None:
    (folder / "a.py").write_text(ROUTER.format(to="a"))
    assert load(folder)[0] is load(folder)[0]


def test_forget_makes_load_read_changed_files(folder: Path) -> None:
    (folder / "a.py").write_text(ROUTER.format(to="a"))
    load(folder)
    (folder / "a.py").write_text(ROUTER.format(to="changed"))
    forget()
    assert load(folder)[0].handlers[0].filters.to == "changed@*"


def test_a_new_file_is_found_though_the_folder_looks_unchanged(folder: Path) -> None:
    (folder / "a.py").write_text(ROUTER.format(to="a"))
    load(folder)
    before = folder.stat()
    (folder / "b.py").write_text(ROUTER.format(to="b"))
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ids(folder) == ["handlers.a.take", "handlers.b.take"]


def test_a_module_of_another_place_is_not_taken_for_a_handler(folder: Path) -> None:
    (folder / "a.py").write_text(ROUTER.format(to="a"))
    load(folder)
    sys.modules["handlers.a"] = json
    with pytest.raises(ConfigurationError, match="json was already imported from"):
        load(folder)


def test_a_second_folder_needs_forget(folder: Path, tmp_path: Path) -> None:
    (folder / "a.py").write_text(ROUTER.format(to="a"))
    (tmp_path / "b.py").write_text(ROUTER.format(to="b"))
    load(folder)
    with pytest.raises(ConfigurationError, match="another handlers was already imported"):
        load(tmp_path)
    forget()
    assert ids(tmp_path) == ["handlers.b.take"]


def test_a_plain_module_of_that_name_stands_in_the_way(folder: Path) -> None:
    (folder / "a.py").write_text(ROUTER.format(to="a"))
    sys.modules["handlers"] = sys
    with pytest.raises(ConfigurationError, match="another handlers was already imported"):
        load(folder)


def test_app_is_found_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app_of_this_test.py").write_text("class place:\n    kit = 'the kit'\n")
    assert load_app("app_of_this_test:place.kit") == "the kit"


@pytest.mark.parametrize("name", ["app", "app:", ":kit", "no_such_module:kit", "json:no_such"])
def test_app_that_cannot_be_found_is_reported_by_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load_app(name)

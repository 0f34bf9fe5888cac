"""Loading handlers: the routers of a folder, or one object named ``package.module:attribute``."""

from __future__ import annotations

import importlib
import sys
from functools import reduce
from importlib import import_module, invalidate_caches
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ConfigurationError
from .router import Router

if TYPE_CHECKING:
    from types import ModuleType

PACKAGE = "handlers"  # whatever the folder is called: the ids of stored Runs begin with it

_HINT = (
    "add `router = Router()` and register the handlers on it, "
    "or begin the file's name with `_` if it holds none"
)


def load(folder: Path) -> list[Router[...]]:
    """Import each ``*.py`` of the folder in name order and return their routers.

    Names that begin with ``_``, ``.`` or ``test_``, and ``conftest.py``, are skipped; a folder that
    is missing or empty gives none. Raises ConfigurationError for a file that does not import,
    with the cause chained, and for one without a router.
    """
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} is a file: name the folder that holds the handlers")
    files = sorted(path for path in folder.glob("*.py") if _holds_handlers(path.stem))
    if not files:
        return []
    _open_package(folder)
    return [_router(path, _import_file(path)) for path in files]


def load_app(name: str) -> object:
    """Import and return the object that ``package.module:attribute`` names.

    The working directory is looked in first. Raises ConfigurationError, with the cause chained.
    """
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise ConfigurationError(f"{name!r}: write it as package.module:attribute, as in app:kit")
    _look_in(Path.cwd())
    module = _import(module_name, f"{module_name} (of {name!r})")
    try:
        return reduce(getattr, attribute.split("."), module)
    except AttributeError as error:
        raise ConfigurationError(f"{name!r}: {error}") from error


def forget() -> None:
    """Drop what ``load`` imported, so that it reads the files again."""
    for name in [n for n in sys.modules if n.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def _holds_handlers(stem: str) -> bool:
    return not stem.startswith(("_", ".", "test_")) and stem != "conftest"


def _open_package(folder: Path) -> None:
    """Make the folder importable as the package ``handlers``, so that its files find each other."""
    invalidate_caches()
    _look_in(folder.parent)
    known = sys.modules.get(PACKAGE)
    if known is None:
        _make_package(folder)
    elif folder not in (Path(place).resolve() for place in getattr(known, "__path__", ())):
        raise ConfigurationError(
            f"{folder} cannot be loaded: another {PACKAGE} was already imported, {known!r}"
        )


def _make_package(folder: Path) -> None:
    init = folder / "__init__.py"
    spec = _spec(init, folder) if init.exists() else ModuleSpec(PACKAGE, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    package = sys.modules[PACKAGE] = module_from_spec(spec)
    if spec.loader is None:
        return
    try:
        spec.loader.exec_module(package)
    except (Exception, SystemExit) as error:
        del sys.modules[PACKAGE]
        raise _broken(str(init), error) from error


def _spec(init: Path, folder: Path) -> ModuleSpec:
    spec = spec_from_file_location(PACKAGE, init, submodule_search_locations=[str(folder)])
    assert spec is not None  # a file that ends in .py always has a loader
    return spec


def _import_file(path: Path) -> ModuleType:
    if "." in path.stem:
        raise ConfigurationError(f"{path}: a dot in a module's name cannot be imported; rename it")
    module = _import(f"{PACKAGE}.{path.stem}", str(path))
    if module.__file__ is None or Path(module.__file__).resolve() != path:
        raise ConfigurationError(
            f"{path}: {module.__name__} was already imported from {module.__file__}; rename one"
        )
    return module


def _import(name: str, shown: str) -> ModuleType:
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:  # a script that calls sys.exit must not stop us unseen
        raise _broken(shown, error) from error


def _broken(shown: str, error: BaseException) -> ConfigurationError:
    """Return what to raise; the traceback of the cause begins where the user's code does."""
    place = error.__traceback__
    while place is not None and _imports(place.tb_frame.f_code.co_filename):
        place = place.tb_next
    error.__traceback__ = place
    return ConfigurationError(f"{shown} does not import: {type(error).__name__}: {error}")


def _imports(filename: str) -> bool:
    return filename.startswith("<frozen importlib") or filename in (__file__, importlib.__file__)


def _router(path: Path, module: ModuleType) -> Router[...]:
    router = getattr(module, "router", None)
    if router is None:
        raise ConfigurationError(f"{path} has no `router`: {_HINT}")
    if not isinstance(router, Router):
        raise ConfigurationError(
            f"{path}: `router` is no Router but {type(router).__name__}: {_HINT}"
        )
    return router


def _look_in(folder: Path) -> None:
    """Let handlers import the project they belong to, as ``python -m`` would."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

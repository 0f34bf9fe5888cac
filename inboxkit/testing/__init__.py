"""What tests import; the fixtures themselves come from the pytest plugin.

The names are resolved when first used: pytest loads the plugin, and with it this package, into
every session, also of those who never ask for a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fakes import FakeAccount, Fakes
    from .mailbox import Mailbox
    from .person import Person
    from .sandbox import Sandbox

__all__ = ["FakeAccount", "Fakes", "Mailbox", "Person", "Sandbox"]
_MODULES = {"FakeAccount": "fakes"}  # the others live in a module of their own name


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_MODULES.get(name, name.lower())}", __name__), name)

"""Reads the settings of one provider; every complaint names the provider and the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..errors import ConfigurationError
from .hosts import is_safe

if TYPE_CHECKING:
    from collections.abc import Mapping

S = TypeVar("S", bound=str)

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off", "")


class Options:
    """Reads key by key; ``done`` refuses the keys nobody asked for, such as misspelt ones."""

    def __init__(self, provider: str, values: Mapping[str, str]) -> None:
        self._provider = provider
        self._values = {key: value.strip() for key, value in values.items()}
        self._known: set[str] = set()

    def required(self, key: str) -> str:
        """Return a value that must be there; raise ConfigurationError."""
        value = self.text(key)
        if not value:
            variable = f"INBOXKIT_{self._provider}_{key}".upper()
            raise self.error(key, f"is missing; set it, or the variable {variable}")
        return value

    def text(self, key: str, default: str = "") -> str:
        """Return a value, or ``default`` when it is missing or empty."""
        self._known.add(key)
        return self._values.get(key, "") or default

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return a value that says yes or no."""
        value = self.text(key, "yes" if default else "no").lower()
        if value not in _YES + _NO:
            raise self.error(key, f"must be yes or no, not {value!r}")
        return value in _YES

    def choice(self, key: str, choices: tuple[S, ...], default: S) -> S:
        """Return one of ``choices``."""
        value = self.text(key, default)
        for choice in choices:
            if choice == value:
                return choice
        raise self.error(key, f"must be one of {', '.join(filter(None, choices))}, not {value!r}")

    def number(self, key: str, default: int, *, least: int, most: int) -> int:
        """Return a whole number between ``least`` and ``most``."""
        value = self.text(key, str(default))
        if not (value.isascii() and value.isdigit() and len(value) < 12):
            raise self.error(key, f"must be a whole number, not {value!r}")
        if not least <= int(value) <= most:
            raise self.error(key, f"must be between {least} and {most}, not {value}")
        return int(value)

    def url(self, key: str, default: str) -> str:
        """Return the base of an API, without a slash at its end; https unless the host is local."""
        value = self.text(key, default).rstrip("/")
        if not is_safe(value) or "?" in value or "#" in value:
            raise self.error(key, "must be an https URL (http only for a local host)")
        return value

    def done(self) -> None:
        """Raise ConfigurationError for the first key that was never asked for."""
        for key in sorted(set(self._values) - self._known):
            known = ", ".join(sorted(self._known))
            raise self.error(key, f"is not a setting of this provider; it has {known}")

    def error(self, key: str, problem: str) -> ConfigurationError:
        """Return the error to raise about a key. ``problem`` must not hold a secret."""
        return ConfigurationError(f"provider {self._provider}: {key} {problem}")

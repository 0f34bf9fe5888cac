"""What a decorator and a wait refuse to look for: what would match all, nothing, or crash."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta
from typing import TYPE_CHECKING

from .errors import ConfigurationError
from .values import EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_PATTERN = 'a glob such as "support@*", or a compiled regex of text'
_TEXT, _BOOL = (str, "a text"), (bool, "True or False")
_KINDS: Mapping[str, tuple[type, str]] = {
    "content_type": (str, 'a glob such as "image/*"'),
    "tag": _TEXT,
    "auto_replies": _BOOL,
    "require_auth": _BOOL,
    "after": (timedelta, "a timedelta such as timedelta(days=3)"),
    "repeat": (int, "a whole number"),
}


def check_called(decorator: str, *given: object) -> None:
    """Raise ConfigurationError for a decorator that was written without its parentheses.

    It would give back a decorator in place of the handler, and register nothing.
    """
    if any(callable(one) for one in given):
        raise ConfigurationError(
            f"{decorator} stands without its parentheses: write @router.{decorator}(...)"
        )


def check_filters(handler: str, filters: Mapping[str, object]) -> None:
    """Raise ConfigurationError for a filter of the wrong kind, by the names of both."""
    _check_matching(handler, filters, ("to", "sender", "subject"))
    for name, (kind, said) in _KINDS.items():
        if not isinstance(filters[name], kind):
            raise _refused(handler, name, filters[name], said)


def check_wait(wait: str, filters: Mapping[str, object]) -> None:
    """Raise ConfigurationError for what a wait can never find, by the names of both."""
    _check_matching(wait, filters, ("sender", "subject", "host"))
    host = filters.get("host")
    try:
        check_host(host if isinstance(host, str) else "*")
    except ConfigurationError as error:
        raise ConfigurationError(f"{wait}: {error}") from None


def check_host(host: str) -> None:
    """Raise ConfigurationError for a glob that is the host of no link: a URL, or with a port."""
    meant = host.rpartition("://")[2].partition("/")[0]
    if meant.count(":") == 1:  # more are those of an IPv6 address
        meant = meant.partition(":")[0]
    if meant != host or not host:
        raise ConfigurationError(f'host="{host}" is no host: write host="{meant or "*"}"')


def _check_matching(asker: str, filters: Mapping[str, object], patterns: Sequence[str]) -> None:
    for name in patterns:
        if not _is_pattern(filters.get(name, "*")):
            raise _refused(asker, name, filters[name], _PATTERN)
    when = filters.get("when")
    if when is not None and not _is_condition(when):
        said = "a function (not an async one) of the message that returns True or False"
        raise _refused(asker, "when", when, said)


def check_parameters(handler: str, function: Callable[..., object], *, has_resource: bool) -> None:
    """Raise ConfigurationError for a handler that cannot be called as it will be."""
    if _takes(function, 1 + has_resource):
        return
    if has_resource:
        said = "what it handles and the router's resource"
    else:
        said = "what it handles alone; a second one needs Router(resource=...)"
    raise ConfigurationError(f"{handler}{_parameters(function)}: its parameters must take {said}")


def check_span(by: object) -> None:
    """Raise ConfigurationError for what no clock can be moved by."""
    if not isinstance(by, timedelta) or by < timedelta(0):
        raise ConfigurationError(f"advance: {by!r} is no time ahead, such as timedelta(days=3)")


def event_types(asked_by: str, given: Iterable[EventType]) -> tuple[EventType, ...]:
    """Return event types, which may be given by their names; ConfigurationError for any other."""
    found: list[EventType] = []
    for one in given:
        try:
            found.append(EventType(one))
        except ValueError:
            known = ", ".join(EventType)
            said = f"{asked_by}({one!r}): there is no such event; the known ones are {known}"
            raise ConfigurationError(said) from None
    return tuple(found)


def _refused(handler: str, name: str, value: object, said: str) -> ConfigurationError:
    return ConfigurationError(f"{handler}: {name}={value!r} must be {said}")


def _is_pattern(value: object) -> bool:
    text = getattr(value, "pattern", None)
    return isinstance(value, str) or (isinstance(value, re.Pattern) and isinstance(text, str))


def _is_condition(value: object) -> bool:
    if not callable(value) or inspect.iscoroutinefunction(value):
        return False
    return not inspect.iscoroutinefunction(type(value).__call__) and _takes(value, 1)


def _takes(function: Callable[..., object], number: int) -> bool:
    """Whether it can be called with so many values; yes for what does not show its parameters."""
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except ValueError:
        return True
    try:
        signature.bind(*range(number))
    except TypeError:
        return False
    return True


def _parameters(function: Callable[..., object]) -> str:
    names = inspect.signature(function, follow_wrapped=False).parameters
    return f"({', '.join(names)})"

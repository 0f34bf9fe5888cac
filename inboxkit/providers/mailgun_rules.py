"""Mailgun's routes as a language: expressions over a mail, and what is done when one matches.

Facts: Mailgun's user manual, "Routes": match_recipient, match_header, catch_all, and; forward,
store, stop. Patterns are Python's; they are matched from the beginning of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from .mailgun_patterns import MOST_TEXT_CHARACTERS, costly
from .mailgun_requests import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_CHARACTERS = 2_000  # of an expression or an action
_MOST_PATTERN_CHARACTERS = 300
_CALL = re.compile(r"\s*([a-z_]{1,40})\s*\(")
_AND = re.compile(r"\s*and\b", re.IGNORECASE)
_QUOTED = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\s*""", re.DOTALL)
_CAPTURE = re.compile(r"\\(?:([0-9]{1,2})|g<([A-Za-z0-9_]{1,60})>)")
_NAMED = re.compile(r"\s*(?:notify\s*=)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Captures:
    """What the groups of an expression caught: by number, over all its patterns, and by name."""

    numbered: tuple[str, ...] = ()
    named: tuple[tuple[str, str], ...] = ()

    def fill(self, target: str) -> str:
        r"""Return a target with ``\1`` and ``\g<name>`` filled in, encoded where it is a URL."""
        safe = "" if is_url(target) else None

        def value(found: re.Match[str]) -> str:
            text = self._value(found[1] or found[2])
            return text if safe is None else quote(text, safe="@.-_")

        return _CAPTURE.sub(value, target)

    def _value(self, key: str) -> str:
        if key.isdigit():
            number = int(key) - 1
            return self.numbered[number] if 0 <= number < len(self.numbered) else ""
        return dict(self.named).get(key, "")


@dataclass(frozen=True, slots=True)
class Condition:
    """One test. ``header`` "" is the recipient; without a pattern every mail passes."""

    header: str = ""
    pattern: re.Pattern[str] | None = None

    def test(self, recipient: str, headers: Sequence[tuple[str, str]]) -> Captures | None:
        """Return what was caught, None when the mail does not pass."""
        if self.pattern is None:
            return Captures()
        texts = [v for n, v in headers if n.lower() == self.header] if self.header else [recipient]
        for text in texts:
            found = self.pattern.match(text[:MOST_TEXT_CHARACTERS].replace("\n", " "))
            if found:
                named = {k: v or "" for k, v in found.groupdict().items()}
                return Captures(tuple(g or "" for g in found.groups()), tuple(named.items()))
        return None


@dataclass(frozen=True, slots=True)
class Action:
    """What is done: ``forward`` to each target, ``store`` and tell the targets, or ``stop``."""

    name: str
    targets: tuple[str, ...] = ()


def matches(
    conditions: Sequence[Condition], recipient: str, headers: Sequence[tuple[str, str]]
) -> Captures | None:
    """Return what all conditions caught; None when one of them fails."""
    numbered: tuple[str, ...] = ()
    named: tuple[tuple[str, str], ...] = ()
    for condition in conditions:
        found = condition.test(recipient, headers)
        if found is None:
            return None
        numbered, named = numbered + found.numbered, named + found.named
    return Captures(numbered, named)


def expression(text: str) -> tuple[Condition, ...]:
    """Read an expression; raise Refusal that says what is wrong."""
    if len(text) > _MOST_CHARACTERS:
        raise _wrong("expression", f"it is longer than {_MOST_CHARACTERS} characters")
    return tuple(_condition(name, values) for name, values in _calls("expression", text))


def action(text: str) -> Action:
    """Read an action; raise Refusal that says what is wrong."""
    if len(text) > _MOST_CHARACTERS:
        raise _wrong("action", f"it is longer than {_MOST_CHARACTERS} characters")
    calls = list(_calls("action", text))
    name, values = calls[0]
    targets = tuple(t.strip() for value in values for t in _targets(value) if t.strip())
    if len(calls) > 1 or name not in ("forward", "store", "stop"):
        raise _wrong("action", f'{text[:80]!r} is none of forward("..."), store(), stop()')
    for target in targets:
        if not is_url(target) and "@" not in target:
            raise _wrong("action", f"{target[:80]!r} is neither a URL nor an address")
    if (name == "forward") != bool(targets) and name != "store":
        raise _wrong("action", f"{name} takes {'a target' if name == 'forward' else 'nothing'}")
    if name == "store" and not all(is_url(target) for target in targets):
        raise _wrong("action", "store notifies a URL")
    return Action(name, targets)


def is_url(target: str) -> bool:
    """Whether a target is a URL, not an address."""
    return target.lower().startswith(("http://", "https://"))


def is_mime(url: str) -> bool:
    """Whether a URL wants the bytes of the mail: its path ends in ``mime``."""
    try:
        return urlsplit(url).path.endswith("mime")
    except ValueError:
        return False


def _targets(value: str) -> list[str]:
    """A list of addresses has commas; a URL may hold some."""
    return [value] if is_url(value.strip()) and ",http" not in value else value.split(",")


def _condition(name: str, values: Sequence[str]) -> Condition:
    if name == "catch_all" and not values:
        return Condition()
    if name == "match_recipient" and len(values) == 1:
        return Condition("", _pattern(values[0]))
    if name == "match_header" and len(values) == 2:
        return Condition(values[0].strip().lower(), _pattern(values[1]))
    raise _wrong(
        "expression",
        f"{name} with {len(values)} arguments is none of match_recipient(pattern), "
        "match_header(header, pattern), catch_all()",
    )


def _calls(what: str, text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the calls joined by ``and``: their names and their quoted arguments."""
    position = 0
    while True:
        call = _CALL.match(text, position)
        if call is None:
            raise _wrong(what, f"a call such as name(...) is missing at {text[position:][:40]!r}")
        values, position = _values(what, text, call.end())
        yield call[1], values
        if not text[position:].strip():
            return
        joined = _AND.match(text, position)
        if joined is None or what == "action":
            raise _wrong(what, f"{text[position:][:40]!r} follows a call; join calls by and")
        position = joined.end()


def _values(what: str, text: str, position: int) -> tuple[list[str], int]:
    values: list[str] = []
    while True:
        named = _NAMED.match(text, position)
        position = named.end() if named else position
        if text.startswith(")", position) and not values:
            return values, position + 1
        found = _QUOTED.match(text, position)
        if found is None:
            raise _wrong(what, f"a quoted text is missing at {text[position:][:40]!r}")
        quoted = found[1] if found[1] is not None else found[2]
        values.append(re.sub(r"\\([\"'])", r"\1", quoted))
        position = found.end()
        if text.startswith(")", position):
            return values, position + 1
        if not text.startswith(",", position):
            raise _wrong(what, "a bracket is not closed")
        position += 1


def _pattern(text: str) -> re.Pattern[str]:
    if len(text) > _MOST_PATTERN_CHARACTERS:
        raise _wrong("expression", f"a pattern has {_MOST_PATTERN_CHARACTERS} characters at most")
    if why := costly(text):
        raise _wrong("expression", why)
    try:
        return re.compile(text, re.IGNORECASE)
    except (re.error, ValueError, OverflowError, RecursionError) as error:  # flags that clash
        raise _wrong("expression", f"{text[:80]!r} is no pattern: {error}") from None


def _wrong(what: str, why: str) -> Refusal:
    return Refusal(400, f"Invalid parameter '{what}': {why}")

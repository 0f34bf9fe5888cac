"""CSS selectors as mails use them: tags, classes, ids, attributes, and elements inside others.

"a > b" is read as "a b". What depends on siblings or on a state is not read at all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_PARTS = 8
_LONGEST = 300
_ATTRIBUTE = re.compile(
    r"""\[\s*([a-z][a-z0-9_-]{0,40})\s*(?:([~^$*|]?=)\s*(?:"([^"]*)"|'([^']*)'|([^\s"'\]]*))\s*)?\]"""
)
_PIECE = re.compile(r"\*|[.#]?[a-z0-9_-]{1,100}")
_INSIDE = re.compile(r"\s*>\s*|\s+")


class Test(NamedTuple):
    """What an attribute selector asks for: a name, how to compare, and a value."""

    name: str
    operator: str
    value: str


class Compound(NamedTuple):
    """What one element must be: its tag, its classes and id as ".a" and "#b", its attributes."""

    tag: str
    words: frozenset[str]
    tests: tuple[Test, ...]

    @property
    def key(self) -> str:
        """What elements that match have for sure, for an index."""
        return min(self.words, default=self.tag or "*")

    def fits(self, tag: str, attributes: Mapping[str, str]) -> bool:
        """Tell whether an element is so."""
        if self.tag not in ("", tag):
            return False
        if self.words and not self.words.issubset(words(attributes)):
            return False
        return all(_holds(test, attributes) for test in self.tests)


def words(attributes: Mapping[str, str]) -> list[str]:
    """Return the classes and the id of an element as selectors write them."""
    found = [f".{name}" for name in attributes.get("class", "").lower().split()]
    return [*found, f"#{attributes['id'].strip().lower()}"] if "id" in attributes else found


def parse(selector: str) -> tuple[Compound, ...]:
    """Return a selector in lower case as what it asks of each element, the outermost first.

    () for one that asks for something else: siblings, states, generated content.
    """
    tests: list[Test] = []

    def keep(match: re.Match[str]) -> str:
        value = match[3] or match[4] or match[5] or ""
        tests.append(Test(match[1], match[2] or "", value))
        return f"[{len(tests) - 1}]"

    if len(selector) > _LONGEST:
        return ()
    parts = _INSIDE.split(_ATTRIBUTE.sub(keep, selector).strip()) if selector else []
    found = [_compound(part, tests) for part in parts[: _MOST_PARTS + 1]]
    if not 0 < len(found) <= _MOST_PARTS:
        return ()
    kept = tuple(each for each in found if each is not None)
    return kept if len(kept) == len(found) else ()


def _compound(part: str, tests: Sequence[Test]) -> Compound | None:
    head, *numbers = part.replace("]", "").split("[")
    pieces = _PIECE.findall(head)
    if "".join(pieces) != head or not all(number.isdecimal() for number in numbers):
        return None
    tag = pieces.pop(0) if pieces and pieces[0][0] not in ".#" else ""
    if any(piece[0] not in ".#" for piece in pieces) or not part:
        return None
    asked = tuple(tests[int(number)] for number in numbers if int(number) < len(tests))
    return Compound("" if tag == "*" else tag, frozenset(pieces), asked)


def _holds(test: Test, attributes: Mapping[str, str]) -> bool:
    if test.name not in attributes:
        return False
    value, wanted = attributes[test.name].lower(), test.value
    match test.operator:
        case "":
            return True
        case "=":
            return value == wanted
        case "~=":
            return wanted in value.split()
        case "^=":
            return bool(wanted) and value.startswith(wanted)
        case "$=":
            return bool(wanted) and value.endswith(wanted)
        case "*=":
            return bool(wanted) and wanted in value
        case _:
            return value.partition("-")[0] == wanted

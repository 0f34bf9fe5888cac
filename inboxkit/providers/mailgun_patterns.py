"""How long a pattern may keep the server busy: its tries on a hostile text, counted before it runs.

Python's matcher goes back to every choice and every repeat when what follows fails, so what each
of them can try multiplies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_TEXT_CHARACTERS = 400  # of an address or a header that a pattern is tried on
_MOST_CHOICES = 64
_MOST_TRIES = 2 * MOST_TEXT_CHARACTERS**3  # three repeats, and one choice of two
_ENDLESS = _MOST_TRIES + 1
_OPAQUE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)  # one sign in any case
_LAST = re.compile(r"\((?:\?P<\w+>)?\.\*\)\$?\Z|\.\*\$?\Z")  # takes all there is, at the first try
_UNREADABLE = re.compile(r"\(\?(?:#|[A-Za-z-]*x)")  # in comments, brackets are none
_REFERENCE = re.compile(r"\\[0-9]|\(\?P=")
_SIGN = re.compile(
    r"(?P<open>\(\??)|(?P<close>\))|(?P<bar>\|)|(?P<option>\?[?+]?)"
    r"|(?P<repeat>(?:[*+]|\{(?:\d+,?\d*|,\d*)\})[?+]?)|(?P<one>.)",
    re.DOTALL,
)


def costly(pattern: str) -> str:
    """Return why a pattern is refused, "" for one that ends soon on any text."""
    plain = _OPAQUE.sub("x", pattern)
    if _REFERENCE.search(pattern):
        return "a pattern refers back to a group"
    if _UNREADABLE.search(plain):
        return "a pattern has a comment or the flag x"
    plain = _LAST.sub("", plain)
    if _tries(plain, 1) <= _MOST_CHOICES and _tries(plain, MOST_TEXT_CHARACTERS) <= _MOST_TRIES:
        return ""
    return (
        "a pattern repeats what repeats or has a choice in it, repeats too often, "
        f"or leaves more than {_MOST_CHOICES} choices by | and ? together"
    )


@dataclass(slots=True)
class _Group:
    """What is known of an open group: tries of its closed branches, of this one, of its end."""

    closed: int = 0
    branch: int = 1
    last: int = 1

    def add(self, tries: int) -> None:
        """Let a sign or a closed group follow."""
        self.branch, self.last = self.branch * self.last, tries

    def part(self) -> None:
        """Begin another branch."""
        self.closed, self.branch, self.last = self.tries, 1, 1

    @property
    def tries(self) -> int:
        """In how many ways the group can match."""
        return self.closed + self.branch * self.last


def _tries(plain: str, length: int) -> int:
    """Return in how many ways a pattern can match at most, each repeat ``length`` times."""
    groups = [_Group()]
    for sign in _SIGN.finditer(plain):
        match sign.lastgroup:
            case "open":
                groups.append(_Group())
            case "close" if len(groups) > 1:
                closed = groups.pop()
                groups[-1].add(closed.tries)
            case "bar":
                groups[-1].part()
            case "option":
                groups[-1].last += 1
            case "repeat":
                groups[-1].last = length if groups[-1].last == 1 else _ENDLESS
            case _:
                groups[-1].add(1)
    while len(groups) > 1:  # one that is left open: no pattern, or its end was left out
        closed = groups.pop()
        groups[-1].add(closed.tries)
    return groups[0].tries

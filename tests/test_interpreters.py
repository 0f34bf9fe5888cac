"""What an older Python that we run on gets wrong."""

from __future__ import annotations

import re
from pathlib import Path

import inboxkit

# A group repeated possessively, or an atomic one: CPython before 3.11.5 (Debian 12 has 3.11.2)
# goes on from a wrong place after it (CPython issue 106052), and our loops did not end.
_POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{+[\d,]+\}+)\+|\(\?>")


def test_no_pattern_repeats_a_group_possessively() -> None:
    package = Path(inboxkit.__file__).parent
    lines = [
        (f"{source.relative_to(package)}:{number}", line)
        for source in package.rglob("*.py")
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1)
    ]
    assert len(lines) > 10_000
    assert [place for place, line in lines if _POSSESSIVE_GROUP.search(line)] == []


def test_the_check_sees_one() -> None:
    assert _POSSESSIVE_GROUP.search(r'"(?:[ ]{glued}){{0,9}}+"')
    assert _POSSESSIVE_GROUP.search(r"(?:ab?c)++")
    assert not _POSSESSIVE_GROUP.search(r"([^>=]*+)(?:=\s*+x)*>")

"""The words around a place in a text: its sentence, the lines above and below. No meaning here."""

from __future__ import annotations

import re

LEFT, RIGHT = 110, 48  # how far a sentence is read to both sides, in characters
_ABOVE, _BELOW, _AFTER, _LIST, _BEFORE = 320, 200, 120, 160, 240
_WRAPPED = 40  # a line as long as this may be one that a mailer has wrapped
_SENTENCE = re.compile(r"[.!?;؟]\s|[。！？।։]")
_EDGE = " \t*_|>[](){}\"'«»“”:.,-–—+=\u00a0\u3000"


def before(text: str, start: int) -> str:
    """Return the sentence up to ``start``, through one wrapped line end."""
    line = max(text.rfind("\n", 0, start) + 1, start - LEFT)
    if start - line < 25 and line > 1 and text[line - 1] == "\n":
        line = _wrapped_from(text, line, start)
    left = text[line:start]
    cut = 0
    for match in _SENTENCE.finditer(left):
        cut = match.end()
    return left[cut:]


def behind(text: str, end: int) -> str:
    """Return the sentence from ``end`` on, through one wrapped line end."""
    stretch = text[end : end + RIGHT]
    line, newline, more = stretch.partition("\n")
    if newline and len(line) > 1 and more and not more.startswith("\n"):
        column = end - (text.rfind("\n", 0, end) + 1) + len(line)
        if column >= _WRAPPED:
            line = f"{line} {more.partition(chr(10))[0]}"
    match = _SENTENCE.search(line)
    return line[: match.start()] if match else line


def next_sentence(text: str, end: int) -> str:
    """Return what follows in the same paragraph, the next line included."""
    return text[end : end + _AFTER].strip(" .\n").partition("\n\n")[0]


def previous_sentence(text: str, start: int) -> str:
    """Return the sentence before that of ``start``, in the same paragraph."""
    paragraph = text[max(0, start - _BEFORE) : start].rpartition("\n\n")[2]
    cuts = [0, 0, *(match.end() for match in _SENTENCE.finditer(paragraph))]
    return paragraph[cuts[-2] : cuts[-1]]


def is_alone(text: str, start: int, end: int) -> bool:
    """Tell whether nothing but decoration stands beside on the line."""
    line = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", end)
    left = text[max(line, start - 40) : start]
    right = text[end : min(stop if stop >= 0 else len(text), end + 40)]
    return not any(map(str.isalnum, left)) and not any(map(str.isalnum, right))


def above(text: str, start: int) -> str:
    """Return the last three lines above that hold words."""
    line = text.rfind("\n", 0, start) + 1
    block = text[max(0, line - _ABOVE) : line].rstrip()
    return "\n".join([each for each in block.split("\n") if each.strip(_EDGE)][-3:])


def label_above(text: str, start: int) -> str:
    """Return the line above if it is short or ends in a colon, as a label does."""
    last = above(text, start).rpartition("\n")[2].rstrip()
    return last if len(last) <= 40 or last.endswith((":", "：")) else ""


def list_above(text: str, start: int) -> str:
    """Return up to two lines right above, without a blank one between."""
    line = text.rfind("\n", 0, start) + 1
    block = text[max(0, line - _LIST) : line].rstrip("\n")
    return "\n".join(block.rpartition("\n\n")[2].split("\n")[-2:])


def below(text: str, end: int) -> str:
    """Return the first two lines below that hold words."""
    stop = text.find("\n", end)
    if stop < 0:
        return ""
    lines = text[stop : stop + _BELOW].split("\n")
    return "\n".join([each for each in lines if each.strip(_EDGE)][:2])


def _wrapped_from(text: str, line: int, start: int) -> int:
    """Return where the line before begins if a long sentence was only wrapped there."""
    first = text.rfind("\n", 0, line - 1) + 1
    previous = text[first : line - 1].rstrip()
    if len(previous) >= _WRAPPED and previous[-1] not in ".!?:;。：！":
        return max(first, start - LEFT)
    return line

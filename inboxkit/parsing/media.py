"""Which rules of a style sheet apply to a mail that is read in light colours on a wide screen.

Rules for print, for narrow screens and for dark mode do not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH, _HEIGHT = 1200, 900  # pixels
_MOST_RULES = 2_000
_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{0,4})?)(px|em|rem|)\Z")
_COMMENT_END = "*/"
_KINDS = frozenset(("all", "screen", "only screen", "only all", "not print", "not speech"))
_FEATURES = frozenset(
    (
        *("prefers-color-scheme:light", "orientation:landscape", "hover:hover", "pointer:fine"),
        *("color", "hover", "-webkit-min-device-pixel-ratio:0", "min-resolution:1dpi"),
    )
)


def rules(css: str) -> Iterator[tuple[str, str]]:
    """Yield selectors and declarations of the rules that apply, in order, without comments."""
    css = _without_comments(css)
    applies: list[bool] = []  # for each open block
    place = count = 0
    selector = ""
    for match in re.finditer(r"[{}]", css):
        piece, place = css[place : match.start()], match.end()
        if match[0] == "{":
            header = piece.rpartition(";")[2].strip().lower()
            outer = all(applies[-1:])
            applies.append(outer and (header[:1] != "@" or _applies(header)))
            selector = "" if header[:1] == "@" else header
        elif applies:
            if applies.pop() and selector and count < _MOST_RULES:
                count += 1
                yield selector, piece
            selector = ""


def _without_comments(css: str) -> str:
    first, *others = css.replace("<!--", " ").replace("-->", " ").split("/*")
    return first + " ".join(other.partition(_COMMENT_END)[2] for other in others)


def _applies(header: str) -> bool:
    name, _, condition = header.partition(" ")
    if name.startswith("@media"):
        return any(map(_matches, header.removeprefix("@media").split(",")))
    if name.startswith("@supports"):
        return not condition.strip().startswith("not")
    return name.startswith(("@layer", "@scope", "@container"))


def _matches(query: str) -> bool:
    """Tell whether a media query is true (Media Queries 4); what is not known is false."""
    return all(_is_true(part.strip()) for part in " ".join(query.split()).split(" and "))


def _is_true(part: str) -> bool:
    if not part.startswith("("):
        return part in _KINDS
    feature = part.strip("() ").replace(" ", "")
    name, _, value = feature.partition(":")
    size = _LENGTH.match(value)
    if size is None:
        return feature in _FEATURES
    pixels = float(size[1]) * (16 if size[2].endswith("em") else 1)
    bounds = {"width": _WIDTH, "height": _HEIGHT}
    edge, _, side = name.replace("device-", "").partition("-")
    if side not in bounds:
        return feature in _FEATURES
    return pixels <= bounds[side] if edge == "min" else edge == "max" and pixels >= bounds[side]

"""What CSS declarations do to the texts of an element: hide them, paint them, move them away."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from . import colours

_MAX_STYLE = 4_096
_LENGTH = re.compile(r"(-?)(\d{0,6}(?:\.\d{0,6})?)([a-z%]{0,4})\Z")
_ZERO_CLIP = re.compile(
    r"rect\((?:[01](?:px)?[\s,]*){4}\)|inset\((?:50|100)%|(?:circle|ellipse)\(0(?:px|%)?[ )]"
    r"|polygon\((?:0(?:px|%)?[\s,]*){4,12}\)"
)
_ZERO_FONT = re.compile(r"(?:^|\s)0(?:px)?(?:/|\s|\Z)")
_ZERO_SCALE = re.compile(r"scale(?:3d|[xy])?\(0(?:\.0{1,6})?[,)]")
_MOVED = re.compile(r"-(?:\d{4,6}(?:\.\d{0,6})?(?:px|pt)?|\d{3,6}(?:r?em|vw|vh|%))(?![\d.])")
_OPAQUE = re.compile(r"opacity(?:\(|=)0?(?:\.0\d{0,6})?[%)]")  # of filter
_OFF_SCREEN = 500  # pixels to the left or above: no mail is that wide in the margin
_UNREAD = 0.05  # an opacity below which no eye reads a text


class Style(NamedTuple):
    """What declarations do to an element; None where they say nothing."""

    absent: bool | None = None  # display
    invisible: bool | None = None  # visibility, which a child may undo
    tiny: bool | None = None  # a font no one can read, which a child may undo
    lost: bool = False  # transparent, off-screen, clipped
    flat: bool = False  # no height or no width: hides in a box, not in a table cell
    clear: bool | None = None  # transparent letters
    colour: colours.Colour | None = None
    background: colours.Colour | None = None
    repaints: bool = False  # the background is a picture, so nothing is known of it

    @property
    def hides(self) -> bool:
        """Whether it can hide a text whatever the colours are."""
        return bool(
            self.absent or self.invisible or self.tiny or self.lost or self.flat or self.clear
        )


NOTHING = Style()


def merged(below: Style, above: Style) -> Style:
    """Return one style laid over another."""
    if below is NOTHING:
        return above
    if above is NOTHING:
        return below
    paints = above.background is not None or above.repaints
    return Style(
        below.absent if above.absent is None else above.absent,
        below.invisible if above.invisible is None else above.invisible,
        below.tiny if above.tiny is None else above.tiny,
        below.lost or above.lost,
        below.flat or above.flat,
        below.clear if above.clear is None else above.clear,
        above.colour or below.colour,
        above.background if paints else below.background,
        above.repaints if paints else below.repaints,
    )


@functools.lru_cache(maxsize=1024)  # a mail repeats its styles, a sender repeats its mails
def declarations(text: str) -> Style:
    """Return what a list of CSS declarations does."""
    values: dict[str, str] = {}
    for declaration in text[:_MAX_STYLE].lower().split(";"):
        name, colon, value = declaration.partition(":")
        if colon:
            values[name.strip()] = value.partition("!")[0].strip()
    if values.keys().isdisjoint(_READ):
        return NOTHING
    background = values.get("background-color") or values.get("background", "")
    pictures = values.get("background-image", "") + values.get("background", "")
    size = values.get("font-size")
    colour = values.get("-webkit-text-fill-color") or values.get("color", "")
    return Style(
        absent=_is_absent(values),
        invisible=_is_invisible(values.get("visibility")),
        tiny=_is_tiny(size, values.get("font", "")),
        lost=_is_lost(values) or _is_transparent(values),
        flat=_is_flat(values),
        clear=_is_clear(colour, values),
        colour=colours.parse(colour) if colour else None,
        background=_painted(background) if background else None,
        repaints="url(" in pictures or "gradient" in pictures,
    )


_PLACES = frozenset("left top right margin-left margin-top text-indent inset margin".split())
_READ = _PLACES | frozenset(
    "display visibility content-visibility font-size font color background background-color "
    "background-image opacity filter clip clip-path transform translate scale zoom mso-hide "
    "height width max-height max-width -webkit-text-fill-color".split()
)


def _pixels(text: str) -> float | None:
    # A length in pixels, near enough; None when it is none.
    match = _LENGTH.match(text.strip())
    if not match or not match[2].strip("."):
        return None
    number = float(match[2]) * _UNITS.get(match[3], 1.0)
    return -number if match[1] else number


_UNITS = {
    "em": 16.0,
    "rem": 16.0,
    "pt": 1.33,
    "%": 0.16,
    "cm": 37.8,
    "mm": 3.78,
    "in": 96.0,
    "vw": 12,
    "vh": 9,
}


def _is_tiny(size: str | None, font: str) -> bool | None:
    if size is None:
        return True if _ZERO_FONT.search(font) else None
    pixels = _pixels(size)
    return pixels is not None and pixels < 2


def _is_invisible(value: str | None) -> bool | None:
    return None if value is None else value in ("hidden", "collapse")


def _is_clear(colour: str, values: dict[str, str]) -> bool | None:
    if not colour:
        return None
    clipped = "background-clip" in values or "-webkit-background-clip" in values
    return colours.is_transparent(colour) and not clipped


def _is_absent(values: dict[str, str]) -> bool | None:
    if values.get("mso-hide") == "all":  # Outlook's own "display: none"
        return True
    return values["display"] == "none" if "display" in values else None


def _is_lost(values: dict[str, str]) -> bool:
    if _ZERO_CLIP.search(values.get("clip", "") + values.get("clip-path", "")):
        return True
    if values.get("content-visibility") == "hidden" or values.get("zoom", "1").strip("0.%") == "":
        return True
    moved = values.get("transform", "") + values.get("translate", "")
    if moved and (_ZERO_SCALE.search(moved) or _MOVED.search(moved)):
        return True
    return any(_is_away(values[name]) for name in _PLACES & values.keys())


def _is_away(value: str) -> bool:
    # Whether a place, or one of several, is far to the left or above.
    if "-" not in value:
        return False
    if "(" in value:
        return _MOVED.search(value) is not None
    return any((_pixels(word) or 0) <= -_OFF_SCREEN for word in value.split())


def _is_transparent(values: dict[str, str]) -> bool:
    share = values.get("opacity", "")
    if share:
        part = _pixels(share.removesuffix("%"))
        if part is not None and part <= (_UNREAD * 100 if share.endswith("%") else _UNREAD):
            return True
    return _OPAQUE.search(values.get("filter", "")) is not None


def _is_flat(values: dict[str, str]) -> bool:
    cut = values.get("overflow", "") == "hidden"
    return any(
        name in values
        and (pixels := _pixels(values[name])) is not None
        and pixels <= (1 if cut else 0)
        for name in ("height", "width", "max-height", "max-width")
    )


def _painted(value: str) -> colours.Colour | None:
    whole = colours.parse(value)
    if whole:
        return whole
    return next((found for word in value.split() if (found := colours.parse(word))), None)

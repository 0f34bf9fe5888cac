"""Which texts of an HTML mail a person cannot see: by styles, attributes and colours.

Reads inline styles and the simple selectors of style sheets (tag, class, id). Rules inside @media
are left out: they speak of other screens or of dark mode. When in doubt, text is visible.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from . import colours, tags

_MAX_RULES = 2_000
_MAX_STYLE = 4_096
_KEPT_LENGTH = 500  # characters of attributes that are remembered
# The attributes that can hide something, without style sheets and with them.
_BY_ITSELF = re.compile(r"style|hidden|color|background", re.IGNORECASE)
_WITH_RULES = re.compile(r"style|hidden|color|background|class|\bid", re.IGNORECASE)
_SIMPLE = re.compile(r"(?:[a-z][a-z0-9]{0,40})?(?:[.#][a-z0-9_-]{1,100})?\Z")
_LENGTH = re.compile(r"(-?)(\d{0,6}(?:\.\d{0,6})?)([a-z%]{0,4})\Z")
_ZERO_CLIP = re.compile(r"rect\((?:[01](?:px)?[\s,]*){4}\)|inset\((?:50|100)%")
_ZERO_FONT = re.compile(r"(?:^|\s)0(?:px)?(?:/|\s|\Z)")
_TABLE_PARTS = frozenset("table tbody thead tfoot tr td th col colgroup".split())
_OFF_SCREEN = 500  # pixels to the left or above: no mail is that wide in the margin


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


class Sheet:
    """The rules of a mail's style elements, and the styles they and inline styles give."""

    def __init__(self) -> None:
        self._rules: dict[str, Style] = {}
        self._known: dict[tuple[str, str], Style] = {}

    def __bool__(self) -> bool:
        return bool(self._rules)

    def learn(self, css: str) -> None:
        """Add the rules of a style element."""
        for rule in _without_blocks(css).split("}", _MAX_RULES)[:_MAX_RULES]:
            selectors, _, body = rule.partition("{")
            style = declarations(body) if body else NOTHING
            if style != NOTHING:
                for selector in selectors.split(","):
                    self._add(selector.strip().lower(), style)
        self._known.clear()

    def style(self, name: str, attributes: str) -> Style:
        """Return the style of an element that has these attributes, as written."""
        wanted = _WITH_RULES if self._rules else _BY_ITSELF
        if name not in self._rules and not (attributes and wanted.search(attributes)):
            return NOTHING
        key = (name, attributes)
        style = self._known.get(key)
        if style is None:
            own = not self._rules and len(attributes) <= _KEPT_LENGTH
            style = _own(*key) if own else self._compute(name, tags.attributes(attributes))
            self._known[key] = style
        return style

    def _add(self, selector: str, style: Style) -> None:
        last = selector.replace(">", " ").replace("+", " ").split(" ")[-1]
        if not _SIMPLE.match(last):
            return
        if last != selector:
            # It applies somewhere only. What it paints must not make other texts look hidden.
            if not (style.background or style.repaints):
                return
            style = Style(repaints=True)
        self._rules[last] = merged(self._rules.get(last, NOTHING), style)

    def _compute(self, name: str, attributes: dict[str, str]) -> Style:
        style = self._rules.get(name, NOTHING)
        for kind, key in ((".", "class"), ("#", "id")):
            for word in attributes.get(key, "").lower().split():
                for selector in (kind + word, name + kind + word):
                    style = merged(style, self._rules.get(selector, NOTHING))
        return _completed(name, style, attributes)


@functools.lru_cache(maxsize=512)
def _own(name: str, attributes: str) -> Style:
    # What a tag does by itself, where there are no rules.
    return _completed(name, NOTHING, tags.attributes(attributes))


def _completed(name: str, style: Style, attributes: dict[str, str]) -> Style:
    # The style that rules give, with what the attributes add.
    style = merged(_from_attributes(attributes), style)
    if "style" in attributes:
        style = merged(style, declarations(attributes["style"][:_MAX_STYLE]))
    if style.flat and name not in _TABLE_PARTS:
        style = style._replace(lost=True)
    return style


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
    colour = values.get("color", "")
    return Style(
        absent=values["display"] == "none" if "display" in values else None,
        invisible=_is_invisible(values.get("visibility")),
        tiny=_is_tiny(size, values.get("font", "")),
        lost=_is_lost(values),
        flat=_is_flat(values),
        clear=_is_clear(colour, values),
        colour=colours.parse(colour) if colour else None,
        background=_painted(background) if background else None,
        repaints="url(" in pictures or "gradient" in pictures,
    )


_READ = frozenset(
    "display visibility font-size font color background background-color background-image opacity "
    "left top right margin-left margin-top text-indent clip clip-path transform "
    "height width max-height max-width".split()
)


def _from_attributes(attributes: dict[str, str]) -> Style:
    hidden = "hidden" in attributes
    colour, background = attributes.get("color"), attributes.get("bgcolor")
    picture = bool(attributes.get("background"))
    if not (hidden or colour or background or picture):
        return NOTHING
    return Style(
        absent=hidden or None,
        colour=colours.parse(colour) if colour else None,
        background=colours.parse(background) if background else None,
        repaints=picture,
    )


def _without_blocks(css: str) -> str:
    # The rules outside of @media and the like, without comments.
    first, *others = css.replace("<!--", " ").replace("-->", " ").split("/*")
    css = first + " ".join(other.partition("*/")[2] for other in others)
    kept: list[str] = []
    depth, skipping, place = 0, False, 0
    for match in re.finditer(r"[{}]", css):
        piece = css[place : match.end()]
        place = match.end()
        if depth == 0:
            skipping = "@" in piece and piece[0] != "}"
        depth = depth + 1 if match[0] == "{" else max(depth - 1, 0)
        if not skipping:
            kept.append(piece)
    return "".join(kept)


def _pixels(text: str) -> float | None:
    # A length in pixels, near enough; None when it is none.
    match = _LENGTH.match(text.strip())
    if not match or not match[2].strip("."):
        return None
    number = float(match[2]) * _UNITS.get(match[3], 1.0)
    return -number if match[1] else number


_UNITS = {"em": 16.0, "rem": 16.0, "pt": 1.33, "%": 0.16, "cm": 37.8, "mm": 3.78, "in": 96.0}


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


def _is_lost(values: dict[str, str]) -> bool:
    opacity = values.get("opacity", "")
    if opacity and opacity.strip("0.%") == "":
        return True
    if _ZERO_CLIP.search(values.get("clip", "") + values.get("clip-path", "")):
        return True
    if "scale(0)" in values.get("transform", ""):
        return True
    for name in ("left", "top", "right", "margin-left", "margin-top", "text-indent"):
        if name in values and (_pixels(values[name]) or 0) <= -_OFF_SCREEN:
            return True
    return False


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

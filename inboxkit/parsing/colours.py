"""CSS colours (CSS Color 4) as far as mails use them: names, hex, rgb() and hsl()."""

from __future__ import annotations

import re
from colorsys import hls_to_rgb
from typing import NamedTuple


class Colour(NamedTuple):
    """Red, green and blue, 0 to 255."""

    red: int
    green: int
    blue: int


BLACK = Colour(0, 0, 0)
WHITE = Colour(255, 255, 255)
_NAMES = {
    "black": BLACK,
    "white": WHITE,
    "snow": Colour(255, 250, 250),
    "ivory": Colour(255, 255, 240),
    "whitesmoke": Colour(245, 245, 245),
    "ghostwhite": Colour(248, 248, 255),
    "gray": Colour(128, 128, 128),
    "grey": Colour(128, 128, 128),
    "silver": Colour(192, 192, 192),
    "lightgray": Colour(211, 211, 211),
    "lightgrey": Colour(211, 211, 211),
    "darkgray": Colour(169, 169, 169),
    "red": Colour(255, 0, 0),
    "maroon": Colour(128, 0, 0),
    "yellow": Colour(255, 255, 0),
    "olive": Colour(128, 128, 0),
    "lime": Colour(0, 255, 0),
    "green": Colour(0, 128, 0),
    "aqua": Colour(0, 255, 255),
    "teal": Colour(0, 128, 128),
    "blue": Colour(0, 0, 255),
    "navy": Colour(0, 0, 128),
    "fuchsia": Colour(255, 0, 255),
    "purple": Colour(128, 0, 128),
    "orange": Colour(255, 165, 0),
}
_HEX = re.compile(r"#?([0-9a-f]{3,8})\Z")
_FUNCTION = re.compile(r"(rgb|hsl)a?\(([^()]{1,60})\)")
_NEAR = 30  # the sum of the differences of the three channels below which no eye reads a text


def parse(text: str) -> Colour | None:
    """Return a colour, or None when it is unknown or one can see through it."""
    text = text.strip().lower()
    if text in _NAMES:
        return _NAMES[text]
    channels = _channels(text)
    if len(channels) == 3 or (len(channels) == 4 and channels[3] >= 1):
        return Colour(*(min(int(value), 255) for value in channels[:3]))
    return None


def is_transparent(text: str) -> bool:
    """Tell whether a colour shows nothing at all."""
    text = text.strip().lower()
    channels = _channels(text)
    return text == "transparent" or (len(channels) == 4 and channels[3] <= 0.05)


def alike(one: Colour, other: Colour) -> bool:
    """Tell whether text of one colour cannot be seen on the other."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) <= _NEAR


def _channels(text: str) -> tuple[float, ...]:
    # Three channels, and the alpha as 0 to 1 where one is given.
    if match := _HEX.match(text):
        digits = match[1] if len(match[1]) > 4 else "".join(digit * 2 for digit in match[1])
        numbers = [int(digits[i : i + 2], 16) for i in range(0, len(digits) - 1, 2)]
        return (*numbers[:3], *(alpha / 255 for alpha in numbers[3:]))
    if match := _FUNCTION.match(text):
        parts = match[2].replace(",", " ").replace("/", " ").split()
        try:
            return (_rgb if match[1] == "rgb" else _hsl)(parts[:4])
        except ValueError:
            return ()
    return ()


def _rgb(parts: list[str]) -> tuple[float, ...]:
    return tuple(_number(part, index) for index, part in enumerate(parts))


def _hsl(parts: list[str]) -> tuple[float, ...]:
    if len(parts) < 3:
        return ()
    hue = float(parts[0].removesuffix("deg")) % 360 / 360
    saturation, lightness = (float(part.removesuffix("%")) / 100 for part in parts[1:3])
    channels = hls_to_rgb(hue, lightness, saturation)
    return (
        *(max(channel, 0) * 255 for channel in channels),
        *_rgb(["0", "0", "0", *parts[3:]])[3:],
    )


def _number(text: str, index: int) -> float:
    if text.endswith("%"):
        return max(float(text[:-1]), 0) / 100 * (1 if index == 3 else 255)
    return max(float(text), 0)

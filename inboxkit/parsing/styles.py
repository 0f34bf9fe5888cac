"""Which texts of an HTML mail a person cannot see: by styles, attributes and colours.

Reads inline styles and the rules of style sheets that apply to a wide, light screen. When in
doubt, text is visible.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from . import colours, media, selectors, tags
from .declarations import NOTHING, Style, declarations, merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .selectors import Compound

_MAX_STYLE = 4_096
_MAX_COMPLEX = 50  # rules with the same tag, class or id last
_MAX_CHECKS = 50_000  # of elements against such rules; in a mail with more they say nothing
_KEPT_LENGTH = 500  # characters of attributes that are remembered
# The attributes that can hide something, without style sheets and with them.
_BY_ITSELF = ("style", "hidden", "color", "background", "text")
_WITH_RULES = re.compile(r"style|hidden|color|background|\btext\b|class|\bid", re.IGNORECASE)
_SIMPLE = re.compile(r"(?:[a-z][a-z0-9]{0,40})?(?:[.#][a-z0-9_-]{1,100})?\Z")
_TABLE_PARTS = frozenset("table tbody thead tfoot tr td th col colgroup".split())


Element: TypeAlias = tuple[str, str]  # a tag and its attributes as written


class _Rule(NamedTuple):
    """A rule that looks at more than a tag, a class or an id."""

    parts: tuple[Compound, ...]
    style: Style


class Sheet:
    """The rules of a mail's style elements, and the styles they and inline styles give."""

    def __init__(self) -> None:
        self._rules: dict[str, Style] = {}
        self._known: dict[tuple[str, str], Style] = {}
        self._complex: dict[str, list[_Rule]] = {}  # by what elements that match have
        self._checks = _MAX_CHECKS

    def __bool__(self) -> bool:
        return bool(self._rules or self._complex)

    def learn(self, css: str) -> None:
        """Add the rules of a style element."""
        for listed, body in media.rules(css):
            style = declarations(body)
            if style != NOTHING:
                for selector in listed.split(","):
                    self._add(selector.strip(), style)
        self._known.clear()

    def style(self, name: str, attributes: str, path: Sequence[Element] = ()) -> Style:
        """Return the style of an element that has these attributes, as written.

        ``path`` are the elements it is in, the outermost first.
        """
        inside = self._inside(name, attributes, path) if self._complex else None
        return self._by_itself(name, attributes) if inside is None else inside

    def _by_itself(self, name: str, attributes: str) -> Style:
        if not self._rules:
            return alone(name, attributes)
        if name not in self._rules and not (attributes and _WITH_RULES.search(attributes)):
            return NOTHING
        key = (name, attributes)
        style = self._known.get(key)
        if style is None:
            style = self._known[key] = self._compute(name, tags.attributes(attributes))
        return style

    def _inside(self, name: str, attributes: str, path: Sequence[Element]) -> Style | None:
        # The style with what rules say that look at more than a tag, a class or an id.
        known = tags.attributes(attributes) if attributes else {}
        found: list[Style] = []
        for key in (name, "*", *selectors.words(known)):
            for rule in self._complex.get(key, ()):
                *outer, last = rule.parts
                self._checks -= 1
                if self._checks > 0 and last.fits(name, known) and self._is_within(outer, path):
                    found.append(rule.style)
        if not found:
            return None
        return _completed(name, functools.reduce(merged, found, self._ruled(name, known)), known)

    def _is_within(self, outer: list[Compound], path: Sequence[Element]) -> bool:
        # Whether the elements around hold those that are asked for, in order.
        for element in reversed(path) if outer else ():
            self._checks -= 1
            if self._checks < 0:
                return False
            if outer[-1].fits(element[0], tags.attributes(element[1]) if element[1] else {}):
                outer.pop()
                if not outer:
                    return True
        return not outer

    def _add(self, selector: str, style: Style) -> None:
        if _SIMPLE.match(selector):
            self._rules[selector] = merged(self._rules.get(selector, NOTHING), style)
        elif parts := selectors.parse(selector):
            rules = self._complex.setdefault(parts[-1].key, [])
            if len(rules) < _MAX_COMPLEX:
                rules.append(_Rule(parts, style))
        elif style.background or style.repaints:
            # It applies somewhere only. What it paints must not make other texts look hidden.
            last = selector.replace(">", " ").replace("+", " ").split(" ")[-1]
            if _SIMPLE.match(last):
                self._rules[last] = merged(self._rules.get(last, NOTHING), Style(repaints=True))

    def _compute(self, name: str, attributes: dict[str, str]) -> Style:
        return _completed(name, self._ruled(name, attributes), attributes)

    def _ruled(self, name: str, attributes: dict[str, str]) -> Style:
        # What the rules for a tag, a class and an id say.
        style = self._rules.get(name, NOTHING)
        for word in selectors.words(attributes):
            for selector in (word, name + word):
                style = merged(style, self._rules.get(selector, NOTHING))
        return style


def alone(name: str, attributes: str) -> Style:
    """Return the style of an element in a mail without rules."""
    written = attributes.lower()
    for word in _BY_ITSELF:
        if word in written:
            return (_kept if len(attributes) <= _KEPT_LENGTH else _own)(name, attributes)
    return NOTHING


def _own(name: str, attributes: str) -> Style:
    return _completed(name, NOTHING, tags.attributes(attributes))


_kept = functools.lru_cache(maxsize=512)(_own)


def _completed(name: str, style: Style, attributes: dict[str, str]) -> Style:
    # The style that rules give, with what the attributes add.
    style = merged(_from_attributes(attributes), style)
    if "style" in attributes:
        style = merged(style, declarations(attributes["style"][:_MAX_STYLE]))
    return _flattened(name, style)


def _flattened(name: str, style: Style) -> Style:
    return style._replace(lost=True) if style.flat and name not in _TABLE_PARTS else style


def _from_attributes(attributes: dict[str, str]) -> Style:
    hidden = "hidden" in attributes
    colour = attributes.get("color") or attributes.get("text")  # of <font>, of <body>
    background = attributes.get("bgcolor")
    picture = bool(attributes.get("background"))
    if not (hidden or colour or background or picture):
        return NOTHING
    return Style(
        absent=hidden or None,
        colour=colours.parse(colour) if colour else None,
        background=colours.parse(background) if background else None,
        repaints=picture,
    )

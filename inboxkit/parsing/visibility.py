"""Leaves out of a stream of HTML what its reader does not see."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import colours, styles, tags
from .declarations import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .declarations import Style
    from .tags import Token

_MAX_PAIRS = 64  # of colours; more are not worth comparing
_UNSEEN = frozenset(("template", "datalist"))
_TELLING = _UNSEEN | {"!style", "object"}
# Elements that a closing tag inside of them does not reach out of (HTML Standard, "in scope").
_SCOPES = frozenset(("table", "td", "th", "caption", "template"))
_TABLE_PARTS = _SCOPES | {"tr", "tbody", "thead", "tfoot"}
_BLOCKS = (
    "address article aside blockquote center details dir div dl fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hr li main menu nav ol p pre section table ul"
).split()
# What a start tag closes when it is the innermost open element (HTML Standard 13.1.2.4).
_IMPLIED = {name: frozenset(("p",)) for name in _BLOCKS} | {
    "li": frozenset(("li", "p")),
    "dt": frozenset(("dt", "dd", "p")),
    "dd": frozenset(("dt", "dd", "p")),
    "td": frozenset(("td", "th", "p")),
    "th": frozenset(("td", "th", "p")),
    "tr": frozenset(("td", "th", "tr", "p")),
    "option": frozenset(("option",)),
}
# What parts the words before it from those after it.
_PARTING = frozenset((*_IMPLIED, "br"))


class _Look(NamedTuple):
    """What an element's texts inherit; ``shows`` is what follows from the rest."""

    unseen: bool = False  # in an element that never shows its content
    gone: bool = False  # hidden, and no child can undo it
    invisible: bool = False
    tiny: bool = False
    clear: bool = False
    colour: colours.Colour = colours.BLACK
    background: colours.Colour | None = colours.WHITE
    shows: bool = True


def visible(tokens: Iterable[Token], left_out: list[str]) -> Iterable[Token]:
    """Return the tokens that a reader sees; texts hidden by a style are put into ``left_out``.

    Between the lines of what is hidden a line break is put.
    """
    if isinstance(tokens, tags.Stream) and _show_all(tokens.tags):
        return tokens
    return _filtered(tokens, left_out)


def _show_all(found: Iterable[Token]) -> bool:
    # Whether none of a mail's tags can hide a text. Most mails of people are such.
    inks, grounds = {colours.BLACK}, {colours.WHITE}
    for name, text in found:
        if name in _TELLING:
            return False
        if text and name not in tags.VOID:
            style = styles.alone(name, text)
            if style is NOTHING:
                continue
            if style.hides:
                return False
            inks.add(style.colour or colours.BLACK)
            grounds.add(style.background or colours.WHITE)
    if len(inks) * len(grounds) > _MAX_PAIRS:
        return False
    if len(inks) == len(grounds) == 1:
        return True
    return not any(colours.alike(ink, ground) for ink in inks for ground in grounds)


def _filtered(tokens: Iterable[Token], left_out: list[str]) -> Iterator[Token]:
    page = _Page()
    look = page.look
    for token in tokens:
        name, text = token
        if not name:
            if look.shows:
                yield token
            elif not text.isspace():
                left_out.append(text)
            continue
        if name[0] == "/":
            look = page.close(name[1:])
        elif name == "!style":
            page.sheet.learn(text)
        elif name not in tags.VOID:
            look = page.open(name, text)
        if look.shows:
            yield token
        elif name.removeprefix("/") in _PARTING:
            left_out.append("\n")


class _Page:
    """The open elements, innermost last."""

    def __init__(self) -> None:
        self.sheet = styles.Sheet()
        self.look = _Look()
        self._open: list[tuple[str, _Look]] = [("", self.look)]
        self._path: list[styles.Element] = []
        self._counts: list[dict[str, int]] = [{}]  # how many of each name, a dict for each scope
        self._parts: dict[str, int] = {}  # the same for tables and their parts, over all scopes

    def open(self, name: str, attributes: str) -> _Look:
        """Open an element, and return how its texts look."""
        implied = _IMPLIED.get(name)
        while implied and self._open[-1][0] in implied:
            self._pop()
        look = self._open[-1][1]
        style = NOTHING
        if attributes or self.sheet:
            style = self.sheet.style(name, attributes, self._path)
        unseen = name in _UNSEEN or (name == "object" and "data" in tags.attributes(attributes))
        if style is not NOTHING or unseen:
            look = _styled(look, style, unseen=unseen)
        self.look = look
        self._open.append((name, look))
        self._path.append((name, attributes))
        counts = self._parts if name in _TABLE_PARTS else self._counts[-1]
        counts[name] = counts.get(name, 0) + 1
        if name in _SCOPES:
            self._counts.append({})
        return look

    def close(self, name: str) -> _Look:
        """Close the innermost element of that name, what is still open in it too."""
        counts = self._parts if name in _TABLE_PARTS else self._counts[-1]
        if counts.get(name):
            while self._pop() != name:
                pass
            self.look = self._open[-1][1]
        return self.look

    def _pop(self) -> str:
        name, _ = self._open.pop()
        self._path.pop()
        if name in _SCOPES:
            self._counts.pop()
        counts = self._parts if name in _TABLE_PARTS else self._counts[-1]
        counts[name] -= 1
        return name


def _styled(parent: _Look, style: Style, *, unseen: bool) -> _Look:
    unseen = unseen or parent.unseen
    gone = parent.gone or bool(style.absent) or style.lost
    invisible = parent.invisible if style.invisible is None else style.invisible
    tiny = parent.tiny if style.tiny is None else style.tiny
    clear = parent.clear if style.clear is None else style.clear
    colour = style.colour or parent.colour
    background = None if style.repaints else style.background or parent.background
    shows = not (unseen or gone or invisible or tiny or clear)
    if shows and background is not None and colours.alike(colour, background):
        shows = False
    return _Look(unseen, gone, invisible, tiny, clear, colour, background, shows)

"""HTML as readable text: paragraphs, lists, tables, quotes and the targets of links."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from . import tags, visibility

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .tags import Token

_ONE_LINE: frozenset[str] = frozenset(
    "div dl dt dd form fieldset address center section header article footer nav aside main figure "
    "figcaption caption legend option body html details summary dir".split()
)
_TWO_LINES: frozenset[str] = frozenset("p h1 h2 h3 h4 h5 h6".split())
_BREAKS = (
    dict.fromkeys((end + name for name in _ONE_LINE for end in ("", "/")), 1)
    | dict.fromkeys((end + name for name in _TWO_LINES for end in ("", "/")), 2)
    | {"/tr": 1}
)
_KEPT_LENGTH = 64 * 1024
_MAX_DEPTH = 20
_MAX_ALT = 200
_MAX_TARGET = 4_096
_SCHEMES = ("http:", "https:", "mailto:", "tel:", "ftp:")
_QUOTE_SIGNS = ("cite", "quote", "border-left")
_SPACES = " \t\r\n\f\xa0"
_WIDE = re.compile(f"[{_SPACES}]+")  # the ideographic space is a sign of its own
_RULE = "_" * 32  # how Outlook writes <hr> in its text parts


def to_text(source: str) -> str:
    """Return an HTML text as a person reads it, links as "words <target>"; never raises.

    Linear in the length of the text. What the mail hides from its reader is left out.
    """
    return _kept(source) if len(source) <= _KEPT_LENGTH else _text(source)


@functools.lru_cache(maxsize=4)  # the words of a mail without a text part are asked for twice
def _kept(source: str) -> str:
    return _text(source)


def _text(source: str) -> str:
    return render(visibility.visible(tags.tokens(source), []), links=True)


def render(tokens: Iterable[Token], *, links: bool) -> str:
    """Return the text of a stream of tokens; with ``links``, their targets and images' texts."""
    if not links and isinstance(tokens, tags.Stream):
        if _FORMING.isdisjoint([name for name, _ in tokens.tags]):
            return _flowing(tokens)
    return _Writer(links).read(tokens)


def _flowing(tokens: Iterable[Token]) -> str:
    # What a writer gives, and quicker, where there are only paragraphs and lines.
    pieces: list[str] = []
    lines, space = 0, False  # owed before the next word
    breaks = _BREAKS.get
    for name, text in tokens:
        if name:
            more = lines + 1 if name == "br" else breaks(name, 0)
            if more > lines:
                lines = min(more, 2)
            continue
        if text.isprintable() and "  " not in text:  # then all white space is single spaces
            words = text.strip(" ")
            empty = not words
        else:
            split = _words(text)
            words, empty = " ".join(split), not split
        if empty:
            space = True
            continue
        if pieces and (lines or space or text[0].isspace()):
            pieces.append("\n\n" if lines > 1 else "\n" if lines else " ")
        pieces.append(words)
        lines, space = 0, text[-1].isspace()
    return "".join(pieces).strip()


def _words(text: str) -> list[str]:
    return text.split() if "\u3000" not in text else _WIDE.split(text.strip(_SPACES))


class _Table:
    """An open table: whether it holds data rather than a layout, and the cells of its row."""

    def __init__(self, data: bool) -> None:
        self.data = data
        self.cells = 0


class _Writer:
    """Puts words, spaces and line ends together; white space is collapsed as in a browser."""

    def __init__(self, links: bool) -> None:
        self.links = links
        self._pieces: list[str] = []
        self._lines = 0  # line ends owed before the next word
        self._space = ""  # what is owed between two words of a line
        self._mark = ""  # the bullet or number owed before the next word
        self._prefix = ""  # of every line: quote marks and indentation
        self._last_prefix = ""
        self._pre = 0
        self._quotes: list[bool] = []
        self._quoted = 0  # how many of them are quotations
        self._lists: list[int | None] = []  # the next number; None for bullets
        self._tables: list[_Table] = []
        self._target = ""
        self._target_start = 0

    def read(self, tokens: Iterable[Token]) -> str:
        """Write all tokens, and return the text."""
        breaks, steps = _BREAKS.get, _STEPS.get
        for name, text in tokens:
            if name:
                if lines := breaks(name):
                    if lines > self._lines:
                        self._lines = lines
                elif step := steps(name):
                    step(self, text)
            elif text != "\n" or self._pre:
                self.text(text)
            elif not self._space:
                self._space = " "
        return "".join(self._pieces).strip()

    def text(self, text: str) -> None:
        """Write a text node."""
        if self._pre:
            self._preformatted(text)
            return
        words = _words(text)
        if not words:
            self._space = self._space or " "
            return
        if text[0].isspace():
            self._space = self._space or " "
        self._begin()
        self._pieces.append(" ".join(words))
        if text[-1].isspace():
            self._space = " "

    def break_line(self, lines: int) -> None:
        """Begin a new line before the next word; with 2, leave one empty."""
        self._lines = max(self._lines, lines)

    def line_break(self, _: str) -> None:
        """Write <br>."""
        if self._pre:
            self._preformatted("\n")
        else:
            self._lines = min(self._lines + 1, 2)

    def rule(self, _: str) -> None:
        """Write <hr>."""
        self.break_line(1)
        self.text(_RULE)
        self.break_line(1)

    def image(self, attributes: str) -> None:
        """Write the text of an image, which is what a reader of plain text has of it."""
        alternative = tags.attributes(attributes).get("alt", "") if self.links else ""
        if alternative.strip():
            self.text(f"[{alternative.strip()[:_MAX_ALT]}]")

    def open_link(self, attributes: str) -> None:
        """Begin <a>."""
        self._target = tags.attributes(attributes).get("href", "").strip() if self.links else ""
        self._target_start = len(self._pieces)

    def close_link(self, _: str) -> None:
        """End <a>, and write its target unless its words are the target."""
        target, self._target = self._target, ""
        if not target.lower().startswith(_SCHEMES):
            return
        words = "".join(self._pieces[self._target_start :]).strip()
        if not words:
            return
        shown = target[7:].partition("?")[0] if target[:7].lower() == "mailto:" else target
        if _bare(words) != _bare(shown) and len(target) <= _MAX_TARGET:
            self._pieces.append(f" <{''.join(target.split())}>")

    def open_list(self, number: int | None) -> None:
        """Begin <ol> or <ul>."""
        self.break_line(1 if self._lists else 2)
        self._lists.append(number)
        self._indent()

    def close_list(self, _: str) -> None:
        """End a list."""
        if self._lists:
            self._lists.pop()
        self.break_line(1 if self._lists else 2)
        self._indent()

    def item(self, _: str) -> None:
        """Begin <li>."""
        self.break_line(1)
        number = self._lists[-1] if self._lists else None
        self._mark = "- " if number is None else f"{number}. "
        if number is not None:
            self._lists[-1] = number + 1

    def open_quote(self, attributes: str) -> None:
        """Begin <blockquote>: a quotation if it says so, else only indented text."""
        self.break_line(2)
        is_quote = any(sign in attributes.lower() for sign in _QUOTE_SIGNS)
        self._quotes.append(is_quote)
        self._quoted += is_quote
        self._indent()

    def close_quote(self, _: str) -> None:
        """End <blockquote>."""
        self.break_line(2)
        if self._quotes:
            self._quoted -= self._quotes.pop()
        self._indent()

    def open_table(self, attributes: str) -> None:
        """Begin <table>; one with a border holds data."""
        self.break_line(1)
        border = tags.attributes(attributes).get("border", "0") if "order=" in attributes else "0"
        self._tables.append(_Table(border.strip("0 px") != ""))

    def close_table(self, _: str) -> None:
        """End <table>."""
        self.break_line(1)
        if self._tables:
            self._tables.pop()

    def row(self, _: str) -> None:
        """Begin <tr>."""
        self.break_line(1)
        if self._tables:
            self._tables[-1].cells = 0

    def cell(self, _: str) -> None:
        """Begin <td>."""
        table = self._tables[-1] if self._tables else None
        if table and table.cells:
            self._space = " | " if table.data else self._space or " "
        if table:
            table.cells += 1

    def head_cell(self, attributes: str) -> None:
        """Begin <th>, which only tables of data have."""
        if self._tables:
            self._tables[-1].data = True
        self.cell(attributes)

    def open_pre(self, _: str) -> None:
        """Begin <pre>."""
        self.break_line(2)
        self._pre += 1

    def close_pre(self, _: str) -> None:
        """End <pre>."""
        self._pre = max(self._pre - 1, 0)
        self.break_line(2)

    def _begin(self) -> None:
        # Pay what is owed before a word.
        plain = not (self._prefix or self._last_prefix or self._mark)
        if self._lines and plain and self._pieces:
            self._pieces.append("\n\n" if self._lines > 1 else "\n")
        elif self._lines and self._pieces:
            between = min(self._prefix, self._last_prefix, key=len).rstrip()
            empty = f"\n{between}" if self._lines > 1 else ""
            self._pieces.append(f"{empty}\n{self._prefix}{self._mark}")
        elif self._space and self._pieces:
            self._pieces.append(self._space + self._mark)
        else:
            self._pieces.append(self._prefix + self._mark if not self._pieces else self._mark)
        self._lines, self._space, self._mark = 0, "", ""
        self._last_prefix = self._prefix

    def _preformatted(self, text: str) -> None:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for number, line in enumerate(lines):
            if number and self._pieces:
                self._lines += 1
            if line.strip():
                self._pieces_before_line()
                self._pieces.append(line.rstrip() if number < len(lines) - 1 else line)

    def _pieces_before_line(self) -> None:
        # In <pre>, every line end counts.
        if self._lines > 1:
            self._pieces.append(("\n" + self._prefix.rstrip()) * (self._lines - 2))
        self._begin()

    def _indent(self) -> None:
        quotes = "> " * min(self._quoted, _MAX_DEPTH)
        self._prefix = quotes + "  " * min(max(len(self._lists) - 1, 0), _MAX_DEPTH)


def _bare(target: str) -> str:
    # A link without what people leave out when they write it down.
    return target.lower().removeprefix("https://").removeprefix("http://").strip(" /<>")


def _start(attributes: str) -> int:
    start = tags.attributes(attributes).get("start", "") if attributes else ""
    return int(start) if start.isascii() and start.isdigit() and len(start) < 7 else 1


_STEPS: dict[str, Callable[[_Writer, str], None]] = {
    "br": _Writer.line_break,
    "hr": _Writer.rule,
    "img": _Writer.image,
    "a": _Writer.open_link,
    "/a": _Writer.close_link,
    "ul": lambda writer, _: writer.open_list(None),
    "ol": lambda writer, attributes: writer.open_list(_start(attributes)),
    "/ul": _Writer.close_list,
    "/ol": _Writer.close_list,
    "li": _Writer.item,
    "blockquote": _Writer.open_quote,
    "/blockquote": _Writer.close_quote,
    "table": _Writer.open_table,
    "/table": _Writer.close_table,
    "tr": _Writer.row,
    "td": _Writer.cell,
    "th": _Writer.head_cell,
    "pre": _Writer.open_pre,
    "/pre": _Writer.close_pre,
}
# Tags that do more than end a line, when links are left out.
_FORMING = _STEPS.keys() - {"br", "a", "/a", "img"}

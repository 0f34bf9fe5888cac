"""Reads an HTML body as lines of text with its links in place, in one linear pass.

For finding codes and links only: what is quoted is left out, layout is not kept.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from itertools import islice, pairwise, takewhile
from typing import TYPE_CHECKING, NamedTuple

from .tags import tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .tags import Token

_LIMIT = 256 * 1024
_TOKENS = 20_000  # a text of nothing but "<" is as many tokens as characters
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_HREF = re.compile(
    r"""(?<![\w-])href\s{0,8}=\s{0,8}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE
)
_ALT = re.compile(r"""\balt\s{0,8}=\s{0,8}(?:"([^"]{0,200})"|'([^']{0,200})')""", re.IGNORECASE)
_CITED = re.compile(
    r"gmail_quote|yahoo_quoted|moz-cite|divrplyfwdmsg|appendonsend|olk_src_body|type=[\"']?cite"
)
_CITING = ("_quote", "cite", "rplyfwd", "appendonsend", "olk_src")  # one is in each of those
_LINES = frozenset(
    "p div br tr table ul ol li h1 h2 h3 h4 h5 h6 hr blockquote pre center section article header "
    "footer main form fieldset dl dt dd address body html tbody thead caption".split()
)
_LINE_TAGS = _LINES | {f"/{name}" for name in _LINES}
_ATTRIBUTES = 8 * 1024
_NEAR = 200  # tokens before a link that are looked at
_TAGS = re.compile(r"(?:<[^<>]{0,300}>\s{0,20}){1,5}$")
_LOUD = re.compile(
    r"<h[1-3]\b|letter-spacing|font-size:\s{0,4}(?:2[4-9]|[3-9]\d)"
    r"|(?:class|id)=[\"']?[\w -]{0,40}?(?:code|otp|passcode|token|pin\b)",
    re.IGNORECASE,
)
_PLACES = 8  # how often a value is looked for


class Anchor(NamedTuple):
    """A link of a page: its address, entities decoded, and where its words stand in the text."""

    url: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Page:
    """The words of an HTML body, and its links in order."""

    text: str = field(repr=False)
    anchors: tuple[Anchor, ...] = field(default=(), repr=False)


class Label(NamedTuple):
    """A link of a page by its words alone, and whether an opening bracket stands before it."""

    url: str
    words: str
    bracketed: bool


def labels(source: str) -> Iterator[Label]:
    """Yield the links of an HTML body with their words, which is far quicker than reading it."""
    if "<a" not in source and "<A" not in source:
        return
    found = tuple(islice(tokens(source[:_LIMIT]), _TOKENS))
    places = [place for place, token in enumerate(found) if token[0] == "a"]
    for start, stop in pairwise([*places, len(found)]):
        if href := _HREF.search(found[start][1][:_ATTRIBUTES]):
            inside = takewhile(_is_inside, islice(found, start + 1, stop))
            words = "".join([_words(*token) for token in inside]).strip()
            yield Label(address(_first(href)), words, _ends_in_bracket(found, start))


def _is_inside(token: Token) -> bool:
    return token[0] != "/a"


def _ends_in_bracket(found: Sequence[Token], place: int) -> bool:
    # Whether the text before a tag does; among many tags without a text, it may.
    for name, text in reversed(found[max(0, place - _NEAR) : place]):
        if not name and (text := text.rstrip()):
            return text[-1] in "([<"
    return place > _NEAR


def _words(name: str, content: str) -> str:
    # What a token inside of a link adds to its words: text, the text of a picture, or a space.
    if not name:
        return content
    if name == "img" and (alt := _ALT.search(content[:_ATTRIBUTES])):
        return f" {html.unescape(_first(alt))} "
    return " " if name in _LINE_TAGS or name in _STEPS else ""


def _first(match: re.Match[str]) -> str:
    return next(filter(None, match.groups()), "")


def read_page(source: str) -> Page:
    """Return the words and the links of an HTML body, up to the first quoted mail."""
    source = source[:_LIMIT]
    folded = source.lower()
    cites = any(word in folded for word in _CITING)
    reader = _Reader()
    unseen = False
    for name, content in islice(tokens(source), _TOKENS):
        if not name:
            if not unseen:
                reader.words(content)
        elif name in _LINE_TAGS:
            if content and cites and _CITED.search(content[:400].lower()):
                break
            reader.line()
        elif name == "title":
            unseen = True
            continue
        elif step := _STEPS.get(name):
            step(reader, content)
        unseen = False
    return reader.page()


def address(written: str) -> str:
    """Return the address that an attribute value means: entities decoded, white space removed.

    Only entities that end in a semicolon count: in a query, ``&copy=1`` is a field.
    """
    if "&" in written:
        written = _ENTITY.sub(lambda match: html.unescape(match.group()), written)
    return "".join(written.split())


def prominence(source: str, value: str) -> int:
    """Return how a page shows a value: 2 in large letters, 1 in an element of its own, else 0."""
    if "\u00a0" in value and value not in source:
        value = value.replace("\u00a0", "&nbsp;")
    found = 0
    at = source.find(value) if value else -1
    for _ in range(_PLACES):
        if at < 0:
            break
        before = source[max(0, at - 400) : at].rstrip()
        after = source[at + len(value) : at + len(value) + 40].lstrip()
        if before.endswith(">") and after.startswith("<"):
            tags = _TAGS.search(before)
            if tags is not None and _LOUD.search(tags.group()):
                return 2
            found = 1
        at = source.find(value, at + 1)
    return found


class _Reader:
    def __init__(self) -> None:
        self._out: list[str] = []
        self._size = 0
        self._gap = "\n"  # what the text ends with: "\n", " ", or "" after a word
        self._anchors: list[Anchor] = []
        self._open: tuple[str, int] | None = None

    def page(self) -> Page:
        self.close_anchor()
        return Page("".join(self._out), tuple(self._anchors))

    def words(self, text: str) -> None:
        words = text.split()
        if not words:
            self.space()
            return
        if text[0].isspace():
            self.space()
        self._put(" ".join(words), "")
        if text[-1].isspace():
            self.space()

    def line(self) -> None:
        if self._gap != "\n":
            self._put("\n", "\n")

    def space(self, _: str = "") -> None:
        if not self._gap:
            self._put(" ", " ")

    def open_anchor(self, attributes: str) -> None:
        self.close_anchor()
        if found := _HREF.search(attributes[:_ATTRIBUTES]):
            self._open = (address(_first(found)), self._size)

    def close_anchor(self, _: str = "") -> None:
        if self._open is not None:
            url, start = self._open
            self._anchors.append(Anchor(url, start, self._size))
            self._open = None

    def image(self, attributes: str) -> None:
        if self._open and (alt := _ALT.search(attributes[:_ATTRIBUTES])):
            self.words(f" {html.unescape(_first(alt))} ")

    def _put(self, text: str, gap: str) -> None:
        self._out.append(text)
        self._size += len(text)
        self._gap = gap


_STEPS: dict[str, Callable[[_Reader, str], None]] = {
    "a": _Reader.open_anchor,
    "/a": _Reader.close_anchor,
    "img": _Reader.image,
    "/img": _Reader.image,
    "td": _Reader.space,
    "/td": _Reader.space,
    "th": _Reader.space,
    "/th": _Reader.space,
}

"""HTML as a stream of texts and tags, in one pass and linear time whatever it holds.

Not a tree builder: it follows the tokenizer of the HTML Standard (section 13.2.5) as far as a
mail's words and styles need it. The standard library's parser is quadratic on hostile input.
"""

from __future__ import annotations

import functools
import html
import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


# A text ("", text), a start tag (name, its attributes as written), an end tag ("/name", …), or
# the content of a style element ("!style", css).
Token: TypeAlias = tuple[str, str]

VOID = frozenset(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source "
    "track wbr".split()
)
# Elements whose content is no markup; of these a reader sees only what is in the last two.
_RAW = {
    name: re.compile(f"</{name}(?=[\\s/>])", re.IGNORECASE)
    for name in "script style title iframe noembed noframes textarea xmp".split()
}
_SHOWN = frozenset(("textarea", "xmp"))
_OPEN = re.compile("<(?=[a-zA-Z/!?])")  # any other "<" is only a sign
_NAME = re.compile(r"/?[a-zA-Z][^\s/>]{0,40}")
# Attributes up to the ">" that ends the tag; quotes count only after "=".
_REST = re.compile(r"""[^>=]*+(?:=\s*+(?:"[^"]*+"|'[^']*+'|(?!["']))[^>=]*+)*>""")
# What stands between "<" and ">" in a tag that has nothing unusual.
_TAG = re.compile(
    r"""(/?[a-zA-Z][^\s/"'=]{0,40}+)(?=[\s/]|\Z)"""
    r"""([^"']*+(?:(?<==)(?:"[^"]*+"|'[^']*+')[^"']*+)*)\Z"""
)
_ATTRIBUTE = re.compile(
    r"""([^\s=/"'>]{1,100})(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>]*+)))?"""
)
_KEPT_TAG = 200
_KEPT_LENGTH = 64 * 1024
_BIG_NUMBER = re.compile(r"&#0*[0-9]{8,}+;?")


class Stream(tuple[Token, ...]):
    """All tokens of a short text, and in ``tags`` its different tags."""

    tags: frozenset[Token]

    @classmethod
    def of(cls, found: Iterable[Token], tags: Iterable[Token]) -> Stream:
        """Return a stream of these tokens."""
        stream = cls(found)
        stream.tags = frozenset(tags)
        return stream


def tokens(source: str) -> Iterable[Token]:
    """Return the texts and tags of an HTML text, and the content of its style elements.

    Several readers ask for the same text one after the other: the last short ones are kept, and
    they come as a ``Stream``.
    """
    if len(source) <= _KEPT_LENGTH:
        return _kept(source)
    return _split(source) or _scan(source)


@functools.lru_cache(maxsize=4)
def _kept(source: str) -> Stream:
    if stream := _split(source):
        return stream
    found = tuple(_scan(source))
    return Stream.of(found, [token for token in found if token[0]])


def _split(source: str) -> Stream | None:
    # Plain markup is cut at its brackets; None where one is left over or a raw text begins.
    first, *pieces = source.split("<")
    parted = [piece.partition(">") for piece in pieces]
    known: dict[str, Token] = {}
    for written in {part[0] for part in parted}:
        tag = _kept_tag(written) if len(written) <= _KEPT_TAG else _tag(written)
        if tag is None:
            return None
        known[written] = tag
    if "&" in source:
        first = unescape(first)
        parted = [(written, closed, unescape(text)) for written, closed, text in parted]
    found = [("", first)] if first else []
    for written, closed, text in parted:
        if not closed:
            return None
        found.append(known[written])
        if text:
            found.append(("", text))
    return Stream.of(found, known.values())


def _tag(written: str) -> Token | None:
    match = _TAG.match(written)
    if match is None:
        return None
    name = match[1].lower()
    return None if name in _RAW else (name, match[2])


_kept_tag = functools.lru_cache(maxsize=1024)(_tag)  # a sender repeats its tags


def _scan(source: str) -> Iterator[Token]:
    place, careful = 0, True
    while opening := _OPEN.search(source, place):
        start = opening.start()
        if start != place:
            yield "", unescape(source[place:start])
        match = _NAME.match(source, start + 1)
        if not match:
            place = _after_markup(source, start)
            continue
        rest = _REST.match(source, match.end()) if careful else None
        # A quote may never end. From there on the next ">" ends a tag, so that no later tag is
        # searched to the end of the text again.
        careful = rest is not None
        place = rest.end() if rest else _after(source, ">", match.end())
        name = match[0].lower()
        yield name, source[match.end() : place - 1]
        if name in _RAW:
            content, place = _raw_content(source, name, place)
            yield "!style" if name == "style" else "", content
    if place < len(source):
        yield "", unescape(source[place:])


def attributes(text: str) -> dict[str, str]:
    """Return the attributes of a start tag, names in lower case, the first of each name."""
    found: dict[str, str] = {}
    given: Iterable[tuple[str, ...]]
    if len(text) <= _KEPT_LENGTH:
        given = _ATTRIBUTE.findall(text)
    else:  # one by one: no other thread runs while all of a very long tag are looked for
        given = (match.groups("") for match in _ATTRIBUTE.finditer(text))
    for name, double, single, bare in given:
        found.setdefault(name.lower(), unescape(double or single or bare))
    return found


def unescape(text: str) -> str:
    """Return the text with character references resolved (HTML Standard section 13.2.5.72)."""
    if "&" not in text:
        return text
    if "&#" in text:
        text = _BIG_NUMBER.sub("\ufffd", text)  # Python refuses to convert very long numbers
    return html.unescape(text)


def _after_markup(source: str, start: int) -> int:
    # Past a comment, a declaration or the like.
    if not source.startswith("<!--", start):
        return _after(source, ">", start + 2)
    if source.startswith((">", "->"), start + 4):
        return source.index(">", start) + 1
    return _after(source, "-->", start + 4)


def _after(source: str, mark: str, start: int) -> int:
    # What is never closed goes on to the end, as in a browser.
    found = source.find(mark, start)
    return found + len(mark) if found >= 0 else len(source)


def _raw_content(source: str, name: str, start: int) -> tuple[str, int]:
    end = _RAW[name].search(source, start)
    stop = end.start() if end else len(source)
    shown = name in _SHOWN or name == "style"
    return (source[start:stop] if shown else ""), stop

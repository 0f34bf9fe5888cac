"""HTML as a stream of texts and tags, in one pass and linear time whatever it holds.

Not a tree builder: it follows the tokenizer of the HTML Standard (section 13.2.5) as far as a
mail's words and styles need it. The standard library's parser is quadratic on hostile input.
"""

from __future__ import annotations

import functools
import html
import re
from itertools import chain, repeat
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
# A whole tag in which nothing is unusual; it stops at the next "<", so that time stays linear.
_TAG = re.compile(
    r"""<(/?[a-zA-Z][^\s/<>"'=]{0,40}+)(?=[\s/>])"""
    r"""([^<>"']*+(?:(?<==)(?:"[^"<]*+"|'[^'<]*+')[^<>"']*+)*+)>"""
)
_ATTRIBUTE = re.compile(
    r"""([^\s=/"'>]{1,100})(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>]*+)))?"""
)
_NOTHING = ("", "")
_KEPT_LENGTH = 64 * 1024
_BIG_NUMBER = re.compile(r"&#0*[0-9]{8,}+;?")


def tokens(source: str) -> Iterable[Token]:
    """Return the texts and tags of an HTML text, and the content of its style elements.

    Several readers ask for the same text one after the other: the last short ones are kept.
    """
    if len(source) <= _KEPT_LENGTH:
        return _kept(source)
    return _split(source) or _scan(source)


@functools.lru_cache(maxsize=4)
def _kept(source: str) -> tuple[Token, ...]:
    return _split(source) or tuple(_scan(source))


def _split(source: str) -> tuple[Token, ...]:
    # Plain markup is split by one expression; () where a "<" is left over or a raw text begins.
    pieces = _TAG.split(source)
    texts, names = pieces[::3], list(map(str.lower, pieces[1::3]))
    if not _RAW.keys().isdisjoint(names) or "<" in "".join(texts):
        return ()
    if "&" in source:
        texts = list(map(unescape, texts))
    starts = zip(["", *names], ["", *pieces[2::3]], strict=True)
    pairs = zip(starts, zip(repeat(""), texts), strict=False)
    return tuple([token for token in chain.from_iterable(pairs) if token != _NOTHING])


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
    for name, double, single, bare in _ATTRIBUTE.findall(text):
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

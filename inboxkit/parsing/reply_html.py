"""HTML as lines, so that quotes are found in it as in text, and taken out of it again.

One linear pass over the tags; the standard library's parser is quadratic on hostile input
(CPython 3.11, CVE-2025-6069). Not a sanitizer: what comes out is as safe as what went in.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from .attributions import CORE, field_role, names_a_mail
from .reply_lines import ANNOUNCES, BEGINS, CITED, RULED
from .tags import VOID, unescape

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAG = re.compile(r"<(?:(/?)([A-Za-z][A-Za-z0-9:-]{0,30})|[/!?])")
# To the ">" that ends a tag; quotes count only after "=".
_TAG_END = re.compile(r"""<[^>=]*+(?:=\s*+(?:"[^"]*+"|'[^']*+'|(?!["']))[^>=]*+)*>""")
_LONGEST_TAG = 10_000
_ODD_TAGS = 100  # tags with quotes that do not match; beyond, a tag ends at the first ">"
_SPACE = re.compile(r"[ \t\r\n\f]+")
_RAW = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "template")
}
_BLOCKS = frozenset(
    "address article aside blockquote body center dd div dl dt fieldset footer form h1 h2 h3 h4 h5 "
    "h6 header hr html li main nav ol p pre section table tbody tfoot thead tr ul".split()
)
_PARAGRAPHS = frozenset("p h1 h2 h3 h4 h5 h6 ul ol table blockquote pre".split())

_ATTRIBUTION_LINES = 6
_LABELS = re.compile(
    r"""\b(?:id|class|name|data-marker)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"""
)
# How clients label what they quote; "x_" is put in front by Outlook, a number behind by Yahoo.
_ATTRIBUTION = re.compile(r"(?:x_)?(?:gmail_attr|moz-cite-prefix|reply-intro|airmail(?:_ext)?_on)$")
_QUOTE = re.compile(
    r".*yahoo_quoted|quoted[-_](?:text|reply|content|message|e?mail)$|zmail_extra$|hs_reply$"
    r"|(?:x_)?(?:gmail|moz|proton\w*|tutanota|missive|front|freshdesk|spark|sh|airmail|mailru?|e?mail"
    r"|reply|thread|message|original|previous|history)[-_]quoted?(?:[-_]?(?:text|content|container))?$"
    r"|messagereplysection$|isreplycontent$|history_container$"
)
_ORIGINAL = re.compile(
    r"(?:x_)?(?:divrplyfwdmsg|outlookmessageheader|zwchr|__divider__|mail-editor-reference-message"
    r"-container|ms-outlook-mobile-reference-message|origmsg|originalmessage)$"
)
_SIGNATURE = re.compile(
    r"(?:x_)?(?:(?:gmail|moz|yahoo|ydp\w+|proton\w*|tutanota|zmail|composer|mail|apple-?mail|outlook"
    r"|ms-outlook-\w+|bloop|spark|user|email)[-_]?signature\w*|signature)$"
)
_KINDS = (("attribution", _ATTRIBUTION), ("quote", _QUOTE), ("signature", _SIGNATURE))
_LABELLED = frozenset({"div", "span", "p", "section", "table", "td"})
_RULE = re.compile(r"border-top\s*:\s*(?:solid|#|\d|[a-z]+ \d)")
_NAMED_QUOTE = re.compile(r"""name\s*=\s*["']?quote\b""")
_CITES = re.compile(r"""type\s*=\s*["']?cite|cite\s*=\s*["']?mid:""")


@dataclass(slots=True)
class _Token:
    """A tag or a piece of text: where it stands, and on which lines."""

    start: int
    end: int
    name: str = ""  # of the element; "" for text, "!" for what is not shown
    closing: bool = False
    first: int = 0
    last: int = 0
    opener: int = -1  # of an end tag


@dataclass(slots=True)
class _Element:
    """An element that is open."""

    token: int
    name: str
    kind: str = ""  # quote, cited, attribution, signature
    line: int = 0
    quotes: int = 0  # how many quotes had begun when it opened


class Page:
    """The lines of an HTML page: ``lines`` with signs for ``sort_lines``, ``words`` without."""

    def __init__(self, html: str) -> None:
        self.html = html
        self.lines: list[str] = []
        self.words: list[str] = []
        self.signatures: set[int] = set()
        self._tokens: list[_Token] = []
        self._open: list[_Element] = []
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._parts: list[str] = []
        self._quotes = 0
        for token in _scan(html):
            if not token.name:
                self._text(token)
                continue
            token.first = token.last = len(self.lines)
            self._tokens.append(token)
            if token.closing:
                self._end(token)
            elif token.name != "!":
                self._begin(token)
        while self._open:
            self._leave()
        self._flush()

    def without(self, marks: bytearray, *unwanted: int) -> str:
        """Return the HTML without the lines of those marks, its tags still balanced."""
        if not any(mark in marks for mark in unwanted):
            return self.html
        gone = [mark in unwanted for mark in marks] + [False]
        before = list(accumulate(gone, initial=0))
        kept = [_is_kept(token, gone, before) for token in self._tokens]
        return "".join(
            self.html[token.start : token.end]
            for i, token in enumerate(self._tokens)
            if kept[i if token.opener < 0 else token.opener]
        )

    def _text(self, text: _Token) -> None:
        """Take a text; in <pre> each of its lines is one."""
        if not self._counts["pre"]:
            self._piece(text.start, text.end)
            return
        start = text.start
        while (end := self.html.find("\n", start, text.end)) >= 0:
            self._piece(start, end + 1)
            self._flush(blank=True)
            start = end + 1
        self._piece(start, text.end)

    def _piece(self, start: int, end: int) -> None:
        here = len(self.lines)
        self._tokens.append(_Token(start, end, first=here, last=here))
        words = unescape(self.html[start:end]).replace("\xa0", " ")
        self._parts.append(_SPACE.sub(" ", words))

    def _flush(self, *, blank: bool = False) -> None:
        """End the line being read; an empty one counts only when it is ``blank`` on purpose."""
        text = "".join(self._parts).strip()
        self._parts.clear()
        if not text or text == "-":
            if blank:
                self._add("", "")
        elif self._counts["=cited"] or (self._counts["=indented"] and self._counts["=quote"]):
            self._add(CITED + text, text)
        elif self._counts["=indented"]:
            self._add(f"> {text}", f"> {text}")
        elif self._counts["=signature"]:
            self.signatures.add(len(self.lines))
            self._add("", text)
        else:
            self._add(text, text)

    def _add(self, line: str, words: str) -> None:
        self.lines.append(line)
        self.words.append(words)

    def _begin(self, token: _Token) -> None:
        name = token.name
        if name in _BLOCKS or name == "br":
            self._flush(blank=name == "br")
        elif name in ("td", "th") and self._parts:
            self._parts.append(" ")
        kind = _kind(name, self.html[token.start : token.end])
        if kind in (BEGINS, RULED):
            self._flush()
            self._add(kind, "")
        token.first = token.last = len(self.lines) - (name in ("hr", "br"))
        if name == "li":
            self._parts.append("- ")
        if name not in VOID:
            self._open.append(
                _Element(len(self._tokens) - 1, name, kind, len(self.lines), self._quotes)
            )
            self._counts[name] += 1
            self._counts["=" + kind] += 1
        self._quotes += name == "blockquote"

    def _end(self, token: _Token) -> None:
        if token.name in _BLOCKS:
            self._flush()
        if self._counts[token.name]:
            while self._open[-1].name != token.name:
                self._leave()
            token.opener = self._open[-1].token
            self._leave()
        if token.name in _PARAGRAPHS and self.lines and self.lines[-1]:
            self._add("", "")

    def _leave(self) -> None:
        """Close the innermost element and say what its lines are."""
        if self._open[-1].name in _BLOCKS:
            self._flush()
        element = self._open.pop()
        self._counts[element.name] -= 1
        self._counts["=" + element.kind] -= 1
        token = self._tokens[element.token]
        token.last = len(self.lines) - (not self._parts)
        if element.kind == "attribution":
            self._announce(element.line, len(self.lines))
        elif element.kind == "quote" and not self._counts["=quote"]:
            self._cite(element)

    def _cite(self, element: _Element) -> None:
        """Take the lines of a quoting element for a quote, or for one and what announces it."""
        end = len(self.lines)
        if self._quotes > element.quotes:
            lines = range(element.line, end)
            end = next((i for i in lines if self.lines[i].startswith((CITED, ">"))), element.line)
            self._announce(element.line, end)
        elif not self._passes_on(element.line, end):
            for i in range(element.line, end):
                self.lines[i] = CITED + self.words[i].lstrip()
            self.signatures.difference_update(range(element.line, end))

    def _announce(self, start: int, end: int) -> None:
        """Take a few lines for an attribution whatever they say."""
        if end - start > _ATTRIBUTION_LINES or self._passes_on(start, end):
            return
        for i in range(start, end):
            if self.lines[i] and self.lines[i][0] not in (BEGINS, RULED, CITED, ANNOUNCES):
                self.lines[i] = ANNOUNCES + self.lines[i]

    def _passes_on(self, start: int, end: int) -> bool:
        """Tell whether the lines begin as a forwarded mail does."""
        first = next((line for line in self.lines[start : min(end, start + 9)] if line), "")
        return first.startswith(BEGINS) or names_a_mail(first) or field_role(first) in CORE


def _is_kept(token: _Token, gone: list[bool], before: list[int]) -> bool:
    first, last = min(token.first, len(gone) - 1), min(token.last, len(gone) - 1)
    if last < first:
        return not gone[first]
    return before[last + 1] - before[first] <= last - first


def _kind(name: str, tag: str) -> str:
    """Return what the labels and the style of a start tag say of its element."""
    if name == "blockquote":
        return "cited" if _CITES.search(tag[:_LONGEST_TAG].lower()) else "indented"
    if name == "hr" or (name in _LABELLED and "=" in tag):
        attributes = tag[:_LONGEST_TAG].lower()
        labels = _labels(attributes)
        if _says(_ORIGINAL, labels):
            return BEGINS
        if name == "hr" or (name == "div" and _RULE.search(attributes)):
            return RULED
        if _NAMED_QUOTE.search(attributes):
            return "quote"
        return next((kind for kind, pattern in _KINDS if _says(pattern, labels)), "")
    return ""


def _labels(attributes: str) -> list[str]:
    values = (value for match in _LABELS.finditer(attributes) for value in match.groups() if value)
    return [label for value in values for label in value[:500].split()]


def _says(pattern: re.Pattern[str], labels: list[str]) -> bool:
    return any(pattern.match(label) for label in labels)


def _scan(html: str) -> Iterator[_Token]:
    """Give the tags and texts in order; together they are the whole page."""
    at, odd = 0, 0
    while found := _TAG.search(html, at):
        start = found.start()
        if start > at:
            yield _Token(at, start)
        slash, name = found.groups()
        careful = name is not None and odd < _ODD_TAGS
        rest = _TAG_END.match(html, start, start + _LONGEST_TAG) if careful else None
        odd += careful and rest is None
        at = rest.end() if rest else _after(html, start)
        yield _Token(start, at, name.lower() if name else "!", bool(slash))
        if name and not slash and (raw := _RAW.get(name.lower())):
            close = raw.search(html, at)
            stop = close.start() if close else len(html)
            yield _Token(at, stop, "!")
            at = stop
    if at < len(html):
        yield _Token(at, len(html))


def _after(html: str, start: int) -> int:
    """Return where the comment, or the tag that is not well formed, is over."""
    if html.startswith("<!--", start):
        end = html.find("-->", start + 4) + 2
        return end + 1 if end > 1 else len(html)
    return html.find(">", start) + 1 or len(html)

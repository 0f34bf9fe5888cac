"""HTML as lines, so that quotes are found in it as in text, and taken out of it again.

One linear pass over the tags; the standard library's parser is quadratic on hostile input
(CPython 3.11, CVE-2025-6069). Not a sanitizer: what comes out is as safe as what went in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from itertools import accumulate

from .attributions import names_a_mail

# Signs in front of a line, or alone on it; noncharacters, which no text contains.
CITED, BEGINS, RULED, ANNOUNCES = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3"

_TAG = re.compile(r"<[A-Za-z/!?]")
_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9:-]{0,30})")
_TAG_END = re.compile(r"""[^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*>""")
_LONGEST_TAG = 10_000
_ODD_TAGS = 100  # tags with quotes that do not match; beyond, a tag ends at the first ">"
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?")
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
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())

_LABELS = re.compile(r"""\b(?:id|class|name|data-marker)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
# How clients label what they quote; "x_" is put in front by Outlook, a number behind by Yahoo.
_ATTRIBUTION = re.compile(r"(?:x_)?(?:gmail_attr|moz-cite-prefix|reply-intro|airmail(?:_ext)?_on)$")
_QUOTE = re.compile(
    r".*yahoo_quoted|(?:\w+[-_])?(?:quote(?:_container)?|quoted(?:[-_](?:text|reply|content|message))?)$"
    r"|zmail_extra$|hs_reply$|messagereplysection$|isreplycontent$|history_container$"
)
_ORIGINAL = re.compile(
    r"(?:x_)?(?:divrplyfwdmsg|outlookmessageheader|zwchr|__divider__|mail-editor-reference-message"
    r"-container|ms-outlook-mobile-reference-message|origmsg|originalmessage)$"
)
_SIGNATURE = re.compile(
    r"(?:x_)?(?:(?:gmail|moz|yahoo|ydp\w+|proton\w*|tutanota|zmail|composer|mail|apple-?mail|outlook"
    r"|ms-outlook-\w+|bloop|spark|user|email)[-_]?signature\w*|signature)$"
)
_RULE = re.compile(r"border-top\s*:\s*(?:solid|#|\d|[a-z]+ \d)")
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


@dataclass(slots=True)
class Page:
    """The lines of an HTML page: ``lines`` with signs for ``sort_lines``, ``words`` without."""

    html: str
    lines: list[str] = field(default_factory=list[str])
    words: list[str] = field(default_factory=list[str])
    signatures: set[int] = field(default_factory=set[int])
    _tokens: list[_Token] = field(default_factory=list[_Token])
    _open: list[_Element] = field(default_factory=list[_Element])
    _counts: dict[str, int] = field(default_factory=dict[str, int])
    _parts: list[str] = field(default_factory=list[str])
    _kinds: dict[str, int] = field(default_factory=dict[str, int])
    _quotes: int = 0

    def __post_init__(self) -> None:
        for token in _scan(self.html):
            if token.name == "!":
                self._place(token)
            elif not token.name:
                self._text(token)
            elif token.closing:
                self._end(token)
            else:
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
        kept = [self._keeps(token, gone, before) for token in self._tokens]
        return "".join(
            self.html[token.start : token.end]
            for i, token in enumerate(self._tokens)
            if kept[token.opener if token.opener >= 0 else i]
        )

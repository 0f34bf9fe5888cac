"""The new words of a reply: quotes, originals and signatures told apart, line by line.

Linear in the length of the text: each line is looked at a fixed number of times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from . import attributions as words
from .model import Reply
from .reply_html import BEGINS, CITED, RULED, Page

KEPT, QUOTED, SIGNATURE = 0, 1, 2

_QUOTE_SIGNS = (">", "＞", CITED)
_SIGNATURE_LINES = frozenset({"--", "—", "–", "- -", "−−"})
_TRACKER = "\u1427"  # drawn under a mail by a tracking extension
_WRAPPED_OVER = 5  # lines that one attribution may take
_HEAD_LINES = 18
_CLOSERS = "".join(words.COLONS) + "-_*"
_DEVICE_LINES = 50
_COLON = re.compile(f"[{''.join(words.COLONS)}]")
_TAIL = re.compile(f"[>][^>]{{0,60}}[{''.join(words.COLONS)}]$")
# The end of a sentence; an abbreviation or a number before the full stop is none.
_ENDED = re.compile(r"[!?。！？…]$|[^\W\d_]{5}\.$|\.\.\.$")


def reply_text(text: str) -> str:
    """Return the new words of a plain-text reply, without quotes and signature."""
    return split_reply(text).text


def split_reply(text: str, html: str = "") -> Reply:
    """Tell the new words of a reply from its quotes and its signature.

    ``text`` is the plain text; leave it empty when there is none, so that the words are taken
    from ``html``. The ``html`` of the result is without the quotes. Never raises.
    """
    page = Page(html)
    marks = sort_lines(page.lines)
    if text.strip() or not html:
        lines = _lines(text)
        sorted_ = sort_lines(lines)
    else:
        lines, sorted_ = page.words, marks
    return Reply(
        _joined(lines, sorted_, KEPT),
        _joined(lines, sorted_, SIGNATURE),
        page.without(marks, QUOTED),
    )


def sort_lines(lines: Sequence[str]) -> bytearray:
    """Return for each line whether it is KEPT, QUOTED or part of the SIGNATURE."""
    return _Sorter(lines).run()


def _lines(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [part for line in lines for part in _parted(line)] if ":" in text else lines


def _parted(line: str) -> tuple[str, ...]:
    """Part a line where an attribution begins behind the last words of the reply."""
    cut = words.shared_at(line) if line[-2:].rstrip().endswith(":") else -1
    return (line,) if cut < 0 else (line[:cut], line[cut + 1 :])


def _joined(lines: Sequence[str], marks: bytearray, wanted: int) -> str:
    """Join the lines of one kind; where something was left out, one empty line is enough."""
    if wanted not in marks:
        return ""
    chosen: list[str] = []
    skipped = False
    for line, mark in zip(lines, marks, strict=True):
        if mark != wanted:
            skipped = True
        elif not (skipped and chosen and not line and not chosen[-1]):
            chosen.append(line)
            skipped = False
    start = next((i for i, line in enumerate(chosen) if line.strip()), len(chosen))
    text = "\n".join(chosen[start:]).rstrip()
    return text if wanted == KEPT else _without_delimiter(text)


def _without_delimiter(signature: str) -> str:
    first, _, rest = signature.partition("\n")
    if first.strip() in _SIGNATURE_LINES or words.is_rule(first.strip()):
        signature = rest.strip("\n")
    return signature if any(c.isalnum() for c in signature) else ""


@dataclass(slots=True)
class _Quote:
    """A run of quoted lines, and whether it is known to be the mail that is answered."""

    start: int
    end: int
    announced: bool
    answered: bool = False


class _Sorter:
    """One walk over the lines that are not blank; ``p`` and ``q`` count those."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.marks = bytearray(len(lines))
        filled = [(i, t) for i, line in enumerate(lines) if line and (t := line.strip(words.OUTER))]
        self.spots = [i for i, _ in filled]
        self.text = [text for _, text in filled]
        self.quotes: list[_Quote] = []
        self.open: list[int] = []  # the lines of the part being read
        self.content = False  # whether words of the reply were found
        self.headed = False  # whether an original was announced

    def run(self) -> bytearray:
        p = 0
        while p < len(self.text):
            text = self.text[p]
            if text[0].isalnum() and not _COLON.search(text):
                self.open.append(p)
                p += 1
            else:
                p = self._step(p)
        self._close()
        self._settle()
        return self.marks

    def _step(self, p: int) -> int:
        """Take the line at ``p``, and what belongs to it; return where to go on."""
        if self.text[p].startswith("-----BEGIN PGP SIGN"):
            return self._armor(p)
        if self._closes_bracket(p) and (start := self._attribution(p)) >= 0:
            return self._announced(start, p + 1)
        if self._is_quote(p, bars=True):
            start = self._attribution(p - 1) if self.open and self.open[-1] == p - 1 else -1
            if start >= 0:
                return self._announced(start, p)
            if self._is_quote(p):
                return self._quote(p, announced=False)
        end = self._head(p)
        if end > p:
            self._forget_phrase(p)
            self._close()
            self._mark(p, end, QUOTED)
            self.headed = True
            return self._beneath(end)
        self.open.append(p)
        start = self._attribution(p)
        return p + 1 if start < 0 else self._announced(start, p + 1)

    def _announced(self, start: int, end: int) -> int:
        """Take the attribution from ``start`` to before ``end``, and the quote it announces."""
        while self.open and self.open[-1] >= start:
            self.open.pop()
        self._close()
        self._mark(start, end, QUOTED)
        self.headed = True
        quoted = self._is_quote(end, bars=True)
        return self._quote(end, announced=True) if quoted else self._beneath(end)

    def _beneath(self, p: int) -> int:
        """Leave out what stands beneath the head of an original, unless it is all there is."""
        if not self.content:
            return p
        self._mark(p, len(self.text), QUOTED)
        return len(self.text)

    def _mark(self, start: int, end: int, mark: int) -> None:
        """Mark the lines from ``start`` to before ``end``, with the blank ones between."""
        if start < end:
            first, last = self.spots[start], self.spots[end - 1] + 1
            self.marks[first:last] = bytes([mark]) * (last - first)

    def _gap(self, p: int) -> int:
        """Return how many blank lines stand before the line at ``p``."""
        return self.spots[p] - self.spots[p - 1] - 1 if p else 0

    def _armor(self, p: int) -> int:
        """Leave out the frame of a clear-signed mail (RFC 9580 section 7)."""
        self._close()
        q = p + 1
        if "SIGNATURE" in self.text[p]:
            while q < len(self.text) and not self.text[q - 1].startswith("-----END PGP SIG"):
                q += 1
        else:
            while q < len(self.text) and self.text[q].startswith("Hash:"):
                q += 1
        self._mark(p, q, QUOTED)
        return q

    # Quotes

    def _is_quote(self, p: int, *, bars: bool = False) -> bool:
        if p >= len(self.text):
            return False
        text = self.text[p]
        if text.startswith(_QUOTE_SIGNS):
            return True
        return bars and text[0] == "|" and (len(text) == 1 or text[-1] != "|")

    def _quote(self, p: int, *, announced: bool) -> int:
        """Take a run of quoted lines, and those that fell out of it by wrapping."""
        self._close()
        bars = self.text[p][0] == "|"
        q = p + 1
        while self._is_quote(q, bars=bars) or self._fell_down(q, bars=bars):
            q += 1
        announced = announced or self.text[p][0] == CITED or self._announces_itself(p, q)
        self.quotes.append(_Quote(p, q, announced))
        return q

    def _fell_down(self, q: int, *, bars: bool) -> bool:
        """Tell whether the line is the wrapped rest of the quoted line above it."""
        if not self._is_quote(q + 1, bars=bars) or self._gap(q) or self._gap(q + 1):
            return False
        above, text = self.text[q - 1], self.text[q]
        if text.startswith(("http", "<http")) and " " not in text:
            return True
        return len(above) >= 60 and above[-1] not in ".!?:;" and text[0].islower()

    def _announces_itself(self, p: int, end: int) -> bool:
        """Tell whether the quote begins with an attribution of its own."""
        joined = ""
        for q in range(p, min(end, p + 3)):
            joined = f"{joined} {self._unquoted(q)}".strip()
            if words.weight(joined, quoted=False) >= 2:
                return True
        return False

    def _unquoted(self, p: int) -> str:
        return self.text[p][: words.LONGEST].lstrip(">＞| " + CITED)

    def _settle(self) -> None:
        """Leave out the quotes, but for one that the writer cites or that is the whole mail."""
        known = self.headed or any(quote.announced for quote in self.quotes)
        cited = len(self.quotes) == 1 and self.quotes[0].answered
        if not known and (cited or not self.content):
            return
        if not self.content and all(self._passes_on(quote.start) for quote in self.quotes):
            return
        for quote in self.quotes:
            self._mark(quote.start, quote.end, QUOTED)

    def _passes_on(self, p: int) -> bool:
        """Tell whether the quote at ``p`` is a forwarded mail."""
        return words.names_a_mail(self._unquoted(p)) or bool(words.field_role(self._unquoted(p)))

    # What announces an original

    def _attribution(self, p: int) -> int:
        """Return where the attribution begins that ends at ``p``, -1 when none does."""
        text = self.text[p]
        quoted = self._is_quote(p + 1, bars=True)
        if len(text) > words.LONGEST or not (
            quoted or text[-1] in _CLOSERS or text[0] == ":" or words.has_timestamp(text)
        ):
            return -1
        joined, best, start = "", 0, -1
        for q in range(p, max(p - _WRAPPED_OVER, -1), -1):
            if q < p and not self._joins(q, best):
                break
            joined = f"{self.text[q]} {joined}"
            weight = words.weight(joined, quoted=quoted)
            if weight > best:
                best, start = weight, q
        return start

    def _closes_bracket(self, p: int) -> bool:
        """Tell whether what looks quoted is the end of a wrapped address, as in "> wrote:"."""
        if self.text[p][0] != ">" or not self.open or self.open[-1] != p - 1:
            return False
        above = " ".join(self.text[q][-words.LONGEST :] for q in self.open[-3:])
        return _TAIL.match(self.text[p]) is not None and above.count("<") > above.count(">")

    def _joins(self, q: int, best: int) -> bool:
        """Tell whether the attribution found so far may begin on the line above it."""
        text, below = self.text[q], self.text[q + 1]
        if not self.open or self.open[0] > q or len(text) > words.LONGEST:
            return False
        if self._gap(q + 1) and below[0] != "<":
            return False
        if best >= 2 and words.has_date(below) and text[-1] not in ">)]<,":
            return False
        return best < 3 and not _ENDED.search(text)

    def _head(self, p: int) -> int:
        """Return where the head of an original that begins here ends, ``p`` if none begins."""
        text = self.text[p]
        if text == BEGINS or words.is_marker(text):
            return max(self._fields_end(p + 1, ruled=True), p + 1)
        above = self.text[p - 1] if p else ""
        ruled = above == RULED or words.is_rule(above) or words.names_a_mail(above)
        return self._fields_end(p, ruled=ruled)

    def _forget_phrase(self, p: int) -> None:
        """Take a line such as "Begin forwarded message:" into the head that follows it."""
        if self.open and self.open[-1] == p - 1 and words.names_a_mail(self.text[p - 1]):
            self.open.pop()
            self._mark(p - 1, p, QUOTED)

    def _fields_end(self, p: int, *, ruled: bool) -> int:
        """Return where the fields that begin at ``p`` end, ``p`` when they are no head."""
        roles: list[str] = []
        end, loose = p, 0
        for q in range(p, min(p + _HEAD_LINES, len(self.text))):
            role = words.field_role(self.text[q])
            blank = self._gap(q) if q > p else 0
            if blank > 1 or (blank and role in ("", "field")) or (role == "from" and role in roles):
                break
            if role:
                roles.append(role)
                end, loose = q + 1, 0
            elif (loose := loose + 1) > 3 or not roles:
                break
        return end if words.is_head(roles, self.text[p:end], ruled=ruled) else p

    # Signatures

    def _close(self) -> None:
        """End a part of the reply: split off its signature and note whether words remain."""
        lines, self.open = self.open, []
        cut = next((i for i in range(len(lines)) if self._is_delimiter(lines, i)), len(lines))
        if cut < len(lines):
            self._mark(lines[cut], lines[-1] + 1, SIGNATURE)
        while cut and (mark := self._closing_mark(lines[cut - 1], len(lines) - cut)):
            cut -= 1
            self._mark(lines[cut], lines[cut] + 1, mark)
        if cut:
            self.content = True
            if self.quotes:
                self.quotes[-1].answered = True

    def _is_delimiter(self, lines: list[int], i: int) -> bool:
        """Tell whether a signature begins at this line (RFC 3676 section 4.3, and its misuse)."""
        text, left = self.text[lines[i]], len(lines) - i - 1
        if text in _SIGNATURE_LINES:
            return self.lines[self.spots[lines[i]]] == "-- " or 0 < left <= 30
        if not left or not words.is_rule(text):
            return False
        if set(text) == {"_"}:
            return left <= 12
        if not i or left > 6 or not set(text) <= {"-", "—", "–"}:
            return False
        return all(len(self.text[p]) <= 60 for p in lines[i + 1 :])

    def _closing_mark(self, p: int, after: int) -> int:
        """Return what a line at the end of a part is: drawn, added by a device, or KEPT."""
        text = self.text[p]
        if text in _SIGNATURE_LINES or text == _TRACKER or words.is_rule(text):
            return QUOTED
        return SIGNATURE if after < _DEVICE_LINES and words.is_device_line(text) else KEPT

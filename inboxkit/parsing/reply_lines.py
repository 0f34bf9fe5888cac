"""Lines of a reply sorted into its own words, quotes and signature, one walk from top to bottom.

Linear: each line is looked at a fixed number of times, and closely only so often a text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import attributions, disclaimers

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT, QUOTED, SIGNATURE = 0, 1, 2

# Signs that a reader of HTML puts in front of a line, or alone on one, to say what its markup
# says of it; noncharacters, which no text contains.
CITED, BEGINS, RULED, ANNOUNCES = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3"

_QUOTE_SIGNS = (">", "＞", CITED)
_SIGNATURE_LINES = frozenset({"--", "—", "–", "- -", "−−"})
_TRACKER = "\u1427"  # drawn under a mail by a tracking extension
_WRAPPED_OVER = 5  # lines that one attribution may take
_LONGEST_NAME = 60  # characters
_HEAD_LINES = 18
_HEAD_GAP = 3  # lines that one field may go on over
_DEVICE_LINES = 50
_LOOKS = 10_000  # lines looked at closely; in a mail with more candidates the rest is plain
_COLONS = "".join(attributions.COLONS)
_COLON = re.compile(f"[{_COLONS}]")
# What looks quoted but is the end of a wrapped address, as in "> wrote:".
_TAIL = re.compile(f">[^>]{{0,60}}[{_COLONS}]$")
# The end of a sentence; an abbreviation or a number before the full stop is none.
_ENDED = re.compile(r"[!?。！？…]$|[^\W\d_]{5}\.$|\.\.\.$")


def sort_lines(lines: Sequence[str]) -> bytearray:
    """Return for each line whether it is KEPT, QUOTED or part of the SIGNATURE."""
    marks = _Sorter(lines).run()
    for i in disclaimers.lines_of(lines, [mark == KEPT for mark in marks]):
        marks[i] = SIGNATURE
    return marks


def is_delimiter(line: str) -> bool:
    """Tell whether the line is one of those that people draw above a signature."""
    return line in _SIGNATURE_LINES or attributions.is_rule(line)


def _is_plain(text: str) -> bool:
    # Whether nothing can begin or end at a line.
    if not text[0].isalnum() or ":" in text:
        return False
    return text.isascii() or _COLON.search(text) is None


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
        filled = [
            (i, t) for i, line in enumerate(lines) if line and (t := line.strip(attributions.OUTER))
        ]
        self.spots = [i for i, _ in filled]
        self.text = [text for _, text in filled]
        self.quotes: list[_Quote] = []
        self.open: list[int] = []  # the lines of the part being read
        self.content = False  # whether words of the reply were found
        self.headed = False  # whether an original was announced
        self.looks = _LOOKS

    def run(self) -> bytearray:
        """Walk over all lines and return their marks."""
        text, size, p = self.text, len(self.text), 0
        while p < size and self.looks > 0:
            if _is_plain(text[p]):
                self.open.append(p)
                p += 1
            else:
                self.looks -= 1
                p = self._step(p)
        for q in range(p, size):
            if self._is_quote(q):
                self._mark(q, q + 1, QUOTED)
            else:
                self.open.append(q)
        self._close()
        self._settle()
        return self.marks

    def _step(self, p: int) -> int:
        """Take the line at ``p``, and what belongs to it; return where to go on."""
        if self.text[p].startswith("-----BEGIN PGP SIGN"):
            return self._armor(p)
        if self.text[p] == RULED:
            return p + 1
        if self.text[p][0] == ANNOUNCES:
            end = p + 1
            while end < len(self.text) and self.text[end][0] == ANNOUNCES:
                end += 1
            return self._announced(p, end)
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
            start = self._head_start(p, end)
            self._close()
            self._mark(start, end, QUOTED)
            self.headed = True
            return self._beneath(end)
        self.open.append(p)
        start = -1 if self._closes_bracket(p + 1) else self._attribution(p)
        return p + 1 if start < 0 else self._announced(start, p + 1)

    def _announced(self, start: int, end: int) -> int:
        """Take the attribution from ``start`` to before ``end``, and the quote it announces."""
        while self.open and self.open[-1] >= start:
            self.open.pop()
        start -= start > 0 and self.text[start - 1] == RULED
        self._close()
        self._mark(start, end, QUOTED)
        self.headed = True
        quoted = self._is_quote(end, bars=True)
        return self._quote(end, announced=True) if quoted else self._beneath(end)

    def _beneath(self, p: int) -> int:
        """Leave out what stands beneath the head of an original, unless it is all there is."""
        if not self.content:
            return p
        if p < len(self.text):
            self.marks[self.spots[p] :] = bytes([QUOTED]) * (len(self.marks) - self.spots[p])
        return len(self.text)

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

    def _mark(self, start: int, end: int, mark: int) -> None:
        """Mark the lines from ``start`` to before ``end``, with the blank ones between."""
        if start < end:
            first, last = self.spots[start], self.spots[end - 1] + 1
            self.marks[first:last] = bytes([mark]) * (last - first)

    def _gap(self, p: int) -> int:
        """Return how many blank lines stand before the line at ``p``."""
        return self.spots[p] - self.spots[p - 1] - 1 if p else 0

    def _is_quote(self, p: int, *, bars: bool = False) -> bool:
        if p >= len(self.text):
            return False
        text = self.text[p]
        if text.startswith(_QUOTE_SIGNS):
            return True
        return bars and text[0] == "|" and (len(text) == 1 or text[-1] != "|")

    def _quote(self, p: int, *, announced: bool) -> int:
        """Take a run of quoted lines, and those that fell out of it by wrapping."""
        phrase = self.open[-1:] == [p - 1] and attributions.names_a_mail(self.text[p - 1])
        if phrase:  # "Begin forwarded message:"
            self._mark(self.open.pop(), p, QUOTED)
        self._close()
        bars = self.text[p][0] == "|"
        q = p + 1
        while self._is_quote(q, bars=bars) or self._fell_down(q, bars=bars):
            q += 1
        announced = announced or phrase or self.text[p][0] == CITED or self._announces_itself(p, q)
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
            if self._look() and attributions.weight(joined, quoted=False) >= 2:
                return True
        return False

    def _unquoted(self, p: int) -> str:
        return self.text[p][: attributions.LONGEST].lstrip(">＞| " + CITED)

    def _settle(self) -> None:
        """Leave out the quotes, but for one that the writer cites or that is the whole mail."""
        known = self.headed or any(quote.announced for quote in self.quotes)
        if self.content and not known and len(self.quotes) == 1 and self.quotes[0].answered:
            return
        for quote in self.quotes:
            head = quote.start if self.content else self._forwarded(quote)
            if head > quote.start:
                self._mark(quote.start, head, QUOTED)
            elif known or self.content:
                self._mark(quote.start, quote.end, QUOTED)

    def _forwarded(self, quote: _Quote) -> int:
        """Return where the head ends if the quote is a forwarded mail, else its start."""
        phrase = self._look() and attributions.names_a_mail(self._unquoted(quote.start))
        start = self._filled(quote.start + phrase, quote.end)
        end = self._fields_end(start, ruled=phrase)
        return self._filled(end, quote.end) if phrase or end > start else quote.start

    def _filled(self, p: int, end: int) -> int:
        """Return the first line from ``p`` on that is more than a quote sign."""
        while p < end and not self._unquoted(p):
            p += 1
        return p

    def _look(self) -> bool:
        self.looks -= 1
        return self.looks > 0

    def _attribution(self, p: int) -> int:
        """Return where the attribution begins that ends at ``p``, -1 when none does."""
        text, quoted = self.text[p], self._is_quote(p + 1, bars=True)
        closed = text[-1] in _COLONS or text[-1] in "-_*=" or text[0] == ":"
        if len(text) > attributions.LONGEST or not (
            quoted or closed or attributions.has_timestamp(text)
        ):
            return -1
        joined, best, start, hints = "", 0, -1, 0
        for q in range(p, max(p - _WRAPPED_OVER, -1), -1):
            if q < p and not self._joins(q, best):
                break
            joined = f"{self.text[q]} {joined}"
            hints |= attributions.hints(self.text[q])
            if not (hints or quoted) or not self._look():
                continue
            weight = attributions.weight(joined, quoted=quoted)
            if weight > best or (weight == best and self._is_name(q)):
                best, start = weight, q
        return start

    def _closes_bracket(self, p: int) -> bool:
        """Tell whether what looks quoted is the end of a wrapped address, as in "> wrote:"."""
        if p == len(self.text) or self.text[p][0] != ">" or self.open[-1:] != [p - 1]:
            return False
        above = " ".join(self.text[q][-attributions.LONGEST :] for q in self.open[-3:])
        return _TAIL.match(self.text[p]) is not None and above.count("<") > above.count(">")

    def _joins(self, q: int, best: int) -> bool:
        """Tell whether the attribution found so far may begin on the line above it."""
        text, below = self.text[q], self.text[q + 1]
        if not self.open or self.open[0] > q or len(text) > attributions.LONGEST:
            return False
        if self._gap(q + 1) and below[0] != "<":
            return False
        if best and self._is_name(q):
            return True
        if best >= 2 and attributions.has_date(below) and text[-1] not in ">)]<,":
            return False
        return best < 3 and not _ENDED.search(text)

    def _is_name(self, q: int) -> bool:
        """Tell whether the line is the name that was wrapped away from the address below."""
        text, below = self.text[q], self.text[q + 1 : q + 2]
        wrapped = bool(below) and below[0][0] == "<" and not self._gap(q + 1)
        return wrapped and len(text) <= _LONGEST_NAME and not _ENDED.search(text)

    def _head(self, p: int) -> int:
        """Return where the head of an original that begins here ends, ``p`` if none begins."""
        text = self.text[p]
        if text == BEGINS or (text[0] in attributions.DRAWN and self._marks(text)):
            return max(self._fields_end(p + 1, ruled=True), p + 1)
        role = attributions.field_role(text)
        above = self.text[p - 1] if p and role else ""
        ruled = above == RULED or attributions.is_rule(above) or attributions.is_framed(above)
        if not role or (role == "field" and not ruled):
            return p
        return self._fields_end(p, ruled=ruled or attributions.names_a_mail(above))

    def _marks(self, text: str) -> bool:
        return self._look() and attributions.is_marker(text)

    def _head_start(self, p: int, end: int) -> int:
        """Return where a head begins: with the phrase, or the field of unknown name, above it."""
        above = self.text[p - 1] if p else ""
        if above == RULED:
            return p - 1
        if self.open[-1:] != [p - 1]:
            return p
        phrase = attributions.names_a_mail(above) or attributions.is_framed(above)
        if not phrase and not self._gap(p) and attributions.field_role(above) == "field":
            roles = {attributions.field_role(text) for text in self.text[p:end]}
            phrase = len(roles & attributions.CORE) == 3
        return self.open.pop() if phrase else p

    def _fields_end(self, p: int, *, ruled: bool) -> int:
        """Return where the fields that begin at ``p`` end, ``p`` when they are no head."""
        fields: list[tuple[str, str]] = []
        end = p
        for q in range(p, min(p + _HEAD_LINES, len(self.text))):
            text = self._unquoted(q)
            role = attributions.field_role(text)
            blank = self._gap(q) if q > p else 0
            if blank > 1 or (blank and role in ("", "field")):
                break
            if role == "from" and any(role == known for known, _ in fields):
                break
            if role:
                fields.append((role, text))
                end = q + 1
            elif fields and q - end < _HEAD_GAP:
                fields[-1] = (fields[-1][0], f"{fields[-1][1]} {text}")
            elif text:
                break
        return end if attributions.is_head(fields, ruled=ruled) else p

    def _close(self) -> None:
        """End a part of the reply: split off its signature and note whether words remain."""
        lines, self.open = self.open, []
        if not lines:
            return
        delimiters = (i for i, p in enumerate(lines) if self.text[p][0] in "-—–−_")
        cut = next((i for i in delimiters if self._begins_signature(lines, i)), len(lines))
        if cut < len(lines):
            self._mark(lines[cut], lines[-1] + 1, SIGNATURE)
        while cut and (mark := self._closing_mark(lines[cut - 1], len(lines) - cut)):
            cut -= 1
            self._mark(lines[cut], lines[cut] + 1, mark)
        if cut:
            self.content = True
            if self.quotes:
                self.quotes[-1].answered = True

    def _begins_signature(self, lines: list[int], i: int) -> bool:
        """Tell whether a signature begins at this line (RFC 3676 section 4.3, and its misuse)."""
        text, left = self.text[lines[i]], len(lines) - i - 1
        if text in ("--", "- -", "−−"):
            return self.lines[self.spots[lines[i]]] == "-- " or 0 < left <= 30
        # A longer line is drawn under a table, too, or between two parts of what is said.
        if not 0 < left <= 12 or self._gap(lines[i + 1]) or (i and not self._gap(lines[i])):
            return False
        if not (i or self.content or self.quotes):
            return False
        if set(text) == {"_"} or text in _SIGNATURE_LINES:
            return True
        if not i or left > 6 or not attributions.is_rule(text) or not set(text) <= {"-", "—", "–"}:
            return False
        return all(len(self.text[p]) <= 72 for p in lines[i + 1 :])

    def _closing_mark(self, p: int, after: int) -> int:
        """Return what a line at the end of a part is: drawn, added by a device, or KEPT."""
        text = self.text[p]
        if text == _TRACKER or is_delimiter(text):
            return QUOTED
        if after < _DEVICE_LINES and self._look() and attributions.is_device_line(text):
            return SIGNATURE
        return KEPT

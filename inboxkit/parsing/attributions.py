"""What announces a quoted mail: attribution lines, heads, markers; and lines that devices add.

Recognised by structure (a date, an address, a verb, a colon) and then by words. Every function
looks at one short line and takes time linear in it; none raises.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from . import vocabulary as words
from .vocabulary import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 400  # characters; what is longer was written by a person, not by a client
CORE = frozenset({"from", "date", "to", "subject"})
COLONS = (":", "：", "՝", "៖", "፡", "፦")
GAP = ":  "  # between an attribution and the quote on its line
DRAWN = "-_=*~#─—–· \t"
OUTER = " \t\r\n\v\f\u00a0\u2028\u2029\u3000" + "".join(map(chr, words.BIDI))

# Day, month and year in any order, or a day and a time; months are whatever stands between.
_DATE = re.compile(
    r"(?<![\d.])(?:\d{4}[./-] ?\d{1,2}[./-] ?\d{1,2}|\d{1,2}[./-] ?\d{1,2}[./-] ?\d{2,4})"
    r"(?!\d|\.\d)"
    r"|(?<!\d)\d{4}\D{1,24}\d{1,2}(?!\d)|(?<!\d)\d{1,2}\D{1,24}\d{4}(?!\d)"
    r"|(?<![\d.:])\d{1,2}[^\d:]{0,23}[^\d:.]\d{1,2}[:.h時时]\d{2}(?!\d|\.\d)"
)
_DIGIT = re.compile(r"\d")
# What Gmail puts before a name when it has no words for it.
_TIMESTAMP = re.compile(r"\d{4}[./-]\d\d[./-]\d\d \d{1,2}:\d\d GMT[+-]\d{1,2}:\d\d \D{2,60}$")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"@]@[^\s<>()\[\],;:\"@]")
_BRACKETED = re.compile(r"[<(\[:][^\s<>()\[\]@]{1,120}@|@[^\s<>()\[\]@]{1,120}[>)\]]")
_FIELD = re.compile(f"([^{''.join(COLONS)}]{{1,44}})[{''.join(COLONS)}]")
_BREAKS = re.compile(r"[\s,.:;()<>\[\]\"'“”„«»‘’「」、，：/_*\-—]+")
_LINK = re.compile(r"[<(\[]?https?://[^\s<>()\[\]]*[>)\]]?", re.IGNORECASE)
# A capitalised preposition inside a line, then a date: the reply and the attribution share it.
_SHARED = re.compile(
    r"(?<=\S)\s(?=(?:On|Le|Am|Il|El|Em|Op|Den|Dnia|Dne|Dňa|W dniu|Pada|În|Vào|Στις|في|在)"
    r" (?:\w{2,12}\.?,? ){0,2}\d)"
)


def _any_of(*lists: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word) for part in lists for word in part))


_JOINED_VERBS = _any_of(words.JOINED_VERBS)
_MESSAGE = _any_of(words.MESSAGE)
_PASSED_ON = _any_of(words.PASSED_ON)
_JOINED_SENT = _any_of(words.JOINED_SENT)
_JOINED_GET = _any_of(words.JOINED_GET)
_ANY_DEVICE = _any_of(words.JOINED_DEVICES, words.BRANDS)
_EXCUSE = _any_of(words.EXCUSE)


def _split(folded: str) -> list[str]:
    return [word for word in _BREAKS.split(folded) if word]


def bare(line: str) -> str:
    """Return the line without direction marks, outer white space and drawn decoration."""
    return line.translate(words.BIDI).lstrip(DRAWN + OUTER + ">|").rstrip(DRAWN + OUTER)


def has_address(line: str) -> bool:
    """Tell whether an email address stands in the line."""
    return "@" in line and _ADDRESS.search(line) is not None


def has_date(line: str) -> bool:
    """Tell whether a date, or a day and a time, stands in the line."""
    return _DATE.search(line) is not None


def has_timestamp(line: str) -> bool:
    """Tell whether the line is a date, a time, a zone and a name."""
    return _TIMESTAMP.match(line) is not None


def weight(line: str, *, quoted: bool) -> int:
    """Return how many signs make this line an attribution, 0 when it is none.

    ``quoted`` says that a quote follows, which makes up for a sign that is missing.
    """
    text = bare(line)
    if not text or len(text) > LONGEST:
        return 0
    folded = fold(text)
    spoken = _split(folded)
    after, date, address = _after_verb(spoken, folded), has_date(text), has_address(text)
    if text.endswith(COLONS) or text.startswith(":"):
        accepted = _announces(text, after, date=date, address=address, quoted=quoted)
    elif after in (0, 1) and date and (address or quoted):
        accepted = True
    elif quoted and date and address:
        accepted = text.endswith((">", ")", "]"))
    else:
        accepted = has_timestamp(text) and text.count("<") == text.count(">")
    return (after >= 0) + date + address if accepted else 0


def _after_verb(spoken: list[str], folded: str) -> int:
    """Return how many words follow the verb of writing, -1 when there is none."""
    for after, word in enumerate(reversed(spoken)):
        if word in words.VERBS:
            return after
    return 0 if _JOINED_VERBS.search(folded) else -1


def _announces(text: str, after: int, *, date: bool, address: bool, quoted: bool) -> bool:
    """Tell whether a line that ends in a colon announces a quote."""
    if quoted:
        return date or address or (after >= 0 and text.count(" ") < 12)
    if text.count(" ") > 30 or (": " in text[:-1] and not (address and after >= 0)):
        return False
    if address and (after >= 0 or date):
        return after in (0, 1) or _BRACKETED.search(text) is not None
    return after >= 0 and date and _only_names(_split(text), after)


def _only_names(spoken: list[str], after: int) -> bool:
    """Tell whether nothing but a name and a date stands about the verb of a line."""
    if len(spoken) > 24 or after <= 2:
        return len(spoken) <= 24
    place = len(spoken) - 1 - after
    if spoken[0] in ("I", "As", "We"):
        return False
    before, behind = spoken[:place], spoken[place + 1 :]
    return not any(w[0].islower() for w in before) or not any(w[0].islower() for w in behind)


def shared_at(line: str) -> int:
    """Return where an attribution begins that stands behind words on the same line, else -1."""
    if len(line) > LONGEST * 4 or not line.rstrip().endswith(COLONS):
        return -1
    for found in islice(_SHARED.finditer(line, max(0, len(line) - LONGEST)), 4):
        if weight(line[found.end() :], quoted=False) >= 2:
            return found.start()
    return -1


def announced_at(line: str) -> int:
    """Return where the quote begins that an attribution has on its line, else -1.

    Yahoo on phones writes "On 3 March, Ann<ann@shop.example> wrote:   Which size?".
    """
    cut = line.find(GAP, 0, LONGEST) + 1
    head = line[:cut]
    if not cut or not has_address(head) or not line[cut:].strip():
        return -1
    return cut if weight(head, quoted=False) >= 3 else -1


def hints(line: str) -> int:
    """Return which signs of an attribution a line may have: 1 a digit, 2 an @."""
    return (_DIGIT.search(line) is not None) + 2 * ("@" in line)


def field_role(line: str) -> str:
    """Return what the line is in the head of a mail: from, date, to, subject, other, field or "".

    A "field" has the shape of one, but its name is not known.
    """
    head = line[:45]
    if ":" not in head and head.isascii():
        return ""
    shape = _FIELD.match(head)
    name = shape.group(1).strip(DRAWN + OUTER) if shape else ""
    if not name:
        return ""
    role = words.ROLES.get(fold(name), "")
    return role or ("field" if not name[0].islower() and name.count(" ") <= 2 else "")


def is_head(fields: Sequence[tuple[str, str]], *, ruled: bool) -> bool:
    """Tell whether fields, each a role and a line, are the head of a mail.

    ``ruled`` says that a rule or a marker stands above, which makes up for a name not known.
    """
    known = CORE.intersection(role for role, _ in fields)
    if len(fields) < 2 or not (known & {"from", "subject"} or ruled):
        return False
    if len(known) >= 2 and ruled and known & {"from", "subject"}:
        return True
    addressed = any(has_address(line) for role, line in fields if ruled or role in ("from", "to"))
    if len(known) >= 3:
        return "subject" in known or addressed
    dated = any(has_date(line) for _, line in fields)
    likely = "from" in known and ("date" in known or len(fields) > 3)
    likely = likely or (ruled and len(fields) >= 3)
    return likely and addressed and dated


def names_a_mail(line: str) -> bool:
    """Tell whether the line only speaks of an original or a forwarded message."""
    text = bare(line)
    if not text or len(text) > 80 or text.count(" ") > (8 if text.endswith(COLONS) else 3):
        return False
    folded = fold(text)
    return _MESSAGE.search(folded) is not None and _PASSED_ON.search(folded) is not None


def is_marker(line: str) -> bool:
    """Tell whether the line marks the start of an original, such as -----Original Message-----."""
    text = line[: LONGEST * 2].strip(OUTER)
    drawn = len(text) - len(text.lstrip(DRAWN))
    if drawn < 2 or drawn == len(text) or "PGP" in text[:LONGEST]:
        return False
    # Some clients write the head behind the marker, on the same line.
    end = text.find("----", drawn) if drawn >= 4 else -1
    text = text[: end + 4] if end > 0 else text
    folded = fold(bare(text))
    if len(text) > 120 or not folded or folded.count(" ") > 8:
        return False
    if names_a_mail(text) or "above this line" in folded:
        return True
    if text.startswith("##-") and text.endswith("-##"):
        return True
    if has_date(text) and text.endswith("---") and _PASSED_ON.search(folded):
        return True
    return is_framed(text) and (_MESSAGE.search(folded) or _PASSED_ON.search(folded)) is not None


def is_framed(line: str) -> bool:
    """Tell whether a few words stand between drawn lines, such as ----- Words -----."""
    drawn = len(line) - len(line.lstrip(DRAWN))
    if not 4 <= drawn < len(line) <= 120 or line[-3:].strip(DRAWN):
        return False
    return bare(line).count(" ") <= 3


def is_rule(line: str) -> bool:
    """Tell whether the line is only drawn, such as a row of underscores."""
    return len(line) >= 3 and not line.strip(DRAWN)


def is_device_line(line: str) -> bool:
    """Tell whether a program added the line to say what sent the mail."""
    if len(line) > 200 or (line.isascii() and line.isalnum()):  # a single word is a name
        return False
    plain = _LINK.sub("", line.translate(words.BIDI)).strip("<>()[]*_~-—.! \t\u00a0")
    head, tail = _first_clause(plain)
    spoken, folded = _split(fold(head)), fold(head)
    if not spoken or len(spoken) > 14 or head.endswith("?"):
        return False
    if tail and not _EXCUSE.search(fold(tail)):
        device = any(word.startswith(words.DEVICES) for word in _split(fold(tail)))
        if not device or tail.count(" ") > 4:
            return False
    linked = len(plain) < len(line) - 8
    return _says_sent(spoken, folded, head) or _offers(spoken, folded, linked=linked)


def _first_clause(text: str) -> tuple[str, str]:
    places = [
        p for mark in (". ", ", ", "; ", "! ", " - ", "。", "，") if (p := text.find(mark)) > 0
    ]
    cut = min(places, default=len(text))
    return text[:cut], text[cut + 1 :].strip("- ")


def _says_sent(spoken: list[str], folded: str, head: str) -> bool:
    """Tell whether the words say from where the mail was sent, as a line of its own does."""
    device = any(word.startswith(words.DEVICES) for word in spoken)
    device = device or _ANY_DEVICE.search(folded) is not None
    if _JOINED_SENT.search(folded):
        return device
    sent = [i for i, word in enumerate(spoken) if word.startswith(words.SENT)]
    if not sent:
        return device and len(spoken) <= 4 and "from" in spoken[:2]
    # Hebrew writes "from" as a letter in front of the word.
    via = any(word in words.VIA or word[0] == "\u05de" for word in spoken)
    if sent[0] == (1 if spoken[0] in words.AUXILIARIES else 0):
        brand_next = any(word.startswith(words.BRANDS) for word in spoken[1:])
        return (device and (via or brand_next)) or _is_named(spoken, head)
    if sent[-1] >= len(spoken) - 2:
        first = spoken[spoken[0] in words.AUXILIARIES]
        return device and (via or first.startswith(words.BRANDS))
    return device and via and any(word.startswith(words.MESSAGE) for word in spoken[:3])


def _is_named(spoken: list[str], head: str) -> bool:
    """Tell whether "Sent from" and the like come before a name not known, such as "TI-85"."""
    if not 2 < len(spoken) <= 8 or spoken[1] not in ("from", "with", "via", "using"):
        return False
    return any(not word[0].islower() for word in head.split()[2:])


def _offers(spoken: list[str], folded: str, *, linked: bool) -> bool:
    """Tell whether the line offers a mail program, such as "Get Outlook for iOS"."""
    if len(spoken) > 7 or not any(word.startswith(words.PLATFORMS) for word in spoken):
        return False
    if not linked and "outlook" not in folded and "mail" not in folded:
        return False
    edges = (spoken[0], spoken[-1])
    return not words.GET.isdisjoint(edges) or _JOINED_GET.search(folded) is not None

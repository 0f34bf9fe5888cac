"""One-time codes and links to act on, and mails that only look as if they held one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxkit.parsing import find_code, find_links
from inboxkit.parsing.html import to_text

from .cases import rows
from .figures import Counts, compared

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SPLIT = str.maketrans("", "", " -\u00a0")


@dataclass(frozen=True)
class Mail:
    """A mail, and the code and the link that its reader needs, if any."""

    id: str
    subject: str
    text: str
    html: str
    code: str | None
    link: str | None

    @property
    def words(self) -> str:
        """The text, or that of the HTML where there is no other."""
        return self.text or to_text(self.html)


@dataclass(frozen=True)
class Found:
    """What was found in a mail."""

    code: str | None = None
    link: str | None = None


@dataclass(frozen=True)
class Score:
    """Codes (spaces and dashes ignored) and links, and how many mails without one gave one."""

    codes: Counts
    links: Counts
    without_code: int
    without_link: int
    code_decoys: tuple[str, ...]
    link_decoys: tuple[str, ...]
    wrong: tuple[str, ...]


def load(folder: Path) -> list[Mail]:
    """Read ``otp/*.jsonl``."""
    return [
        Mail(
            row["id"],
            row["subject"] or "",
            row["text"] or "",
            row["html"] or "",
            row["expect_code"],
            row["expect_link"],
        )
        for row in rows(folder)
    ]


def answer(mails: Sequence[Mail]) -> list[Found]:
    """Return what inboxkit finds in each mail."""
    return [_found(mail) for mail in mails]


def _found(mail: Mail) -> Found:
    code = find_code(mail.words, subject=mail.subject, html=mail.html)
    links = find_links(mail.words, subject=mail.subject, html=mail.html)
    return Found(code.value if code else None, links[0].url if links else None)


def score(mails: Sequence[Mail], answers: Sequence[Found]) -> Score:
    """Compare what was found with what is expected."""
    codes = [
        compared(_joined(mail.code), _joined(found.code))
        for mail, found in zip(mails, answers, strict=True)
    ]
    links = [compared(mail.link, found.link) for mail, found in zip(mails, answers, strict=True)]
    pairs = list(zip(mails, codes, links, strict=True))
    return Score(
        sum(codes, Counts()),
        sum(links, Counts()),
        sum(mail.code is None for mail in mails),
        sum(mail.link is None for mail in mails),
        tuple(mail.id for mail, code, _ in pairs if mail.code is None and code.wrong),
        tuple(mail.id for mail, _, link in pairs if mail.link is None and link.wrong),
        tuple(m.id for m, c, k in pairs if c.wrong or c.missed or k.wrong or k.missed),
    )


def _joined(code: str | None) -> str | None:
    return code.translate(_SPLIT) if code else None

"""How well the content of mail is read, beside other libraries where they are installed.

python bench/quality.py FOLDER [--ours] [--misses]

FOLDER holds any of mime, reply, otp, threads, bounce and autoreply; ``tests/corpus`` is one such.
"""

from __future__ import annotations

import argparse
import base64
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scoring import kinds, mime, otp, peers, reply, threads
from scoring.figures import share

from inboxkit.values import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_REPLY_PEERS = (
    "mail-parser-reply, English",
    "mail-parser-reply, 13 languages",
    "email-reply-parser",
    "quotequail",
)
_NAMES_SHOWN = 200


def main(arguments: Sequence[str]) -> None:
    """Print the figures of each part of the folder."""
    parser = argparse.ArgumentParser(description=__doc__, usage="quality.py FOLDER [options]")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ours", action="store_true", help="ask no other library")
    parser.add_argument("--misses", action="store_true", help="name what came out otherwise")
    options = parser.parse_args(arguments)
    report = Report(ours_only=options.ours, misses=options.misses)
    for name, show in _PARTS.items():
        folder = options.folder / name
        if folder.is_dir():
            start = time.perf_counter()
            print(f"\n{name}")
            show(report, folder)
            print(f"  ({time.perf_counter() - start:.1f} s)")


class Report:
    """Prints figures, and what was asked for besides."""

    def __init__(self, *, ours_only: bool, misses: bool) -> None:
        self._ours_only = ours_only
        self._misses = misses

    def line(self, name: str, figures: object) -> None:
        """Print one line."""
        print(f"  {name:34} {figures}", flush=True)

    def missed(self, names: Iterable[str]) -> None:
        """Print which cases came out otherwise, if they are wanted."""
        if self._misses:
            for name in names:
                print(f"      {name[:_NAMES_SHOWN]}")

    def ask(self, name: str, cases: Iterable[dict[str, str]]) -> list[peers.Answer] | None:
        """Ask a library; None, and a line that says why, when there is nobody to ask."""
        if self._ours_only:
            return None
        if not peers.installed(name):
            self.line(name, "not installed")
            return None
        return peers.ask(name, cases)


def show_mime(report: Report, folder: Path) -> None:
    """Print errors, states and times, and which mails are held to be reports."""
    mails = mime.load(folder)
    ours = mime.score(mails, mime.answer(mails))
    report.line("inboxkit", _mime_line(ours))
    if ours.subjects[1]:
        report.line("inboxkit, subjects agreeing", share(*ours.subjects))
    cases = [{"raw": base64.b64encode(mail.data).decode("ascii")} for mail in mails]
    if answers := report.ask("mail-parser", cases):
        read = [_peer_read(answer) for answer in answers]
        theirs = mime.score(mails, read)
        report.line("mail-parser", _mime_line(theirs))
        if theirs.subjects[1]:
            report.line("mail-parser, subjects agreeing", share(*theirs.subjects))
    report.line("held to be reports", len(ours.reports))
    for name, reason in ours.reports:
        print(f"      {name}: {reason}")


def _mime_line(score: mime.Score) -> str:
    seconds, slowest = score.slowest
    states = ", ".join(f"{state} {count}" for state, count in sorted(score.states.items()))
    errors = ", ".join(f"{name} {count}" for name, count in sorted(score.errors.items()))
    crashes = f"crashes {sum(score.errors.values())}{f' ({errors})' if errors else ''}"
    return (
        f"{score.mails} mails  {crashes}  {states + '  ' if states else ''}"
        f"all {score.seconds:.2f} s  slowest {seconds * 1e3:.0f} ms {slowest.rpartition('/')[2]}"
    )


def _peer_read(answer: peers.Answer) -> mime.Read:
    if answer.error:
        seconds = peers.SECONDS if answer.error == "timeout" else 0.0
        return mime.Read(seconds, error=answer.error)
    return mime.Read(answer.value["seconds"], answer.value["subject"])


def show_reply(report: Report, folder: Path) -> None:
    """Print how many replies come out exactly."""
    pairs = reply.load(folder)
    start = time.perf_counter()
    answers = reply.answer(pairs)
    each = (time.perf_counter() - start) / len(pairs) * 1e3
    score = reply.score(pairs, answers)
    report.line("inboxkit", f"{score}  {each:.2f} ms each")
    report.missed(score.missed)
    for name in _REPLY_PEERS:
        if (said := report.ask(name, [{"body": pair.words} for pair in pairs])) is not None:
            report.line(name, reply.score(pairs, [None if a.error else a.value for a in said]))


def show_otp(report: Report, folder: Path) -> None:
    """Print how many codes and links are found, and in how many mails without one."""
    mails = otp.load(folder)
    score = otp.score(mails, otp.answer(mails))
    _show_codes(report, "inboxkit", score)
    hit = share(len(score.link_decoys), score.without_link)
    report.line("inboxkit, links", f"{score.links}  found where none is {hit}")
    report.missed(score.wrong)
    name = "otp-message-extractor"
    if said := report.ask(name, [{"subject": m.subject, "text": m.words} for m in mails]):
        found = [otp.Found(answer.value) for answer in said]
        _show_codes(report, name, otp.score(mails, found))


def _show_codes(report: Report, name: str, score: otp.Score) -> None:
    hit = share(len(score.code_decoys), score.without_code)
    report.line(f"{name}, codes", f"{score.codes}  found where none is {hit}")


def show_bounce(report: Report, folder: Path) -> None:
    """Print how many reports are recognized, and what is read in them."""
    mails = kinds.load(folder)
    score = kinds.score(mails, kinds.answer(mails))
    for kind, total in score.total.items():
        if total:
            report.line(f"inboxkit, {kind}", share(score.right[kind], total))
    report.line("inboxkit, recipient found", share(score.recipients, score.entries))
    report.line("inboxkit, hard or soft agrees", share(score.agreeing, score.entries))
    report.missed(score.wrong)
    bounces = [mail for mail in mails if mail.kind == Kind.BOUNCE]
    cases = [{"raw": base64.b64encode(mail.raw).decode("ascii")} for mail in bounces]
    if said := report.ask("flufl.bounce", cases):
        found = sum(bool(a.value and (a.value["temporary"] or a.value["permanent"])) for a in said)
        raised = sum(bool(answer.error) for answer in said)
        figures = share(found, len(bounces))
        report.line("flufl.bounce, bounce", f"{figures}  raised {raised}")
        agreeing = sum(_flufl_agrees(m, a) for m, a in zip(bounces, said, strict=True))
        report.line("flufl.bounce, hard or soft agrees", share(agreeing, len(bounces)))


def _flufl_agrees(mail: kinds.Labelled, answer: peers.Answer) -> bool:
    return bool(answer.value) and bool(answer.value["permanent"]) == any(mail.hard)


def show_autoreply(report: Report, folder: Path) -> None:
    """Print how many automatic answers are told from what people write."""
    mails = kinds.load_automatic(folder)
    score = kinds.score(mails, kinds.answer(mails))
    for kind in (Kind.AUTO_REPLY, Kind.HUMAN):
        report.line(f"inboxkit, {kind}", share(score.right[kind], score.total[kind]))
    report.missed(score.wrong)


def show_threads(report: Report, folder: Path) -> None:
    """Print, for each mbox, how well pairs of mails are joined."""
    for mails in threads.load(folder):
        score = threads.score(mails, threads.answer(mails))
        report.line(mails.name, f"{len(mails.threads)} mails  {score}")


_PARTS: dict[str, Callable[[Report, Path], None]] = {
    "mime": show_mime,
    "reply": show_reply,
    "otp": show_otp,
    "bounce": show_bounce,
    "autoreply": show_autoreply,
    "threads": show_threads,
}


if __name__ == "__main__":
    main(sys.argv[1:])

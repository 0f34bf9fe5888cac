"""Coverage-guided fuzzing of the parsing functions: no input may raise, or take seconds.

python bench/fuzz.py TARGET [libFuzzer options and folders, such as -max_total_time=60]

Needs atheris. What it finds is written to the working directory, or to -artifact_prefix.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import atheris  # type: ignore[import-untyped]  # only where it installs

with atheris.instrument_imports(include=["inboxkit.parsing"]):
    from inboxkit.parsing import bounces, documents, find_code, find_links, images, mime, parse
    from inboxkit.parsing.hidden import visible_text
    from inboxkit.parsing.html import to_text
    from inboxkit.parsing.reply import split_reply

if TYPE_CHECKING:
    from collections.abc import Callable

_SLOW_SECONDS = 5
_KINDS = ("text/html", "text/csv", "application/pdf", "application/zip")


def _parse(data: bytes) -> None:
    parsed = parse(data)
    if parsed.state == "failed":
        raise AssertionError(parsed.defects)


def _code(data: bytes) -> None:
    text, subject, html = _texts(data)
    find_code(text, subject=subject, html=html)


def _links(data: bytes) -> None:
    text, subject, html = _texts(data)
    find_links(text, subject=subject, html=html)


def _reply(data: bytes) -> None:
    text, _, html = _texts(data)
    split_reply(text, html)


def _report(data: bytes) -> None:
    bounces.read_report(mime.decode(data))


def _page(data: bytes) -> None:
    page = data.decode("utf-8", "replace")
    to_text(page)
    visible_text("", page)


def _document(data: bytes) -> None:
    images.dimensions(data)
    for kind in _KINDS:
        documents.document_text(data, kind)


def _texts(data: bytes) -> tuple[str, str, str]:
    """Return a text, a subject and a page, which the input parts by two NULs."""
    parts = [part.decode("utf-8", "replace") for part in data.split(b"\0", 2)]
    text, subject, html = (*parts, "", "")[:3]
    return text, subject, html


TARGETS: dict[str, Callable[[bytes], None]] = {
    "parse": _parse,
    "code": _code,
    "links": _links,
    "reply": _reply,
    "report": _report,
    "page": _page,
    "document": _document,
}


def main(arguments: list[str]) -> None:
    """Fuzz the target that the first argument names."""
    if len(arguments) < 2 or arguments[1] not in TARGETS:
        raise SystemExit(f"python bench/fuzz.py {'|'.join(TARGETS)} [libFuzzer options]")
    limit = f"-timeout={_SLOW_SECONDS}"
    atheris.Setup([arguments[0], limit, *arguments[2:]], TARGETS[arguments[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)

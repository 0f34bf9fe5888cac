"""Which mails of an mbox are one conversation, by pairs; masked sets lack some of their headers.

Goes through ``inboxkit import`` and the store, as a user's own archive does.
"""

from __future__ import annotations

import json
import mailbox
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .figures import Counts

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

_INBOX = "box@inbox.example"


@dataclass(frozen=True)
class Set:
    """The mails of an mbox in its order, and the thread of each that has a usable id."""

    name: str
    mails: tuple[bytes, ...]
    threads: Mapping[str, int]


def load(folder: Path) -> list[Set]:
    """Read ``threads/*.mbox`` and ``threads/masked/*.mbox`` with the labels beside them."""
    paths = [*sorted(folder.glob("*.mbox")), *sorted(folder.glob("masked/*.mbox"))]
    return [
        Set(str(path.relative_to(folder).with_suffix("")), _mails(path), _labels(path))
        for path in paths
        if _labels(path)
    ]


def _mails(path: Path) -> tuple[bytes, ...]:
    box = mailbox.mbox(path, create=False)
    try:
        return tuple(box.get_bytes(key) for key in box.iterkeys())
    finally:
        box.close()


def _labels(path: Path) -> dict[str, int]:
    plain, masked = path.with_suffix(".threads.json"), path.with_suffix(".labels.json")
    if plain.exists():
        return dict(json.loads(plain.read_bytes()))
    rows = json.loads(masked.read_bytes()) if masked.exists() else {}
    return {name: row["thread"] for name, row in rows.items()}


def answer(mails: Set) -> dict[str, str]:
    """Import the mails into a database of their own; return the thread of each message id."""
    with tempfile.TemporaryDirectory(prefix="inboxkit-quality-") as name:
        folder = Path(name)
        box = folder / "mails"
        box.mkdir()
        for number, raw in enumerate(mails.mails):
            box.joinpath(f"{number:06}.eml").write_bytes(raw)
        database = f"sqlite:///{folder / 'quality.db'}"
        _inboxkit(database, "import", "--inbox", _INBOX, str(box))
        listed = _inboxkit(database, "messages", "--limit", "0", "--json")
    rows = [json.loads(line) for line in listed.splitlines()]
    return {row["message_id"].strip("<>"): row["thread_id"] for row in rows}


def _inboxkit(database: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "inboxkit", "--database", database, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def score(mails: Set, threads: Mapping[str, str]) -> Counts:
    """Count the pairs of mails that are joined and belong together, are joined wrongly, or not."""
    found = {mid: threads.get(mid, mid) for mid in mails.threads}  # a lost one stands alone
    true = _pairs(mails.threads.values())
    joined = _pairs(found.values())
    both = _pairs((thread, found[mid]) for mid, thread in mails.threads.items())
    return Counts(right=both, wrong=joined - both, missed=true - both)


def _pairs(groups: Iterable[Hashable]) -> int:
    return sum(size * (size - 1) // 2 for size in Counter(groups).values())

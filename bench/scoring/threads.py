"""Which mails of an mbox are one conversation, by pairs; masked sets lack some of their headers.

Goes through ``inboxkit import`` and the store, as a user's own archive does.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner

from inboxkit.cli.main import cli

from .figures import Counts

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

_INBOX = "box@inbox.example"


@dataclass(frozen=True)
class Set:
    """An mbox, and the thread of each of its mails that has a usable id."""

    name: str
    path: Path
    threads: Mapping[str, int]


def load(folder: Path) -> list[Set]:
    """Read ``threads/*.mbox`` and ``threads/masked/*.mbox`` with the labels beside them."""
    paths = [*sorted(folder.glob("*.mbox")), *sorted(folder.glob("masked/*.mbox"))]
    sets = (Set(str(p.relative_to(folder).with_suffix("")), p, _labels(p)) for p in paths)
    return [mails for mails in sets if mails.threads]


def _labels(path: Path) -> dict[str, int]:
    plain, masked = path.with_suffix(".threads.json"), path.with_suffix(".labels.json")
    if plain.exists():
        return dict(json.loads(plain.read_bytes()))
    rows: dict[str, dict[str, int]] = json.loads(masked.read_bytes()) if masked.exists() else {}
    return {name: row["thread"] for name, row in rows.items()}


def answer(mails: Set) -> dict[str, str]:
    """Import the mails into a database of their own; return the thread of each message id."""
    with tempfile.TemporaryDirectory(prefix="inboxkit-quality-") as name:
        database = f"sqlite:///{Path(name, 'quality.db')}"
        _inboxkit(database, "import", "--inbox", _INBOX, str(mails.path))
        listed = _inboxkit(database, "messages", "--limit", "0", "--json")
    rows = [json.loads(line) for line in listed.splitlines()]
    return {row["message_id"].strip("<>"): row["thread_id"] for row in rows}


def _inboxkit(database: str, *arguments: str) -> str:
    done = CliRunner().invoke(cli, ["--database", database, *arguments])
    if done.exit_code or done.exception:
        raise RuntimeError(f"inboxkit {arguments[0]}: {done.output}") from done.exception
    return done.stdout


def score(mails: Set, threads: Mapping[str, str]) -> Counts:
    """Count the pairs of mails that are joined and belong together, are joined wrongly, or not."""
    found = {mid: threads.get(mid, mid) for mid in mails.threads}  # a lost one stands alone
    true = _pairs(mails.threads.values())
    joined = _pairs(found.values())
    both = _pairs((thread, found[mid]) for mid, thread in mails.threads.items())
    return Counts(right=both, wrong=joined - both, missed=true - both)


def _pairs(groups: Iterable[Hashable]) -> int:
    return sum(size * (size - 1) // 2 for size in Counter(groups).values())

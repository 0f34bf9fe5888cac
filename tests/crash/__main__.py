"""The long crash test: ``python -m tests.crash --mails 5000 --kills 300 --seed 1``."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from .harness import crash


def main() -> int:
    """Print the counts as JSON; exit 1 when one of them is not 0."""
    parser = argparse.ArgumentParser(description="kill the server while mail comes in, and count")
    parser.add_argument("--mails", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--one-at-a-time", action="store_true", help="kill one worker, not the whole server"
    )
    parser.add_argument("--database", help="URL; a new file of SQLite when it is left out")
    given = parser.parse_args()
    asked = vars(given)
    database = asked.pop("database")
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(crash(database or f"sqlite:///{Path(folder, 'crash.db')}", **asked))
    sys.stdout.write(json.dumps(found | asked) + "\n")
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main())

"""Reads the sample mails of ``tests/corpus/mime``."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "corpus" / "mime"
NAMES = sorted(path.stem for path in FOLDER.glob("*.eml"))


def sample(name: str) -> bytes:
    """Return the bytes of a sample mail."""
    return FOLDER.joinpath(f"{name}.eml").read_bytes()

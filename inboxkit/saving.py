"""Files on the disk of a user: written whole or not at all, and never twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_once(folder: Path, name: str, data: bytes) -> Path:
    """Write a file whose name holds the hash of its content; what is there is the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    if not target.exists():
        temporary = folder / f".{name}.new"
        temporary.write_bytes(data)
        temporary.replace(target)
    return target

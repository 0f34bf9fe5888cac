"""Files on the disk of a user: written whole or not at all, and never twice."""

from __future__ import annotations

import os
import tempfile
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


def replace_whole(target: Path, data: bytes) -> None:
    """Write a file in place of the one that is there, or none of it; a link goes on leading to it.

    It keeps its mode; a new one is for its owner alone. A device or a pipe is written to.
    """
    real = target.resolve()
    if real.exists() and not real.is_file():
        real.write_bytes(data)
        return
    real.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if real.exists():
            Path(name).chmod(real.stat().st_mode & 0o7777)
        Path(name).replace(real)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

"""Reading mail from a file, a pipe or a device: no more of it than is wanted, as some never end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from ..settings import Settings

_PIECE_BYTES = 1024 * 1024


def beginning(path: Path | None, most: int) -> bytes:
    """Return what a file, or without one standard input, begins with: at most so many bytes."""
    if path is None:
        return _read(sys.stdin.buffer, most)
    with path.open("rb") as file:
        return _read(file, most)


def mail(path: Path, settings: Settings) -> bytes:
    """Return a mail as a file holds it; raise ConfigurationError when no port would take it."""
    most = settings.max_message_bytes
    raw = beginning(path, most + 1)
    if len(raw) > most:
        raise ConfigurationError(
            f"{path}: larger than max_message_bytes ({most}); set that higher for such mail"
        )
    return raw


def _read(file: BinaryIO, most: int) -> bytes:
    held = bytearray()
    while len(held) < most and (piece := file.read(min(_PIECE_BYTES, most - len(held)))):
        held += piece
    return bytes(held)

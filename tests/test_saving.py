"""Files that are written in place of others."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from inboxkit.saving import replace_whole

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "there.json"
    target.write_bytes(b"before")
    target.chmod(0o640)
    replace_whole(target, b"after")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"after", 0o640)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(sys.platform == "win32", reason="has no pipes with a name")
def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    target = tmp_path / "pipe"
    os.mkfifo(target)
    reading = os.open(target, os.O_RDWR | os.O_NONBLOCK)
    try:
        replace_whole(target, b"written")
        assert target.is_fifo()
        assert os.read(reading, 100) == b"written"
    finally:
        os.close(reading)

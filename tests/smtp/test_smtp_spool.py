from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from anyio import CapacityLimiter

from inboxkit.smtp.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("size", [0, 1, 100, 101, 1000], ids=str)
async def test_content_above_the_limit_comes_as_a_file(size: int, tmp_path: Path) -> None:
    spool, content = Spool(100, tmp_path, CapacityLimiter(1)), b"ab" * (size // 2) + b"c"
    for start in range(0, len(content), 30):
        await spool.write(content[start : start + 30])
    body, sha256 = await spool.finish()
    data = body if isinstance(body, bytes) else body.read()
    spool.close()
    assert isinstance(body, bytes) == (len(content) <= 100)
    assert (data, sha256) == (content, hashlib.sha256(content).hexdigest())
    assert spool.size == len(content)


async def test_a_closed_spool_leaves_nothing_behind(tmp_path: Path) -> None:
    spool = Spool(10, tmp_path, CapacityLimiter(1))
    await spool.write(b"x" * 100)
    body, _ = await spool.finish()
    spool.close()
    assert not isinstance(body, bytes)
    assert body.closed
    assert os.listdir(tmp_path) == []


async def test_a_folder_that_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    spool = Spool(10, tmp_path / "missing", CapacityLimiter(1))
    with pytest.raises(FileNotFoundError):
        await spool.write(b"x" * 100)
    spool.close()

"""Imported files: nothing of them is held whole, and one is read at a time."""

from __future__ import annotations

import gzip
import threading
import tracemalloc
from functools import partial
from typing import Any, cast

import anyio
from anyio.lowlevel import checkpoint

from inboxkit.http.mailgun.call import Call
from inboxkit.http.mailgun.imports import in_turn, rows_of
from inboxkit.providers import forms
from inboxkit.providers.forms import Field

_NOBODY = cast("Any", None)  # reading a file asks nobody


def brought(data: bytes) -> Call:
    kind, body = forms.write([Field("file", data, "list.csv")])
    headers = {"Content-Type": kind}
    return Call(parts=_NOBODY, who=_NOBODY, ids={}, headers=headers, query="", body=body, base="")


def test_a_small_file_that_unpacks_to_a_large_one_takes_little_memory() -> None:
    call = brought(gzip.compress(b"email\n" + (b"a@shop.example," + b"x" * 100_000 + b"\n") * 300))
    assert len(call.form.fields[0].data) < 100_000
    tracemalloc.start()
    try:
        assert sum(1 for _ in rows_of(call)) == 300  # 30 MB
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


async def test_one_file_is_read_at_a_time() -> None:
    go, begun, alone = threading.Event(), list[str](), list[str]()

    def read(name: str) -> None:
        begun.append(name)
        go.wait(10)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for name in "ab":
                tasks.start_soon(in_turn, partial(read, name))
            while not begun:
                await checkpoint()
            await anyio.wait_all_tasks_blocked()
            alone += begun
            go.set()
    assert (alone, sorted(begun)) == (begun[:1], ["a", "b"])

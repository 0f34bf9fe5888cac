"""A parser in a process of its own, which can be ended when a message takes too long.

Run as ``python -m inboxkit.parsing.worker``; spoken to over pipes. multiprocessing is not used: it
would run the user's own script a second time.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import struct
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from ..blocking import in_thread
from ..errors import StoreError
from . import guard, processes
from .model import Limits, ParsedMessage
from .read import parse

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

_SIZE = struct.Struct("!I")
_BROKEN = (OSError, asyncio.IncompleteReadError, pickle.UnpicklingError)
_PIECE_BYTES = 256 * 1024
_PICTURES = 8  # HTML may be so many times longer than what is read of it: pictures lie within


def needs_process(raw: bytes) -> bool:
    """Tell whether a message is so long or so odd that its parser must be one that can be ended."""
    return not guard.is_ordinary(raw)


class ParserProcess:
    """A warm parser process; one message at a time, started when first used.

    ``parse`` waits for its turn. A message that takes longer than ``limits.seconds`` ends the
    process and comes back as "limited" with its headers; the next one gets a new process. One whose
    process ends is read once more, and comes back as "failed" when that ends too. Raise StoreError
    when no process can be started.
    """

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def parse(
        self,
        raw: bytes,
        mail_from: str | None = None,
        limits: Limits = Limits(),
        *,
        lean: bool = False,
    ) -> ParsedMessage:
        """Read a message as ``parsing.parse`` does; never raises for what is in it.

        ``lean`` leaves out the attachments' bytes, and of a text what is beyond the limits.
        """
        meta = {"mail_from": mail_from, "limits": asdict(limits), "lean": lean}
        async with self._turn:
            try:
                return await self._ask(raw, meta, limits)
            except _BROKEN:  # ended from outside, which says nothing of the message, ...
                try:
                    return await self._ask(raw, meta, limits)
                except _BROKEN as error:  # ... or by the message, such as out of memory
                    return _headers_only(raw, "failed", f"process: {type(error).__name__}")

    async def _ask(self, raw: bytes, meta: Mapping[str, Any], limits: Limits) -> ParsedMessage:
        process = await self._started()
        try:
            async with asyncio.timeout(limits.seconds):
                return await _exchange(process, raw, meta)
        except TimeoutError:
            await self._end()
            return _headers_only(raw, "limited", "limit: seconds")
        except BaseException:
            await self._end()  # its answer would be taken for that of the next message
            raise

    async def read(self, raw: bytes, limits: Limits = Limits()) -> ParsedMessage:
        """Read a message as ``parse`` does; what is small and plain in a thread of this process."""
        if needs_process(raw):
            return await self.parse(raw, limits=limits)
        return await in_thread(lambda: parse(raw, limits=limits))

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _started(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            try:
                self._process = await processes.start("worker")
            except OSError as error:
                why = error.strerror or error
                raise StoreError(f"no parser can be started: {why}") from error
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await processes.end(process)


async def _exchange(process: Process, raw: bytes, given: Mapping[str, Any]) -> ParsedMessage:
    assert process.stdin is not None and process.stdout is not None
    meta = json.dumps(given).encode() + b"\n"
    process.stdin.write(_SIZE.pack(len(meta) + len(raw)) + meta)
    for start in range(0, len(raw), _PIECE_BYTES):  # or the pipe's buffer would hold it once more
        process.stdin.write(raw[start : start + _PIECE_BYTES])
        await process.stdin.drain()
    (size,) = _SIZE.unpack(await process.stdout.readexactly(_SIZE.size))
    answer = await process.stdout.readexactly(size)
    # Our own process wrote this: it parses hostile bytes, but runs nothing of them. JSON would
    # need every value, the attachments' bytes too, spelled out twice.
    message: ParsedMessage = pickle.loads(answer)
    return message


def _headers_only(raw: bytes, state: str, defect: str) -> ParsedMessage:
    known = parse(guard.head(raw))
    return replace(known, state=state, defects=(defect, *known.defects), size=len(raw))


def _lean(message: ParsedMessage, limits: Limits) -> ParsedMessage:
    """Leave out what is found in the raw bytes again and would only be carried around."""
    most = {"text": limits.text_bytes, "html": _PICTURES * limits.html_bytes}
    cut = {name: size for name, size in most.items() if len(getattr(message, name)) > size}
    kept = {name: getattr(message, name)[:size] for name, size in cut.items()}
    told = tuple(f"{name}: only its first {size} characters are kept" for name, size in cut.items())
    files = tuple(replace(part, data=b"") for part in message.attachments)
    return replace(message, attachments=files, defects=(*message.defects, *told), **kept)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer framed requests until the other side closes: length, a line of JSON, the message."""
    while len(head := requests.read(_SIZE.size)) == _SIZE.size:
        meta, _, raw = requests.read(_SIZE.unpack(head)[0]).partition(b"\n")
        given: dict[str, Any] = json.loads(meta)
        limits = Limits(**given["limits"])
        found = parse(raw, mail_from=given["mail_from"], limits=limits)
        answer = pickle.dumps(_lean(found, limits) if given["lean"] else found)
        answers.write(_SIZE.pack(len(answer)) + answer)
        answers.flush()


if __name__ == "__main__":
    processes.leave_signals_to_the_parent()
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(0)  # the parent was killed; an exit that flushes would say so once more

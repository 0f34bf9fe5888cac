"""A large mail is worked on in pieces, and aside from the event loop; no piece of it is large."""

from __future__ import annotations

import os
import threading
import tracemalloc
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from inboxkit.blocking import in_thread
from inboxkit.http.api import files, sends
from inboxkit.http.api.schemas.attachments import SendAttachment
from inboxkit.http.api.schemas.messages import SendMessageRequest
from inboxkit.http.intake import Intake
from inboxkit.outbound_parts import file_part, has_bare_line_ends, joined, mail_part
from inboxkit.providers import payloads
from inboxkit.store.blobs import Blobs
from inboxkit.values import File

from .mails import ANN, DESK, mail
from .profiled import called

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Generator, Iterator

    from inboxkit import InboxKit

MB = 1024 * 1024
LINE = b"x" * 62 + b"\r\n"  # whole lines of it make a megabyte


class Attached(SendAttachment):
    """A file of a request that notes in which threads files are decoded."""

    def file(self) -> File:
        THREADS.add(threading.get_ident())
        return super().file()


class Asked(SendMessageRequest):
    """A request that notes in which threads requests are written."""

    def model_dump_json(self, **how: Any) -> str:
        THREADS.add(threading.get_ident())
        return super().model_dump_json(**how)


THREADS = set[int]()


@contextmanager
def peak() -> Generator[list[int]]:
    """Note how many bytes were held at most."""
    found = list[int]()
    tracemalloc.start()
    try:
        yield found
    finally:
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()


class Bucket:
    """Notes how large the pieces are that it is given."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def write(self, pieces: Iterator[bytes]) -> str:
        self.sizes += map(len, pieces)
        return "object:1"

    def read(self, location: str) -> Iterator[bytes]:
        raise NotImplementedError(location)

    def remove(self, locations: Collection[str]) -> None: ...

    def sweep(self, known: Collection[str]) -> int:
        return len(known)


@pytest.mark.parametrize(("size", "others"), [(100, 0), (100_000, 1)])
async def test_long_files_of_a_request_are_decoded_in_a_thread(size: int, others: int) -> None:
    THREADS.clear()
    asked = [Attached(filename="a", content="QUJD" * (size // 4))]
    [found] = await files.files(cast("Any", None), asked)
    assert found.data == b"ABC" * (size // 4)
    assert len(THREADS - {threading.get_ident()}) == others


@pytest.mark.parametrize(("size", "others"), [(100, 0), (100_000, 1)])
async def test_a_long_request_with_a_key_is_hashed_in_a_thread(size: int, others: int) -> None:
    THREADS.clear()
    given = Asked(to=[ANN], attachments=[SendAttachment(content="A" * size)])
    call = SimpleNamespace(given=given, headers={"Idempotency-Key": "a"}, now=0 * sends.KEPT)
    call.inbox, call.who = SimpleNamespace(address=DESK), SimpleNamespace(claims_in="")
    claim = await sends.claimed(cast("Any", call), "send")
    assert claim is not None
    assert len(THREADS - {threading.get_ident()}) == others


async def test_a_body_is_held_once_while_it_arrives() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(8 * 16):
            yield os.urandom(MB // 16)

    intake = Intake()
    with peak() as held:
        async with intake.body(pieces()) as body:
            assert len(body) == 8 * MB
    assert held[0] < 12 * MB


def test_plain_text_of_a_webhook_is_not_copied_to_look_at_it() -> None:
    body = b'["' + b"a" * 4 * MB + b'"]'
    with peak() as held:
        assert payloads.read(body) == ["a" * 4 * MB]
    assert held[0] < 11 * MB


def test_a_file_is_encoded_in_pieces() -> None:
    part = file_part(File("a.bin", os.urandom(3 * MB)))
    assert max(map(len, part.body)) < MB
    assert len(joined(part.body)) > 4 * MB


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
@pytest.mark.parametrize("shift", [0, 1, 2])
def test_a_mail_is_sent_on_in_pieces_that_cut_no_line_end(end: bytes, shift: int) -> None:
    lines = [b"y" * (61 + shift)] + [LINE[:-2]] * (2 * MB // 64)
    part = mail_part(end.join(lines))
    whole = joined(part.body)
    assert whole == b"\r\n".join(lines)
    assert len(part.body) > 1
    assert not has_bare_line_ends(whole)


@pytest.mark.parametrize("place", [0, 1, MB - 1, MB, MB + 1, 2 * MB - 1])
@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_a_bare_line_end_is_found_wherever_it_stands(place: int, end: bytes) -> None:
    mail = b"z" * place + end + b"z" * (2 * MB - place - 1)
    assert has_bare_line_ends(mail)


def test_a_line_over_the_end_of_a_piece_is_as_long_as_it_is() -> None:
    mail = LINE * (MB // 64 - 8) + b"x" * 1_100 + b"\r\n" + LINE
    assert ("Content-Transfer-Encoding", "base64") in mail_part(mail).fields


def test_a_large_mail_is_packed_in_pieces() -> None:
    bucket, raw = Bucket(), os.urandom(4 * MB)
    Blobs(None, bucket).pack(raw)
    assert sum(bucket.sizes) >= len(raw)
    assert max(bucket.sizes) < 2 * MB


@pytest.mark.parametrize(("size", "is_here"), [(100, True), (100_000, False)])
async def test_a_large_mail_is_hashed_in_a_thread(
    kit: InboxKit, size: int, *, is_here: bool
) -> None:
    await kit.inbox(DESK)
    raw = mail("a\n" * (size // 2))
    await in_thread(len, raw)  # so that a thread is there already
    with called() as names:
        await kit.runtime.receive(raw, ANN, (DESK,))
    assert ("openssl_sha256" in names) == is_here

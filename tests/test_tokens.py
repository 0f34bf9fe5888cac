"""Ids and signed tokens."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from itertools import pairwise

import pytest

from inboxkit.tokens import IdSource, decode, encode, new_id, sign, verify


def test_ids_rise_and_differ_however_many_threads_ask() -> None:
    source, made = IdSource(), list[list[int]]()

    def ask() -> None:
        made.append([source() for _ in range(5_000)])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(a < b for ids in made for a, b in pairwise(ids))
    assert len({number for ids in made for number in ids}) == 20_000


def test_two_processes_that_start_in_one_moment_make_different_ids() -> None:
    first, second = ([IdSource()() for _ in range(50)] for _ in range(2))
    assert not set(first) & set(second)


FORKING = """
import os
from inboxkit.tokens import new_id

new_id()  # so that some randomness is drawn, and kept
child = os.fork()
os.write(1, b"%d\\n" % (new_id() & 0x3FFFFF))  # a line in one piece
if child:
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_shares_no_randomness() -> None:
    command = [sys.executable, "-c", FORKING]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    first, second = done.stdout.split()
    assert first != second  # once in four million runs they would be the same


def test_an_id_is_read_as_it_was_written() -> None:
    number = new_id()
    assert decode(encode(number)) == number
    assert encode(number) < encode(new_id())


def test_a_long_text_is_no_id_and_is_not_read_as_a_number() -> None:
    with pytest.raises(ValueError, match=f"not an id: '0{'z' * 79}'"):
        decode("0" + "z" * 100_000)


def test_a_token_is_believed_as_it_was_signed_only() -> None:
    token = sign(b"secret", 7)
    assert verify(b"secret", token.upper()) == 7
    assert verify(b"other", token) is None
    assert verify(b"secret", token[:-1] + ("0" if token[-1] != "0" else "1")) is None
    assert verify(b"secret", encode(8) + token[13:]) is None

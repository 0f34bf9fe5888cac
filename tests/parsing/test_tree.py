"""The MIME tree: the quick reading and the lenient one must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inboxkit.parsing import lenient, tree
from inboxkit.parsing.guard import LimitExceeded
from inboxkit.parsing.model import Limits

from .corpus import NAMES, sample

if TYPE_CHECKING:
    from inboxkit.parsing.entity import Entity

LIMITS = Limits()


def _shape(entity: Entity) -> object:
    fields = [(name, " ".join(value.split())) for name, value in entity.fields]
    return fields, entity.media_type, entity.content, [_shape(part) for part in entity.children]


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize("name", NAMES)
def test_both_readings_of_a_sample_agree(name: str, newline: bytes) -> None:
    raw = sample(name).replace(b"\r\n", newline)

    assert _shape(tree.read(raw, LIMITS)) == _shape(lenient.read(raw, LIMITS))


LINES = [
    b"Content-Type: multipart/mixed; boundary=b",
    b"Content-Type: multipart/digest; boundary=bb",
    b"Content-Type: message/rfc822",
    b"",
    b"--b",
    b"--b ",
    b"--bb",
    b"--b--",
    b"--bb--",
    b" folded",
    b"text",
    b"A: b",
]


@given(st.lists(st.sampled_from(LINES), max_size=25), st.sampled_from([b"\r\n", b"\n"]))
@example([LINES[0], b"", b"text", b"--b--"], b"\r\n")  # closed before it began
def test_both_readings_of_any_lines_agree(lines: list[bytes], newline: bytes) -> None:
    raw = b"A: b" + newline + newline.join(lines)

    assert _shape(tree.read(raw, LIMITS)) == _shape(lenient.read(raw, LIMITS))


def test_nested_message_is_one_leaf_with_its_bytes() -> None:
    root = tree.read(sample("forwarded"), LIMITS)

    inner = root.children[1]
    assert inner.media_type == "message/rfc822"
    assert inner.body.startswith(b"From: shop@example.net\r\n")
    assert not inner.children


@pytest.mark.parametrize("closed", [True, False])
def test_too_many_multiparts_exceed_the_limit(closed: bool) -> None:
    lines = [b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n"]
    opening = b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n"
    lines += [opening % (i, i + 1) for i in range(60)]
    if closed:
        lines += [b"--b60\r\n\r\nx\r\n"] + [b"--b%d--\r\n" % i for i in range(60, -1, -1)]

    with pytest.raises(LimitExceeded):
        tree.read(b"".join(lines), LIMITS)

"""How fast a message is read, beside mail-parser on the same bytes, and how time grows with size.

python bench/parse.py [PATH ...]        messages to compare besides the one made here
"""

from __future__ import annotations

import base64
import logging
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mailparser  # type: ignore[import-untyped]  # it ships no types

from inboxkit.parsing import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = 400
SIZES_MB = (0.25, 1, 4, 16, 24)

_RECEIVED = """\
Received: from {n}.relay.example.net ({n}.relay.example.net [192.0.2.{n}])
\tby mx{n}.example.org (Postfix) with ESMTPS id 4Tq{n}Xk1Zz9z3q
\tfor <support@inbox.example>; Tue, 14 May 2024 09:12:0{n} +0000 (UTC)
"""
_HEADERS = """\
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=mail;
\th=from:to:subject:date:message-id; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
\tb=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZVoG4ZHRNiYzR
From: =?UTF-8?Q?Ana_Mu=C3=B1oz?= <ana.munoz@example.com>
To: Support <support@inbox.example>
Subject: =?UTF-8?Q?The_caf=C3=A9_machine_arrived_without_its_lid?=
Date: Tue, 14 May 2024 11:12:01 +0200
Message-ID: <CAJ9fZ+3q1w@mail.example.com>
In-Reply-To: <order-5521@inbox.example>
References: <order-5519@inbox.example> <order-5521@inbox.example>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="000000000000c1f2a506186a1b2c"
"""
_PARAGRAPHS = (
    "Hello, the parcel came this morning, thank you. The machine looks fine and it works, but the "
    "lid of the water tank is missing.",
    "I have looked through the whole box twice and also under the foam. Your page says that parts "
    "can be sent on their own; is that so for the lid too?",
    "We open again on Thursday, so it would be good to have it by then. If you need a picture of "
    "the box or the number on the label, just tell me.",
    "You can see the model here: https://shop.example/machines/ristretto-2 and the order is {n}.",
    "One more thing: the invoice in the box names our old street. The new one is 14 Harbour Road, "
    "and the tax office will want it to be right. Would you send it once more, by mail if you can?",
    "The people at the counter next door have the same machine and say that the seal wears out in "
    "a year. If that is so, put two of them into the parcel and add them to the bill.",
    "Kind regards",
    "Ana",
)
_LINK = '<a href="https://shop.example/machines/ristretto-2">shop.example/machines/ristretto-2</a>'


def ordinary(n: int) -> bytes:
    """Return a message as people send them: four hops, text and HTML, between 4 and 5 kB.

    ``n`` makes it another one, so that nothing kept from the last helps with the next.
    """
    paragraphs = [paragraph.format(n=n) for paragraph in _PARAGRAPHS]
    text = "\n\n".join(paragraphs)
    rows = "".join(
        f'<div style="font-family:arial,sans-serif;font-size:14px">{line}</div><div><br></div>\n'
        for line in paragraphs
    ).replace("https://shop.example/machines/ristretto-2", _LINK)
    parts = (
        '--000000000000c1f2a506186a1b2c\nContent-Type: text/plain; charset="UTF-8"\n'
        f"Content-Transfer-Encoding: quoted-printable\n\n{text}\n"
        '--000000000000c1f2a506186a1b2c\nContent-Type: text/html; charset="UTF-8"\n'
        f'Content-Transfer-Encoding: 7bit\n\n<div dir="ltr">{rows}</div>\n'
        "--000000000000c1f2a506186a1b2c--\n"
    )
    received = "".join(_RECEIVED.format(n=n) for n in (4, 3, 2, 1))
    return f"{received}{_HEADERS}\n{parts}".replace("\n", "\r\n").encode()


def large(megabytes: float) -> bytes:
    """Return a message with a base64 attachment of about that size."""
    line = base64.b64encode(bytes(range(57))) + b"\r\n"
    body = line * int(megabytes * 1024 * 1024 / len(line))
    head = (
        b"From: a@example.com\r\nTo: b@example.com\r\nSubject: large\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee the file.\r\n--b\r\n"
        b"Content-Type: application/octet-stream; name=f.bin\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return head + body + b"\r\n--b--\r\n"


def seconds(step: Callable[[], object]) -> float:
    """Return how long a step takes."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


_theirs: Any = mailparser  # it has no types


def compare(messages: Sequence[bytes]) -> tuple[float, float]:
    """Return the median times in ms of ours and of mail-parser's, run in turns."""
    ours: list[float] = []
    theirs: list[float] = []
    for raw in messages:
        ours.append(seconds(lambda raw=raw: parse(raw)))
        theirs.append(seconds(lambda raw=raw: _theirs.parse_from_bytes(raw)))
    return statistics.median(ours) * 1e3, statistics.median(theirs) * 1e3


def main(paths: list[str]) -> None:
    """Print the comparison and the growth."""
    logging.disable(logging.CRITICAL)  # mail-parser reports parts it does not know
    samples = {"ordinary": [ordinary(5_000 + n) for n in range(ROUNDS)]}
    for path in map(Path, paths):
        samples[path.name] = [path.read_bytes()] * 20
    print(f"{'message':30} {'bytes':>8} {'ours ms':>9} {'mail-parser ms':>15} {'ratio':>6}")
    for name, messages in samples.items():
        ours, theirs = compare(messages)
        print(f"{name:30} {len(messages[0]):8} {ours:9.3f} {theirs:15.3f} {theirs / ours:5.2f}x")
    print(f"\n{'MB':>6} {'seconds':>8} {'ms a MB':>8}")
    for size in SIZES_MB:
        raw = large(size)
        taken = min(seconds(lambda raw=raw: parse(raw)) for _ in range(2))
        print(f"{len(raw) / 2**20:6.2f} {taken:8.3f} {taken * 1e3 / (len(raw) / 2**20):8.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])

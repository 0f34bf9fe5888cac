"""Fills a database through the store's own code, as fast as that goes: accepted, placed, indexed.

Each mail differs in words, people and threads; only the parser is not asked again for each of them.
Words are as frequent as in a language (Zipf), inboxes as busy as users are: few get most.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inboxkit.parsing import parse
from inboxkit.parsing.model import Headers, Reply
from inboxkit.store import arrivals, inboxes, jobs, readings, unread
from inboxkit.store.arrivals import Arrival, dedupe_key
from inboxkit.store.unread import Reading
from inboxkit.tokens import new_id
from inboxkit.values import Address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxkit.parsing.model import ParsedMessage
    from inboxkit.store.inboxes import InboxRecord
    from inboxkit.store.leased import Job
    from inboxkit.store.store import Store
    from inboxkit.store.unread import Stored

INBOXES = 200
GROUP = 512
_WORDS, _SENTENCES, _SENTENCE_WORDS, _SENTENCES_A_MAIL = 30_000, 20_000, 12, 6
_PEOPLE = 5_000
_REPLIES = 0.6
_RECENT = 64  # what a reply answers is among so many newest mails of its inbox
_YEAR_OF_SECONDS = 365 * 24 * 3600
_SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ai", "or")]
_MAIL = """\
Return-Path: <{sender}>
Received: from mx.example.net (mx.example.net [192.0.2.7]) by mail.example.com with ESMTPS;
 Sat, 21 Nov 2026 10:00:00 +0000
From: {name} <{sender}>
To: {inbox}
Subject: {subject}
Date: Sat, 21 Nov 2026 10:00:00 +0000
Message-ID: {message_id}
{references}MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

{text}
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that was made up, as bytes and as what the parser says of such bytes."""

    inbox: InboxRecord
    raw: bytes
    parsed: ParsedMessage


def vocabulary(rng: random.Random) -> list[str]:
    """Return words of two to four syllables, the most frequent first."""
    words: dict[str, None] = {}
    while len(words) < _WORDS:
        words["".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4)))] = None
    return list(words)


class Letters:
    """Makes up mails without end; the same ones for the same ``seed``."""

    def __init__(self, boxes: Sequence[InboxRecord], seed: int) -> None:
        self._rng = random.Random(seed)
        self._sentences = _sentences()
        self._boxes = boxes
        self._busy = list(itertools.accumulate(1 / (n + 1) for n in range(len(boxes))))
        self._recent: dict[int, list[ParsedMessage]] = {box.id: [] for box in boxes}
        self._seed = seed
        self._number = 0

    def take(self, count: int) -> list[Letter]:
        """Return the next mails."""
        boxes = self._rng.choices(self._boxes, cum_weights=self._busy, k=count)
        return [self._letter(box) for box in boxes]

    def _letter(self, box: InboxRecord) -> Letter:
        self._number += 1
        recent = self._recent[box.id]
        parent = self._rng.choice(recent) if recent and self._rng.random() < _REPLIES else None
        sentences = self._rng.choices(self._sentences, k=_SENTENCES_A_MAIL)
        text = ".\n".join([*sentences, f"Order {order(self._seed, self._number)}"])
        person = self._rng.randrange(_PEOPLE)
        sender = Address(f"person{person}@example{person % 50}.org", f"Person {person}")
        message_id = f"<{self._seed}.{self._number}@example.org>"
        raw, parsed = _written(box, sender, message_id, sentences[0][:40], text, parent)
        recent.append(parsed)
        del recent[:-_RECENT]
        return Letter(box, raw, parsed)


def order(seed: int, number: int) -> str:
    """Return the one word that only this mail holds."""
    return f"n{seed}x{number}"


def _sentences() -> list[str]:
    rng = random.Random(2)
    words = vocabulary(rng)
    weights = list(itertools.accumulate(1 / (n + 10) for n in range(_WORDS)))
    return [
        " ".join(rng.choices(words, cum_weights=weights, k=_SENTENCE_WORDS))
        for _ in range(_SENTENCES)
    ]


def _written(
    box: InboxRecord,
    sender: Address,
    message_id: str,
    subject: str,
    text: str,
    parent: ParsedMessage | None,
) -> tuple[bytes, ParsedMessage]:
    """Return a mail's bytes, and what the parser would say of them."""
    cited = () if parent is None else (*parent.references[-8:], parent.message_id)
    subject = subject if parent is None else f"Re: {parent.subject.removeprefix('Re: ')}"
    lines = f"In-Reply-To: {cited[-1]}\nReferences: {' '.join(cited)}\n" if cited else ""
    raw = _MAIL.format(
        sender=sender.email,
        name=sender.name,
        inbox=box.address,
        subject=subject,
        message_id=message_id,
        references=lines,
        text=text,
    ).encode()
    fields = {"Message-ID": message_id, "Subject": subject, "From": str(sender), "To": box.address}
    parsed = replace(
        _TEMPLATE,
        headers=Headers(tuple((n, fields.get(n, v)) for n, v in _TEMPLATE.headers)),
        message_id=message_id,
        in_reply_to=cited[-1] if cited else "",
        references=cited,
        subject=subject,
        senders=(sender,),
        to=(Address(box.address),),
        text=text,
        visible_text=text,
        reply=Reply(text),
        size=len(raw),
    )
    return raw, parsed


_TEMPLATE = parse(
    _MAIL.format(
        sender="ann@example.com",
        name="Ann",
        inbox="a@inbox.example",
        subject="Size",
        message_id="<a@example.com>",
        references="",
        text="Which size?",
    ).encode()
)


async def make_inboxes(store: Store, count: int = INBOXES) -> list[InboxRecord]:
    """Return the inboxes that mail is for, the busiest first; made if they are not there."""
    now = store.clock.now()
    addresses = [f"box{number}@inbox.example" for number in range(count)]
    return [await store.write(inboxes.create, address, now=now) for address in addresses]


async def grow(store: Store, letters: Letters, count: int, *, begun: datetime) -> None:
    """Store a group of mails and read them; ``begun`` is when the first of them came."""
    made = letters.take(count)
    rows = [_arrival(store, letter, begun + timedelta(seconds=n)) for n, letter in enumerate(made)]
    await store.write(arrivals.accept, [(row,) for row in rows])
    parsed = {row.id: letter for row, letter in zip(rows, made, strict=True)}
    start = 0
    while parsed:
        taken = await store.write_lightly(
            jobs.claim, "read", worker=store.worker_id, now=_LATE, limit=count, start=start
        )
        start = jobs.last_in_turn(taken, start)
        known = await store.read(unread.unread, [int(job.key) for job in taken])
        await store.write(
            readings.record,
            [
                _reading(store, job, known[int(job.key)], parsed.pop(int(job.key), None))
                for job in taken
            ],
        )


_LATE = datetime(9999, 1, 1, tzinfo=UTC)


def _arrival(store: Store, letter: Letter, at: datetime) -> Arrival:
    sha256 = hashlib.sha256(letter.raw).hexdigest()
    return Arrival(
        id=new_id(),
        inbox_id=letter.inbox.id,
        received_at=at,
        mail_from=letter.parsed.sender.email,
        rcpt_to=(letter.inbox.address,),
        packed=store.blobs.pack(letter.raw),
        size=len(letter.raw),
        sha256=sha256,
        message_id=letter.parsed.message_id,
        dedupe=dedupe_key(letter.parsed.message_id, sha256),
        silent=True,
    )


def _reading(store: Store, job: Job, item: Stored, letter: Letter | None) -> Reading:
    """Return what was read; without a letter it is one that an ended run has left."""
    return Reading(
        stored=item,
        parsed=parse(store.blobs.unpack(item.packed)) if letter is None else letter.parsed,
        auth={},
        own=() if letter is None else (letter.inbox.address,),
        token_row=None,
        job=job,
        now=store.clock.now(),
    )

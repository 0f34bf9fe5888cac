"""An inbox in memory, and a small correspondence of our own words to fill it with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inboxkit.quotations import quotation_marks
from inboxkit.subjects import base_subject, is_reply_subject
from inboxkit.thread_index import index_root, thread_index_child, thread_index_root
from inboxkit.threads import Clues, Decision, Known, ThreadCard, decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

START = datetime(2024, 5, 1, 9, tzinfo=UTC)
US = "desk@shop.example"
ANN = "ann@home.example"
BOB = "bob@work.example"
EVE = "eve@far.example"
LIST = "garden@lists.example"
INDEX = thread_index_root(b"pump", START)


@dataclass
class Shelf:
    """What the inbox in memory keeps of a thread."""

    card: ThreadCard
    roots: set[str] = field(default_factory=set[str])
    names: set[str] = field(default_factory=set[str])


class Inbox:
    """A Lookup over dictionaries that stores what ``decide`` says, as the real store does."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.shelves: dict[int, Shelf] = {}
        self.rows = 0

    def by_ids(self, ids: Sequence[str]) -> Mapping[str, Known]:
        return {i: self.known[i] for i in ids if i in self.known}

    def by_index(self, root: str) -> Sequence[ThreadCard]:
        return [s.card for s in self.shelves.values() if root in s.roots]

    def by_subject(self, base: str, since: datetime) -> Sequence[ThreadCard]:
        cards = (shelf.card for shelf in self.shelves.values())
        return [card for card in cards if card.base == base and card.last_at >= since]

    def orphans(self, base: str, since: datetime) -> Sequence[ThreadCard]:
        return [card for card in self.by_subject(base, since) if card.orphan]

    def card(self, thread: int) -> ThreadCard:
        return self.shelves[thread].card

    def receive(self, clues: Clues, name: str = "") -> Decision:
        decision = decide(clues, self)
        self._put(clues, decision, name, is_ours=False)
        return decision

    def send(self, clues: Clues, thread: int | None = None) -> int:
        """Store a mail of ours; return its row."""
        self._put(clues, Decision(thread, "sent"), "", is_ours=True)
        return self.rows

    def partition(self) -> set[frozenset[str]]:
        return {frozenset(shelf.names) for shelf in self.shelves.values()}

    def _put(self, clues: Clues, decision: Decision, name: str, *, is_ours: bool) -> None:
        self.rows += 1
        base = base_subject(clues.subject)
        thread = decision.thread or self.rows
        shelf = self.shelves.setdefault(
            thread, Shelf(ThreadCard(thread, frozenset(), clues.received_at, base=base))
        )
        for loser in decision.merge:
            self._merge(shelf, self.shelves.pop(loser))
        shelf.names.add(name)
        shelf.roots |= {index_root(clues.thread_index)} - {""}
        people = clues.recipients | {clues.sender} if decision.participant else frozenset[str]()
        shelf.card = replace(
            shelf.card,
            participants=shelf.card.participants | people,
            last_at=max(shelf.card.last_at, clues.received_at),
            last_message=self.rows,
            last_outbound=self.rows if is_ours else shelf.card.last_outbound,
            own=shelf.card.own | set(clues.own),
            quoted=shelf.card.quoted | set(clues.quoted),
            orphan=shelf.card.orphan or decision.orphan,
            base=base if decision.is_root else shelf.card.base,
        )
        self.known[clues.message_id] = Known(thread, self.rows, is_ours)
        self.known |= {ghost: Known(thread, None) for ghost in decision.ghosts}

    def _merge(self, shelf: Shelf, loser: Shelf) -> None:
        shelf.roots |= loser.roots
        shelf.names |= loser.names
        shelf.card = replace(
            shelf.card,
            participants=shelf.card.participants | loser.card.participants,
            own=shelf.card.own | loser.card.own,
            quoted=shelf.card.quoted | loser.card.quoted,
            orphan=shelf.card.orphan or loser.card.orphan,
        )
        winner, gone = shelf.card.thread, loser.card.thread
        self.known |= {
            i: replace(k, thread=winner) for i, k in self.known.items() if k.thread == gone
        }


def mail(
    name: str,
    sender: str = ANN,
    *,
    to: Iterable[str] = (US,),
    subject: str = "Re: The pump in the cellar leaks",
    answers: str = "",
    cites: str = "",
    text: str = "",
    hours: float = 0,
    index: str = "",
) -> Clues:
    """Make the clues of a mail; ids are given by their short names."""
    new = "\n".join(line for line in text.splitlines() if not line.startswith(">"))
    own, quoted = quotation_marks(text, new, is_reply=is_reply_subject(subject))
    return Clues(
        message_id=rfc_id(name),
        sender=sender,
        recipients=frozenset(to),
        subject=subject,
        in_reply_to=rfc_id(answers) if answers else "",
        references=tuple(map(rfc_id, cites.split())),
        thread_index=index,
        received_at=START + timedelta(hours=hours),
        inbox=frozenset({US}),
        own=own,
        quoted=quoted,
    )


def rfc_id(name: str) -> str:
    return f"<{name}@mail.example>"


def sent(name: str, to: str = ANN, subject: str = "The pump in the cellar leaks") -> Clues:
    text = "We can send somebody on Tuesday morning. Would half past eight suit you?"
    return mail(name, US, to=(to,), subject=subject, text=text)


ASKS = "How deep do you plant garlic in heavy clay soil? Mine drowned last winter."
# Each: the thread it truly belongs to, and the mail.
CORRESPONDENCE = [
    (1, mail("g1", ANN, to=(LIST,), subject="[garden] Garlic in clay soil", text=ASKS)),
    (1, mail("g2", BOB, to=(LIST,), subject="Re: [garden] Garlic in clay soil", answers="g1")),
    (1, mail("g3", EVE, to=(LIST,), subject="AW: Garlic in clay soil", cites="g1 g2", hours=2)),
    (1, mail("g4", ANN, to=(LIST,), subject="Re: [garden] Garlic in clay soil", hours=3)),
    (  # the archive cut the prefix; only the quotation tells
        1,
        mail(
            "g5",
            BOB,
            to=(LIST,),
            subject="[garden] Garlic in clay soil",
            text="> How deep do you plant garlic in\n> heavy clay soil?\n\nTwo fingers.",
            hours=4,
        ),
    ),
    (2, mail("s1", BOB, to=(LIST,), subject="[garden] Slugs again and again", hours=5)),
    (3, mail("s2", EVE, to=(LIST,), subject="[garden] Slugs again and again", hours=6)),
    (4, mail("w1", BOB, to=(LIST,), subject="Re: Watering at noon", answers="gone", hours=7)),
    (4, mail("w2", ANN, to=(LIST,), subject="Re: Watering at noon", cites="root gone", hours=8)),
    (4, mail("w3", EVE, to=(LIST,), subject="Watering in the evening", cites="root", hours=9)),
    (5, mail("o1", BOB, to=(LIST,), subject="The old pump", index=INDEX, hours=10)),
    (
        5,
        mail(
            "o2",
            EVE,
            to=(LIST,),
            subject="RE: The old pump",
            index=thread_index_child(INDEX, START),
            hours=11,
        ),
    ),
    (6, mail("l1", ANN, to=(LIST,), subject="Loop of two", cites="l2", hours=12)),
    (6, mail("l2", BOB, to=(LIST,), subject="Loop of two", cites="l1 l2", hours=13)),
]
TRUTH = {
    frozenset(c.message_id for t, c in CORRESPONDENCE if t == thread)
    for thread, _ in CORRESPONDENCE
}


def arrive(mails: Iterable[Clues]) -> Inbox:
    inbox = Inbox()
    for clues in mails:
        inbox.receive(clues, clues.message_id)
    return inbox

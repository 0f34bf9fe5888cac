"""Which thread a message belongs to: an inbox in memory, and a small correspondence of our own."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    bases: set[str] = field(default_factory=set[str])
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
        alive = (s for s in self.shelves.values() if s.card.last_at >= since)
        return [s.card for s in alive if base in s.bases]

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
        shelf.bases.add(base)
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
        )
        self.known[clues.message_id] = Known(thread, self.rows, is_ours)
        self.known |= {ghost: Known(thread, None) for ghost in decision.ghosts}

    def _merge(self, shelf: Shelf, loser: Shelf) -> None:
        shelf.bases |= loser.bases
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


def test_correspondence_falls_into_its_threads() -> None:
    assert arrive(clues for _, clues in CORRESPONDENCE).partition() == TRUTH


@pytest.mark.parametrize("seed", range(8))
def test_mail_linked_by_ids_index_or_quotes_threads_in_any_order(seed: int) -> None:
    mails = [clues for _, clues in CORRESPONDENCE if clues.message_id != rfc_id("g4")]
    random.Random(seed).shuffle(mails)

    found = arrive(mails).partition()

    assert found == {thread - {rfc_id("g4")} for thread in TRUTH}


@pytest.mark.parametrize(
    ("clues", "reason"),
    [
        (replace(mail("x"), token_thread=Known(1, 1, True)), "token"),
        (mail("x", answers="ours", cites="ours"), "in_reply_to"),
        (mail("x", answers="nobody", cites="ours nobody"), "references"),
        (mail("x", EVE, answers="learned"), "alias"),
        (mail("cited", subject="Something else"), "own_id"),
        (mail("x", BOB, index=thread_index_child(INDEX, START)), "thread_index"),
        (mail("x", BOB, text="> We can send somebody on Tuesday morning."), "quoted"),
        (mail("x", subject="Aw: the PUMP in the cellar  leaks"), "subject"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_clue_leads_to_the_thread_and_is_named(clues: Clues, reason: str) -> None:
    inbox = Inbox()
    inbox.send(replace(sent("ours"), thread_index=INDEX))
    inbox.known[rfc_id("learned")] = Known(1, 1, outbound=True, alias=True)
    inbox.known[rfc_id("cited")] = Known(1, None)

    decision = decide(clues, inbox)

    assert (decision.thread, decision.reason.split()[0]) == (1, reason)


@pytest.mark.parametrize(
    "cited",
    [
        "<0100-aB@email.amazonses.com>",
        "<0100-aB@eu-west-1.amazonses.com>",
        "<0100-aB@geo-ismtpd-1>",
    ],
)
def test_provider_id_without_domain_is_found_under_any_of_its_hosts(cited: str) -> None:
    inbox = Inbox()
    inbox.send(sent("ours"))
    inbox.known["0100-aB"] = Known(1, 1, outbound=True, alias=True)

    decision = decide(replace(mail("x"), in_reply_to=cited), inbox)

    assert (decision.thread, decision.answers) == (1, 1)


def test_first_mail_begins_a_thread_and_its_sender_takes_part() -> None:
    decision = decide(mail("x", subject="Hello", cites="nobody"), Inbox())

    assert decision == Decision(None, "new", ghosts=(rfc_id("nobody"),))


@pytest.mark.parametrize(
    ("clues", "participant"),
    [
        (mail("x", ANN, answers="ours"), True),
        (mail("x", EVE, answers="ours"), False),
        (replace(mail("x", ANN), token_thread=Known(1, 1, True)), True),
        (replace(mail("x", EVE), token_thread=Known(1, 1, True)), False),
    ],
    ids=["known, id", "stranger, id", "known, token", "stranger, token"],
)
def test_stranger_is_marked_whatever_he_knows(clues: Clues, participant: bool) -> None:
    inbox = Inbox()
    inbox.send(sent("ours"))

    decision = decide(clues, inbox)

    assert (decision.thread, decision.participant) == (1, participant)


def test_stranger_leaves_no_ids_behind_in_a_private_thread() -> None:
    inbox = Inbox()
    inbox.send(sent("ours"))

    assert decide(mail("x", EVE, answers="ours", cites="trap"), inbox).ghosts == ()
    assert decide(mail("y", ANN, answers="ours", cites="fine"), inbox).ghosts == (rfc_id("fine"),)


def test_second_mail_of_a_stranger_is_still_a_strangers() -> None:
    inbox = Inbox()
    inbox.send(sent("ours"))
    inbox.receive(mail("x", EVE, answers="ours"))

    assert not inbox.receive(mail("y", EVE, answers="x")).participant


@pytest.mark.parametrize(
    ("sender", "merge"), [(ANN, (2,)), (EVE, ()), (BOB, ())], ids=["of both", "of none", "of one"]
)
def test_only_a_participant_of_both_merges_threads_we_wrote_in(
    sender: str, merge: tuple[int, ...]
) -> None:
    inbox = Inbox()
    inbox.send(sent("one"))
    inbox.send(replace(sent("two", subject="Invoice 12"), recipients=frozenset({ANN, BOB})))

    decision = decide(mail("x", sender, answers="one", cites="two one"), inbox)

    assert (decision.thread, decision.merge) == (1, merge)


def test_stranger_cannot_draw_a_private_thread_into_his_own() -> None:
    inbox = Inbox()
    inbox.send(sent("ours"))
    inbox.receive(mail("trap", EVE, subject="A trap"))

    decision = decide(mail("x", EVE, answers="trap", cites="ours trap"), inbox)

    assert (decision.thread, decision.merge) == (2, ())


def test_mail_of_a_list_merges_what_its_references_join() -> None:
    inbox = arrive([mail("a", subject="A"), mail("b", BOB, subject="B")])

    decision = decide(mail("x", EVE, cites="a b"), inbox)

    assert (decision.thread, decision.merge) == (1, (2,))


def test_thread_we_wrote_in_survives_a_merge() -> None:
    inbox = arrive([mail("a", subject="A")])
    inbox.send(sent("ours"))

    decision = decide(mail("x", ANN, answers="a", cites="ours a"), inbox)

    assert (decision.thread, decision.merge) == (2, (1,))


@pytest.mark.parametrize(
    ("clues", "answers"),
    [
        (mail("x", answers="first", cites="first second"), 1),
        (mail("x", cites="first second"), 2),
        (mail("x", answers="inbound", cites="first second inbound"), 2),
        (mail("x", answers="inbound"), None),
        (replace(mail("x", answers="second"), token_thread=Known(1, 1, True)), 1),
        (mail("x"), 2),
    ],
    ids=["in-reply-to", "last reference", "an own mail", "own only", "token", "by subject"],
)
def test_answers_names_the_nearest_mail_of_ours(clues: Clues, answers: int | None) -> None:
    inbox = Inbox()
    inbox.send(sent("first"))
    inbox.send(sent("second"), thread=1)
    inbox.receive(mail("inbound", answers="first"))

    assert decide(clues, inbox).answers == answers


FITS = mail("x", BOB, to=(LIST,), subject="Re: Roses and lavender", hours=1)


@pytest.mark.parametrize(
    ("clues", "thread"),
    [
        (FITS, 1),
        (replace(FITS, subject="Roses and lavender"), None),
        (replace(FITS, subject="Fwd: Roses and lavender"), None),
        (replace(FITS, recipients=frozenset({US})), None),
        (replace(FITS, received_at=START + timedelta(days=40)), None),
        (replace(FITS, in_reply_to=rfc_id("nobody")), None),
        (replace(FITS, thread_index=INDEX), None),
        (replace(FITS, subject="Re: Re: Roses and lavender"), None),
        (replace(FITS, subject="Re: Roses"), None),
        (replace(FITS, subject="Re: Twice the same"), None),
    ],
    ids=[
        "fits",
        "no prefix",
        "forward",
        "only we in common",
        "too late",
        "answers what we never saw",
        "other index",
        "stacked prefix",
        "short",
        "two candidates",
    ],
)
def test_subject_alone_joins_only_under_its_guards(clues: Clues, thread: int | None) -> None:
    subjects = ["Roses and lavender", "Roses", "Twice the same", "Twice the same"]
    inbox = arrive(mail(f"m{n}", ANN, to=(LIST, US), subject=s) for n, s in enumerate(subjects))

    assert decide(clues, inbox).thread == thread


@pytest.mark.parametrize(
    ("clues", "thread"),
    [
        (mail("x", ANN, subject="Re: Size?"), 1),
        (mail("x", EVE, subject="Re: Size?"), None),
        (mail("x", ANN, subject="Re: Size?", answers="nobody"), None),
    ],
    ids=["asked", "stranger", "answers other mail"],
)
def test_short_subject_is_enough_from_the_person_we_asked(clues: Clues, thread: int | None) -> None:
    inbox = Inbox()
    inbox.send(sent("ours", subject="Size?"))

    assert decide(clues, inbox).thread == thread


def test_index_with_a_new_subject_is_another_conversation() -> None:
    inbox = arrive([mail("a", subject="The old pump", index=INDEX)])

    assert decide(mail("x", subject="RE: Lunch", index=INDEX), inbox).thread is None


def test_nearest_quotation_decides_between_threads_of_one_subject() -> None:
    subject = "Re: Weekly meeting notes"
    first = "The budget for the new greenhouse was put off until autumn"
    second = "We hired two more gardeners for the summer months"
    inbox = arrive(
        [
            mail("a", ANN, to=(LIST,), subject="Weekly meeting notes", text=f"{first}."),
            mail("b", BOB, to=(LIST,), subject="Weekly meeting notes", text=f"{second}."),
        ]
    )
    text = f">> {first}\n> {second}\n"

    assert decide(mail("x", EVE, to=(LIST,), subject=subject, text=text), inbox).thread == 2


def test_many_references_cost_one_lookup_of_bounded_size() -> None:
    inbox = arrive([mail("root", subject="A"), mail("last", subject="B")])
    many = " ".join(["root", *(f"n{i}" for i in range(5_000)), "last"])

    decision = decide(mail("x", cites=many), inbox)

    assert (decision.thread, decision.merge, len(decision.ghosts)) == (1, (2,), 126)


WORDS = st.text(max_size=30) | st.sampled_from(["<ours@mail.example>", "Re: ", INDEX, "<", "a@b"])


@given(
    st.builds(
        Clues,
        received_at=st.just(START),
        sender=WORDS,
        recipients=st.frozensets(WORDS),
        subject=WORDS,
        message_id=WORDS,
        in_reply_to=WORDS,
        references=st.lists(WORDS).map(tuple),
        thread_index=WORDS,
        own=st.lists(WORDS).map(tuple),
        quoted=st.lists(WORDS).map(tuple),
    )
)
def test_no_clue_makes_it_raise(clues: Clues) -> None:
    inbox = Inbox()
    inbox.send(sent("ours"))

    decision = decide(clues, inbox)

    assert (decision.thread is None) == (decision.reason == "new")

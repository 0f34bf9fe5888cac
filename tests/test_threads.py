"""Which thread a message belongs to, and who may bring threads together."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.thread_index import thread_index_child
from inboxkit.threads import Clues, Decision, Known, decide

from .correspondence import (
    ANN,
    BOB,
    CORRESPONDENCE,
    EVE,
    INDEX,
    LIST,
    START,
    TRUTH,
    US,
    Inbox,
    arrive,
    mail,
    rfc_id,
    sent,
)


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
        "<0100-aB@wrqvwxzv.ismtpd-2>",
        "<0100-aB@mail.sendgrid.net>",
        "<7be02ae4-1f5b-4ae5-9b5f-f8e5e2c3a001@mtasv.net>",
        "<7BE02AE4-1F5B-4AE5-9B5F-F8E5E2C3A001@pm.shop.example>",
    ],
)
def test_provider_id_without_domain_is_found_under_any_of_its_hosts(cited: str) -> None:
    inbox = Inbox()
    inbox.send(sent("ours"))
    local = cited.strip("<").partition("@")[0]
    inbox.known[local] = Known(1, 1, outbound=True, alias=True)

    decision = decide(replace(mail("x"), in_reply_to=cited), inbox)

    assert (decision.thread, decision.reason) == (1, f"alias {cited}")


@pytest.mark.parametrize(
    "local",
    [
        "0100-aB",
        "7be02ae4-1f5b-4ae5-9b5f-f8e5e2c3a0",
        "7be02ae4-1f5b-4ae5-9b5f-f8e5e2c3a00g",
        "-" * 36,
        "x" * 36,
    ],
)
def test_local_part_of_an_ordinary_id_is_not_looked_up(local: str) -> None:
    inbox = Inbox()
    inbox.send(sent("ours"))
    inbox.known[local] = Known(1, 1, outbound=True, alias=True)

    decision = decide(replace(mail("x"), in_reply_to=f"<{local}@mail.example>"), inbox)

    assert "alias" not in decision.reason


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


def test_mail_that_cites_itself_cites_nothing() -> None:
    assert decide(mail("x", subject="Hello", cites="x"), Inbox()) == Decision(None, "new")


def test_copy_of_a_mail_we_have_stays_in_its_thread() -> None:
    inbox = Inbox()
    inbox.send(sent("ours"))

    decision = decide(mail("ours", EVE, subject="Something else"), inbox)

    assert (decision.thread, decision.participant, decision.answers) == (1, False, None)


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


def test_late_parent_gives_the_thread_its_subject() -> None:
    inbox = arrive([mail("b", subject="Re: Renamed", answers="a"), mail("a", subject="Garlic")])

    assert inbox.card(1).base == "garlic"


def test_stranger_answers_only_what_stands_in_the_thread_he_joins() -> None:
    inbox = Inbox()
    inbox.receive(mail("trap", EVE, subject="A trap"))
    inbox.send(sent("ours"))

    assert decide(mail("x", EVE, answers="trap", cites="ours"), inbox).answers is None


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


def test_mail_between_two_threads_joins_them_and_is_the_root_of_neither() -> None:
    inbox = arrive([mail("a", ANN, subject="Garlic"), mail("c", BOB, subject="x", answers="b")])
    decision = decide(mail("b", EVE, subject="Re: Garlic", answers="a"), inbox)

    assert (decision.thread, decision.merge, decision.is_root) == (1, (2,), False)


@pytest.mark.parametrize(
    ("clues", "orphan"),
    [
        (mail("x", BOB, subject="Re: Garlic"), True),
        (mail("x", BOB, subject="Garlic"), False),
        (mail("x", BOB, subject="Re: Garlic", answers="nobody"), False),
        (FITS, False),
    ],
    ids=["names nothing", "no reply", "names a parent", "found its thread"],
)
def test_only_a_reply_that_names_nothing_waits_for_its_parent(clues: Clues, orphan: bool) -> None:
    inbox = arrive([mail("a", ANN, to=(LIST, US), subject="Roses and lavender")])

    assert decide(clues, inbox).orphan is orphan

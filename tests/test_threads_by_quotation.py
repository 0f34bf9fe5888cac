"""Which thread a message belongs to by what it quotes, and which it does not."""

from __future__ import annotations

from dataclasses import replace

from inboxkit.threads import Decision, decide

from .correspondence import ANN, ASKS, BOB, EVE, INDEX, LIST, US, Inbox, arrive, mail, sent


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


def test_quotation_of_a_list_counts_only_with_people_in_common() -> None:
    asks = mail("a", ANN, to=(LIST,), subject="Garlic", text=ASKS, hours=-1)
    answer = mail("x", EVE, to=(LIST,), subject="Garlic", text=f"> {ASKS}")
    inbox = arrive([asks])

    assert decide(answer, inbox).thread == 1
    assert decide(replace(answer, recipients=frozenset({US})), inbox).thread is None
    assert decide(replace(answer, thread_index=INDEX), inbox).thread is None


def test_quotation_of_ours_counts_from_anybody_but_marks_a_stranger() -> None:
    inbox = Inbox()
    inbox.send(sent("ours"))
    text = "> We can send somebody on Tuesday morning. Would half past eight suit you?"

    decision = decide(mail("x", EVE, text=text, answers="nobody"), inbox)

    assert (decision.thread, decision.answers, decision.participant) == (1, 1, False)


def test_late_parent_joins_the_answer_that_quotes_it_but_no_thread_we_wrote_in() -> None:
    answer = mail("b", BOB, to=(LIST,), subject="Re: Garlic", text=f"> {ASKS}\n\nDeep.")
    parent = mail("a", ANN, to=(LIST,), subject="Garlic", text=ASKS)
    inbox = arrive([answer])

    assert decide(parent, inbox) == Decision(1, "quoted", participant=False, is_root=True)
    assert decide(replace(parent, recipients=frozenset({US})), inbox).thread is None
    inbox.send(sent("ours"), thread=1)
    assert decide(parent, inbox).thread is None


def test_generations_that_come_in_reverse_find_each_other() -> None:
    child = mail("c", EVE, to=(LIST,), subject="Re: Garlic", answers="b")
    parent = mail("b", BOB, to=(LIST,), subject="Re: Garlic", text=f"> {ASKS}\n\nDeep.")
    root = mail("a", ANN, to=(LIST,), subject="Garlic", text=ASKS)

    assert len(arrive([child, parent, root]).shelves) == 1


def test_quotation_does_not_merge_a_thread_we_wrote_in() -> None:
    inbox = Inbox()
    inbox.send(sent("ours"))
    inbox.receive(mail("child", EVE, subject="Something else", answers="x"))
    text = "> We can send somebody on Tuesday morning. Would half past eight suit you?"

    assert decide(mail("x", ANN, text=text), inbox).merge == ()

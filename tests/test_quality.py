"""How well the content of mail is read: the figures of ``tests/corpus`` may rise, but not fall.

``python bench/quality.py tests/corpus`` prints them, and ``--misses`` what they are short of.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.scoring import kinds, mime, otp, reply, threads
from bench.scoring.figures import Counts, compared, token_f1
from inboxkit.values import Kind

CORPUS = Path(__file__).parent / "corpus"
THREADS = threads.load(CORPUS / "threads")


def test_mails_of_every_shape_are_read() -> None:
    mails = mime.load(CORPUS / "mime")

    score = mime.score(mails, mime.answer(mails))

    assert score.states == {"parsed": 60}
    assert [name for name, _ in score.reports] == ["delivery-status.eml"]
    assert score.subjects == (5, 5)


def test_new_words_of_replies() -> None:
    pairs = reply.load(CORPUS / "reply")

    score = reply.score(pairs, reply.answer(pairs))

    assert (score.pairs, score.failed) == (153, 0)
    assert score.exact >= 150
    assert score.f1 >= 0.99


def test_codes_and_links() -> None:
    mails = otp.load(CORPUS / "otp")

    score = otp.score(mails, otp.answer(mails))

    assert (score.without_code, score.without_link) == (688, 1088)
    assert (score.code_decoys, score.link_decoys) == ((), ())
    assert score.codes.precision == 1
    assert score.codes.recall >= 0.99
    assert (score.links.precision, score.links.recall) == (1, 1)


def test_delivery_reports_and_complaints() -> None:
    mails = kinds.load(CORPUS / "bounce")

    score = kinds.score(mails, kinds.answer(mails))

    assert score.right[Kind.BOUNCE] >= 74
    assert score.right[Kind.COMPLAINT] == score.total[Kind.COMPLAINT] == 4
    assert (score.recipients, score.entries) >= (88, 89)
    assert score.agreeing >= 83


def test_automatic_answers() -> None:
    mails = kinds.load_automatic(CORPUS / "autoreply")

    score = kinds.score(mails, kinds.answer(mails))

    assert (score.total[Kind.AUTO_REPLY], score.total[Kind.HUMAN]) == (108, 47)
    assert score.right[Kind.AUTO_REPLY] >= 106
    assert score.right[Kind.HUMAN] == 47


@pytest.mark.parametrize("mails", THREADS, ids=[mails.name for mails in THREADS])
def test_threads(mails: threads.Set) -> None:
    score = threads.score(mails, threads.answer(mails))

    assert score == Counts(right=38)


def test_lost_and_wrongly_joined_mails_count() -> None:
    mails = threads.Set("x", Path(), {"a": 1, "b": 1, "c": 1, "d": 2})

    assert threads.score(mails, {"a": "t", "b": "t", "d": "t"}) == Counts(1, 2, 2)


@pytest.mark.parametrize(
    ("expected", "found", "counts"),
    [
        ("1", "1", Counts(right=1)),
        ("1", "2", Counts(wrong=1, missed=1)),
        ("1", None, Counts(missed=1)),
        (None, "2", Counts(wrong=1)),
        (None, None, Counts()),
    ],
)
def test_wrong_value_is_a_false_answer_and_a_miss(
    expected: str | None, found: str | None, counts: Counts
) -> None:
    assert compared(expected, found) == counts


def test_rates() -> None:
    counts = Counts(right=3, wrong=1, missed=2)

    assert (counts.precision, counts.recall) == (0.75, 0.6)
    assert counts.f1 == pytest.approx(2 / 3)
    assert token_f1("the lid is here", "here is lid 7") == 0.75

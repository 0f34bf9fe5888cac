"""Reason classes: what the words and codes of a refusal mean, and which addresses are dead."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.reasons import codes, judge, phase

DEAD = {
    "550 5.1.1 <ann@x.example>: Recipient address rejected: User unknown": "user_unknown",
    "550 no such mailbox": "user_unknown",
    "550 5.4.1 Recipient address rejected: Access denied [mx.example]": "user_unknown",
    "554 delivery error: dd This user doesn't have an x.example account": "user_unknown",
    "550 Requested action not taken: mailbox unavailable": "user_unknown",
    "User ann (ann@x.example) not listed in Domino Directory": "user_unknown",
    "550 Benutzer nicht gefunden": "user_unknown",
    "550 5.1.1 Adresse d'au moins un destinataire invalide": "user_unknown",
    "550 El usuario no existe": "user_unknown",
    "550 utente sconosciuto": "user_unknown",
    "550 caixa postal inexistente": "user_unknown",
    "550 onbekende gebruiker": "user_unknown",
    "550 Nieznany adresat, skrzynka nie istnieje": "user_unknown",
    "550 пользователь не найден": "user_unknown",
    "550 宛先のユーザーは存在しません": "user_unknown",
    "550 收件人邮箱不存在": "user_unknown",
    "550 존재하지 않는 사용자": "user_unknown",
    "Host or domain name not found. Name service error for name=x.example": "host_unknown",
    "550 5.4.310 DNS domain x.example does not exist": "host_unknown",
    "Unrouteable address": "host_unknown",
    "550 el dominio no existe": "host_unknown",
    "551 User has moved; please try <ann@y.example>": "has_moved",
    "550 5.1.6 recipient no longer on server": "has_moved",
    "556 5.1.10 Domain does not accept mail (nullMX)": "not_accept",
}
ALIVE = {
    "552 5.2.2 Over quota": "mailbox_full",
    "550 5.1.1 The account that you tried to reach is over quota": "mailbox_full",
    "Das Postfach des Empfängers ist voll": "mailbox_full",
    "450 メールボックスの容量が超過しています": "mailbox_full",
    "452 4.3.1 Insufficient system storage": "system",
    "550 5.2.1 The email account that you tried to reach is disabled": "suspended",
    "554 inactive user": "suspended",
    "550 Le compte du destinataire est bloque": "suspended",
    "554 5.7.1 Client host [198.51.100.4] blocked using bl.example": "blocked",
    "550 5.7.25 The IP address has no PTR record": "blocked",
    "550 Missing reverse DNS for 198.51.100.4": "blocked",
    "421 4.7.1 Too many messages from your address, slow down": "rate_limited",
    "450 4.2.0 Recipient address rejected: Greylisted": "rate_limited",
    "552 5.3.4 Message exceeds maximum fixed size": "too_large",
    "554 rejected due to spam content": "spam",
    "554 Rejected: a virus was found in your attachment": "content",
    "550 5.7.26 Unauthenticated mail is not accepted due to the DMARC policy": "auth_failed",
    "550 5.7.26 Blocked as spam from a low reputation IP": "auth_failed",
    "553 sorry, that domain isn't in my list of allowed rcpthosts": "relay_denied",
    "550 5.7.1 Unable to relay for ann@x.example": "relay_denied",
    "553 5.1.8 Domain of sender address a@b.example does not exist": "sender_rejected",
    "550 Sender verify failed": "sender_rejected",
    "554 5.4.6 Too many hops": "network",
    "connect to mx.example[192.0.2.9]:25: Connection refused": "network",
    "550 4.4.7 QUEUE.Expired; message expired": "expired",
    "550 5.7.1 Message rejected by organization policy": "policy",
    "550 5.7.1 Access denied": "policy",
    "451 4.3.5 Server configuration problem": "system",
    "550 permanent failure": "other",
}
BY_STATUS = {
    "5.1.1": ("user_unknown", True),
    "5.1.2": ("host_unknown", True),
    "5.2.1": ("suspended", False),
    "5.2.2": ("mailbox_full", False),
    "5.7.1": ("policy", False),
    "5.0.0": ("other", False),
    "4.1.1": ("user_unknown", False),
    "4.4.7": ("expired", False),
}


@pytest.mark.parametrize(("text", "reason"), DEAD.items(), ids=DEAD)
def test_refusal_of_a_dead_address_is_hard(text: str, reason: str) -> None:
    verdict = judge(text)

    assert (verdict.reason, verdict.hard) == (reason, True)


@pytest.mark.parametrize(("text", "reason"), ALIVE.items(), ids=ALIVE)
def test_refusal_for_another_cause_is_soft_even_when_permanent(text: str, reason: str) -> None:
    verdict = judge(text)

    assert (verdict.reason, verdict.hard) == (reason, False)


@pytest.mark.parametrize(("status", "expected"), BY_STATUS.items(), ids=BY_STATUS)
def test_status_decides_when_there_are_no_words(status: str, expected: tuple[str, bool]) -> None:
    verdict = judge("", status=status)

    assert (verdict.reason, verdict.hard) == expected


def test_words_decide_before_the_status() -> None:
    assert judge("550 5.7.1 no such user here", status="5.7.1").reason == "user_unknown"


def test_temporary_refusal_of_an_unknown_user_is_soft() -> None:
    verdict = judge("450 4.1.1 <a@x.example>: user unknown in local recipient table")

    assert (verdict.reason, verdict.hard) == ("user_unknown", False)


def test_unknown_domain_at_mail_from_is_the_senders_fault() -> None:
    said = "SMTP error after MAIL FROM:<a@b.example>: host mx [192.0.2.9]: 550 No such domain"

    assert judge(said).reason == "sender_rejected"


def test_words_inside_addresses_and_links_mean_nothing() -> None:
    said = "550 5.0.0 <user-unknown@x.example> refused, see https://x.example/mailbox-full"

    assert judge(said).reason == "policy"


def test_telling_status_in_the_text_beats_a_vague_field() -> None:
    assert judge("550 5.1.1 <a@x.example>... nope", status="5.0.0").status == "5.1.1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550-5.1.1 no\n550 5.1.1 user", ("5.1.1", "550")),
        ("host mx [5.1.2.3] said: 421 try later", ("", "421")),
        ("(#5.4.4)", ("5.4.4", "")),
        ("version 5.1.20.3", ("", "")),
        ("", ("", "")),
    ],
)
def test_codes_are_found_but_not_in_ip_addresses(text: str, expected: tuple[str, str]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 unknown (in reply to RCPT TO command)", "rcpt"),
        ("550 unknown (in reply to end of DATA command)", "data"),
        (">>> MAIL From:<a@b>\n>>> RCPT To:<c@d>\n<<< 550 no", "rcpt"),
        ("after end of data: 550 no", "data"),
        ("550 no", ""),
    ],
)
def test_phase_is_the_command_that_was_refused(text: str, expected: str) -> None:
    assert phase(text) == expected


@given(st.text(max_size=300), st.text(max_size=20))
def test_any_text_is_judged(text: str, status: str) -> None:
    assert judge(text, status=status).reason


@pytest.mark.parametrize(
    "unit", ["user ", "a.", "@", "bad a", "name lookup host ", "5.1.1.", ">>> data ", "ユーザ"]
)
def test_a_megabyte_is_judged_at_once(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    judge("first use compiles the tables")
    start = time.process_time()

    judge(text)

    assert time.process_time() - start < 5

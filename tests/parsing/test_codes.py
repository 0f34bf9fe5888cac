from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.candidates import ascii_digits
from inboxkit.parsing.codes import find_code

from .otp_corpus import samples, score


def code_of(text: str, subject: str = "", html: str = "") -> str | None:
    code = find_code(text, subject=subject, html=html)
    return code.value if code else None


def test_codes_of_many_languages_are_found_and_decoys_are_not() -> None:
    result = score((mail.id, mail.code, mail.found_code()) for mail in samples())

    assert result.f1 >= 0.98, result.missed
    assert len(result.decoys) <= 1, result.decoys


def test_the_sample_mails_are_of_many_languages_and_decoys() -> None:
    mails = samples()

    assert len({mail.lang for mail in mails if mail.code}) >= 50
    assert sum(1 for mail in mails if not mail.code) >= 100


AS_TYPED = {
    "plain": ("Your code is 482913.", "482913"),
    "space": ("Your login code: 482 913", "482913"),
    "no-break space": ("Your login code: 482\u00a0913", "482913"),
    "dash": ("Your login code: 482-913", "482913"),
    "en dash": ("Your login code: 482–913", "482913"),
    "dot": ("Your login code: 482·913", "482913"),
    "single digits": ("Your login code: 4 8 2 9 1 3", "482913"),
    "pairs": ("Your login code: 48 29 13", "482913"),
    "no width": ("Your login code: 48\u200b29\u200b13", "482913"),
    "drawn": ("Your login code:\n\n>>> 482 913 <<<\n", "482913"),
    "bold": ("Your login code: **482913**", "482913"),
    "brackets": ("Your login code: [482913]", "482913"),
    "drawn box": ("Your login code:\n+--------+\n| 482913 |\n+--------+", "482913"),
    "cells": ("Your login code:\n\n4\n8\n2\n9\n1\n3\n\nDo not share it.", "482913"),
    "items": ("Your login code:\n\n- 4\n- 8\n- B\n- 9", "48B9"),
    "prefix": ("G-482913 is your login code.", "G-482913"),
    "mixed": ("Your login code is aB3xY9.", "aB3xY9"),
    "mixed groups": ("Your login code: X7K-29Q", "X7K-29Q"),
    "mixed with a space": ("Your login code:\n\nX7K 29Q", "X7K29Q"),
    "letters": ("Your login code:\n\nHQZKTM\n", "HQZKTM"),
    "words": ("Your login code:\n\nplum-otter-harbor\n", "plum-otter-harbor"),
    "arabic digits": ("رمز التحقق الخاص بك هو ٤٨٢٩١٣", "482913"),
    "persian digits": ("کد تأیید شما: ۴۸۲۹۱۳", "482913"),
    "devanagari digits": ("आपका सत्यापन कोड ४८२९१३ है।", "482913"),
    "arabic digits beside letters": ("رمز التحقق:\n\n٤٨٢٩ ABCD\n", "4829 ABCD"),
    "full-width digits": ("認証コード：４８２９１３", "482913"),
    "suffix": ("Doğrulama kodunuz 482913'tür.", "482913"),
    "glued to words": ("您的验证码482913请勿泄露", "482913"),
    "pictures": ("Your login code:\n\n[4][8][2][9][1][3]", "482913"),
    "pictures apart": ("Your login code:\n\n[4] [8] [B] [9]", "48B9"),
    "one sign at the end": ("Your login code: XK-4471-P", "XK-4471-P"),
    "lower case at the end": ("Your login code is **blt-509-qqx**.", "blt-509-qqx"),
    "before a time": ("Your login code is 482913 18:45 UTC", "482913"),
}


@pytest.mark.parametrize(("text", "value"), AS_TYPED.values(), ids=AS_TYPED.keys())
def test_a_code_is_returned_as_it_is_typed(text: str, value: str) -> None:
    assert code_of(text, "Your login code") == value


NO_CODES = {
    "price": "Enter the amount: your code is worth $482,913.00 or 482913 EUR",
    "date": "Your login code of 14 March 2026 has expired",
    "time": "Your login code was sent at 18:45",
    "phone": "Sign in by phone: +49 40 555 0142 or 0800 330 2134",
    "year": "© 2026 Codes Inc. Login and verification since 1998",
    "order": "Please verify your order number 482913",
    "tracking": "Your tracking code: 482913771",
    "postal code": "Verify your postal code: 20457",
    "address": "We saw a sign in from 203.0.113.77, is this your code?",
    "colour": "Set the login page colour code #482913",
    "unsubscribe id": "Login codes. Unsubscribe: https://x.example/u?id=482913",
    "minutes": "Your login code expires in 1000 minutes",
    "coupon": "Sign in and use the coupon code SAVE482913",
    "discount": "Your discount code: 482913",
    "offer": "Save now with code 482913!",
    "offer, sentence": "Warm up this autumn with code 482913 all week",
    "offer, german": "Spare jetzt mit dem Code 482913 und sichere dir warme Socken.",
    "offer, russian": "Сэкономьте с кодом 482913 на осенней коллекции!",
    "offer, japanese": "今だけコード482913でお得にお買い物。",
    "warranty": "Register your lamp with code 482913 to extend the warranty",
    "attempts": "482913 login attempts blocked, 120 verification codes sent",
    "cart": "Put the code 482913 in your cart and get a mug",
    "cart, japanese": "レジでコード 482913 を入力すると送料無料になります。",
    "customer number": "Enter the customer number 482913 to sign in",
    "share": "Get 15% off with code 482913",
    "share, french": "Profitez de 20 % avec le code 482913",
    "offer behind a sign-in": "Sign in and apply code 482913 to take $20 off boots.",
    "expired": "The code 482913 that we sent at 09:10 has expired.",
    "told of": "I used the code 482913 to log in on staging and it just worked",
    "job": "Job 482913 on branch verify-code failed after 10 minutes",
    "name with a hyphen": "Pipeline 482913 on branch login-code passed in 12 minutes.",
    "reference": "Your login was blocked. Reference: 482913",
    "card": "Confirm the payment with your card ending 4829",
    "room": "Your room is 4829, the door code is 4831#",
    "delivery": "Give the courier this PIN when your parcel arrives: 4829",
    "meeting": "Meeting ID: 812 3456 7890\nPasscode: 482913",
    "error": "The login failed with error code 482913",
    "count": "We sent 48291 verification codes",
    "recovery codes": "Your login codes:\n\n48291377\n55820133\n77109341\n88201145",
    "counting": "Sign in codes on page\n1\n2\n3\n4\n5\n6",
    "nothing said": "See you on Tuesday.\n\n482913",
}


@pytest.mark.parametrize("text", NO_CODES.values(), ids=NO_CODES.keys())
def test_other_numbers_are_no_codes(text: str) -> None:
    assert code_of(text, "Hello") is None


SAID_ELSEWHERE = {
    "sentence before": ("A sign-in needs your approval. Enter 48 29 13 in the app.", "New device"),
    "sentence behind": ("Use 48 29 13 to choose a new password. The code is valid today.", "Hello"),
    "time in words": ("Your code is 4829. It lasts for ten minutes.", "Access"),
    "like a year": ("A sign-in from Oslo in 2025.\nIf that is you, your code is 2027.", "Sign-in"),
    "one word of trade": ("One-time passcode\n\n48291377\n\nTicket OPS-20418", "Hello"),
    "expiry of another": ("Your login code is 482913 (ask again once it has expired).", "Login"),
    "really you": ("Let us make sure it's you.\n\n482 913\n\nValid for 10 min.", "Hello"),
    "number to enter": ("Enter the number 482913 to confirm your login.", "Hello"),
    "number to enter, arabic": ("استخدم الرقم ٤٨٢٩١٣ لتأكيد بريدك الإلكتروني.", "تأكيد البريد"),
    "title and verb": (
        "Hey Lena, tippe bitte 4 8 2 9 1 3 in die App, dann bist du drin.",
        "Zahlencode",
    ),
    "not you": ("Seu código: 48-29-13. Se não foi você, pode apagar esta mensagem.", "Acesso"),
    "dutch": ("Typ 4829 op het scherm om verder te gaan met inloggen.", "Inloggen"),
    "russian": ("Чтобы войти, наберите на экране 48-29-13.\nЦифры никому не говорите.", "Вход"),
    "greek": ("Πληκτρολογήστε τον αριθμό 482 913 για να συνδεθείτε.", "Σύνδεση"),
}


@pytest.mark.parametrize(("text", "subject"), SAID_ELSEWHERE.values(), ids=SAID_ELSEWHERE.keys())
def test_a_code_is_known_by_what_is_said_around_it(text: str, subject: str) -> None:
    assert code_of(text, subject) in ("4829", "482913", "2027", "48291377")


NEAR_OFFERS = {
    "usted": "Usted debe introducir el código 482913.",
    "savings account, hindi": "आपके बचत खाते के लिए ओटीपी 482913 है।",
    "savings account, italian": "Codice OTP per il tuo conto risparmio: 482913",
    "savings account, spanish": "Código OTP de tu cuenta de ahorros: 482913",
    "savings account, vietnamese": "Mã OTP cho tài khoản tiết kiệm: 482913",
    "customers, japanese": "お得意様の認証コード: 482913",
    "available, arabic": "رمزك هو 482913 متوفر لمدة 5 دقائق",
    "save time": "Save time: enter 482913 to log in.",
    "battery": "You have 20% battery left. Your login code: 482913",
    "cart": "To see your cart, sign in with this code: 482913",
}


@pytest.mark.parametrize("text", NEAR_OFFERS.values(), ids=NEAR_OFFERS.keys())
def test_words_that_resemble_an_offer_take_no_code_away(text: str) -> None:
    assert code_of(text, "Login") == "482913"


def test_quoted_lines_give_no_code() -> None:
    assert code_of("Thanks!\n\n> Your login code is 482913.", "Re: Your login code") is None


def test_a_forwarded_mail_gives_no_code() -> None:
    text = "FYI\n\nFrom: A <a@b.example>\nSubject: Your code\n\nYour login code is 482913."

    assert code_of(text, "Fwd: Your login code") is None


def test_what_stands_above_an_attribution_still_gives_a_code() -> None:
    quote = "On Tue, 3 Mar 2026 at 10:01, Ann <a@b.example> wrote:\nYour login code is 771234."

    assert code_of(f"Your login code is 482913.\n\n{quote}", "Login") == "482913"


def test_the_subject_of_an_answer_gives_no_code() -> None:
    assert code_of("It works now.", "Re: 482913 is your login code") is None
    assert code_of("It works now.", "482913 is your login code") == "482913"


def test_a_number_in_brackets_in_the_subject_is_a_ticket() -> None:
    assert code_of("Please look.", "(482913) Login code does not arrive") is None


def test_html_is_read_when_the_text_part_is_a_stub() -> None:
    html = "<p>Your login code:</p><table><tr><td>4</td><td>8</td><td>2</td><td>9</td></tr></table>"

    assert code_of("Please view this mail as HTML.", html=html) == "4829"


def test_a_code_set_apart_in_the_page_counts_more() -> None:
    text = "Your code is 9081."

    assert code_of(text) is None
    assert code_of(text, html="<p>Your code is <strong>9081</strong>.</p>") == "9081"


def test_a_code_says_why_and_hides_its_value() -> None:
    code = find_code("Your login code is 482913. It expires in 10 minutes.")

    assert code is not None
    assert 0.5 < code.confidence <= 1
    assert code.reason == "called a code, for a login or verification, digits, expires soon"
    assert "482913" not in repr(code)


WORDS = st.sampled_from(
    "your login code is 482913 ٤٨٢٩ １２ > From: Subject: wrote: \n \n\n : - | ABCD x-y 12:30 码 № "
    "# \u200b <b> & http://a/b?c=1 enter verify 10 minutes".split(" ")
)
MAILS = st.lists(st.one_of(WORDS, st.text(max_size=8))).map(" ".join)


@given(MAILS, MAILS, MAILS)
def test_any_mail_is_read_and_only_what_it_says_is_returned(
    text: str, subject: str, html: str
) -> None:
    code = find_code(text, subject=subject, html=html)

    written = ascii_digits(text + subject + html)
    assert code is None or set(code.value) <= set(written)


HOSTILE = {
    "digits": "123-",
    "groups": "123 456 ",
    "cells": "1 A\n",
    "colons": "a1:\n",
    "heads": "From: a\nDate: b\n",
    "introductions": "On Mon, Jan 1, 2024 at 1:00 PM A\n",
    "quotes": "> 482913\n",
    "spaces": " ",
    "lines": "\n",
    "words": "code is ",
    "dashes": "a-",
    "phrases": "in order to ",
    "codes": "Your login code is 482913.\n",
    "shares": "save 20% with code 482913 ",
    "boxes": "[1][A] ",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_time_grows_with_the_size_only(piece: str) -> None:
    def seconds(size: int) -> float:
        text = (piece * size)[:size]
        start = time.process_time()
        find_code(text, subject="Your login code")
        return time.process_time() - start

    small = min(seconds(16 * 1024) for _ in range(3))
    assert any(seconds(64 * 1024) < 6 * small + 0.01 for _ in range(3))


@pytest.mark.parametrize("link", ["verify?token=abc", "?ref=4", "about"])
def test_a_link_takes_no_code_away_from_a_short_mail(link: str) -> None:
    text = f"Your code is 482913.\n\nOr click here:\nhttps://shop.example/{link}"
    assert code_of(text, "Welcome") == "482913"
    assert code_of(text.replace("Your", "Your order"), "Welcome") is None
    assert code_of(text.replace("Your", "Your discount"), "Welcome") is None

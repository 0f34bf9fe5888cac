"""Reply text: what one person wrote, told apart from quotes, forwarded heads and signatures."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.reply import reply_text, split_reply

from .cases import read_cases

ANSWER = "Yes, that suits us.\n\nSee you there!"
ORIGINAL = "Do you have time on Monday?\n\nThe order is 12 loaves.\nAna"
ATTRIBUTIONS = read_cases("attributions.txt")
HEADS = read_cases("heads.txt")
ORDINARY = read_cases("ordinary.txt")
MAILS = read_cases("mails.txt")
DEVICES = [
    "Sent from my iPhone",
    "Sent from my Galaxy",
    "Sent from Mail for Windows",
    "Sent via Proton Mail for iOS",
    "Get Outlook for Android<https://aka.example/x>",
    "Sent with Spark",
    "Sent from Yahoo Mail for iPhone",
    "Von meinem iPhone gesendet",
    "Gesendet mit der GMX Mail App",
    "Von Outlook für Android gesendet",
    "Envoyé de mon iPhone",
    "Envoyé à partir d'Outlook pour iOS",
    "Télécharger Outlook pour Android",
    "Enviado desde mi iPhone",
    "Enviado do meu iPhone",
    "Inviato da iPhone",
    "Inviato dal mio dispositivo Android",
    "Verstuurd vanaf mijn iPhone",
    "Skickat från min iPhone",
    "Sendt fra min iPhone",
    "Sendt fra min mobil",
    "Lähetetty iPhonesta",
    "Wysłane z iPhone'a",
    "Odesláno z iPhonu",
    "Odoslané z iPhonu",
    "Elküldve az iPhone-omról",
    "Trimis de pe iPhone-ul meu",
    "Отправлено с iPhone",
    "Отправлено из мобильной Почты Mail.ru",
    "Надіслано з iPhone",
    "Изпратено от моя iPhone",
    "Poslano s mog iPhonea",
    "Εστάλη από το iPhone μου",
    "iPhone'umdan gönderildi",
    "נשלח מה-iPhone שלי",
    "أُرسلت من الـ iPhone",
    "ارسال شده از آیفون من",
    "iPhoneから送信",
    "发自我的iPhone",
    "從我的 iPhone 傳送",
    "나의 iPhone에서 보냄",
    "ส่งจาก iPhone ของฉัน",
    "Đã gửi từ iPhone của tôi",
    "Dikirim dari iPhone saya",
    "Enviat des del meu iPhone",
    "Saadetud minu iPhone'ist",
    "Sent from my phone, sorry for any typos",
    "Sent from my Pixel 8 Pro",
    "Sent from my mobile. Please excuse brevity.",
]


@pytest.mark.parametrize("quoted", [True, False], ids=["quoted", "bare"])
@pytest.mark.parametrize("head", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS.keys())
def test_attribution_ends_the_reply(head: list[str], quoted: bool) -> None:
    below = ORIGINAL if not quoted else "> " + ORIGINAL.replace("\n", "\n> ")
    assert reply_text(f"{ANSWER}\n\n{head[0]}\n\n{below}\n") == ANSWER


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_head_of_the_original_ends_the_reply(head: list[str]) -> None:
    assert reply_text(f"{ANSWER}\n\n\n{head[0]}\n\n{ORIGINAL}") == ANSWER


@pytest.mark.parametrize("line", DEVICES)
def test_device_line_is_the_signature(line: str) -> None:
    reply = split_reply(f"{ANSWER}\n\n{line}\n")
    assert (reply.text, reply.signature) == (ANSWER, line)


@pytest.mark.parametrize("body", ORDINARY.values(), ids=ORDINARY.keys())
def test_ordinary_words_stay_whole(body: list[str]) -> None:
    assert reply_text(body[0]) == body[0]


@pytest.mark.parametrize(("body", "text", "signature"), MAILS.values(), ids=MAILS.keys())
def test_whole_mail(body: str, text: str, signature: str) -> None:
    reply = split_reply(body)
    assert (reply.text, reply.signature) == (text, signature)


def test_line_ends_of_other_systems_are_read() -> None:
    assert reply_text("Yes.\r\n\r\nOn 3/4/25 09:15, Ana wrote:\r\n> Well?\r\n") == "Yes."
    assert reply_text("Yes.\r\rAna <ana@shop.example> wrote:\r> Well?\r") == "Yes."


FRAGMENTS = st.sampled_from(
    [
        "> ", ">", "| ", "\n", "\n\n", "\r\n", "On 3/4/25 09:15, Ana wrote:", "Ana <a@b.example>",
        "-- \n", "--\n", "____\n", "-----Original Message-----\n", "From: Ana\n", "To: Bo\n",
        "Subject: x\n", "Sent: 4 March 2025\n", "Sent from my iPhone", "<", "> wrote:", " ", "ok",
        "-----BEGIN PGP SIGNATURE-----\n", "\u200e", "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3", "：",
    ]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(FRAGMENTS, max_size=30).map("".join)))
def test_every_line_of_the_reply_begins_a_line_of_the_mail(body: str) -> None:
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    reply = split_reply(body)
    for line in (*reply.text.split("\n"), *reply.signature.split("\n")):
        assert any(original.startswith(line) for original in lines)


HOSTILE = {
    "quote-signs": ">" * 1_000_000,
    "quoted-lines": "> quoted\n" * 111_111,
    "on-on": "On " * 333_333,
    "half-attributions": "On Mon, Jan 1, 2024 at 1:00 PM A\n" * 30_303,
    "attributions": "On 3/4/25 09:15, Ana wrote:\n> a\nb\n" * 28_571,
    "from-lines": "From: a\n" * 125_000,
    "short-fields": "a:\n" * 333_333,
    "drawn": "-" * 500_000 + "\n" + "_" * 500_000 + "x",
    "delimiters": "--\n" * 333_333,
    "spaces": "x" + " " * 1_000_000 + "x",
    "blank-lines": "x" + "\n" * 1_000_000 + "x",
    "device": "Sent from my " * 77_000,
    "device-lines": "Sent from my iPhone\n" * 50_000,
    "open-brackets": "a <\n> wrote:\n" * 76_923,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_million_hostile_characters_take_little_time(body: str) -> None:
    start = time.process_time()
    split_reply(body)
    assert time.process_time() - start < 2

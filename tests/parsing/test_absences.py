"""Automatic answers by their words: subjects in many languages, and how much proof they need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.absences import is_automatic

CERTAIN = {
    "en": "Automatic reply: Invoice 7",
    "en-tagged": "[EXTERNAL] Automatic reply: Invoice 7",
    "de": "Automatische Antwort: Termin",
    "de-absence": "Abwesenheitsnotiz: Angebot",
    "fr": "Réponse automatique : Devis",
    "fr-decomposed": "Re\u0301ponse automatique : Devis",
    "es": "Respuesta automática: Pedido",
    "it": "Risposta automatica: Ordine",
    "pt": "Resposta Automática - Pedido",
    "nl": "Automatisch antwoord: Offerte",
    "sv": "Autosvar: Möte",
    "da": "Automatisk svar: Møde",
    "fi": "Automaattinen vastaus: Tarjous",
    "pl": "Odpowiedź automatyczna: Oferta",
    "cs": "Automatická odpověď: Nabídka",
    "sk": "Automatická odpoveď: Ponuka",
    "hu": "Automatikus válasz: Ajánlat",
    "ro": "Raspuns automat: Oferta",
    "bg": "Автоматичен отговор: Оферта",
    "ru": "Автоматический ответ: Заказ",
    "uk": "Автоматична відповідь: Пропозиція",
    "el": "Αυτόματη απάντηση: Προσφορά",
    "tr": "Otomatik yanıt: Teklif",
    "he": "\u200fתשובה אוטומטית: הצעה",
    "ar": "رد تلقائي: عرض",
    "fa": "پاسخ خودکار: پیشنهاد",
    "hi": "स्वचालित उत्तर: प्रस्ताव",
    "th": "ตอบกลับอัตโนมัติ: ใบเสนอราคา",
    "vi": "Trả lời tự động: Báo giá",
    "id": "Balasan Otomatis: Penawaran",
    "ja": "自動応答: お見積り",
    "zh-cn": "自动答复: 报价",
    "zh-tw": "自動回覆: 報價",
    "ko": "자동 회신: 견적",
    "hr": "Automatski odgovor: Ponuda",
    "sl": "Samodejni odgovor: Ponudba",
    "et": "Automaatvastus: Pakkumine",
    "lv": "Automātiska atbilde: Cena",
    "lt": "Automatinis atsakymas: Kaina",
    "ca": "Resposta automàtica: Comanda",
}
AWAY = {
    "en": ("Out of office", "I will be back on Monday."),
    "en-suffix": ("Re: Invoice 7 [Out of office]", "For urgent matters call my colleague."),
    "en-inquiry": ("Automatic reply to your inquiry", "We have received your message."),
    "de": ("Abwesenheit", "Ich bin bis 5. Mai im Urlaub."),
    "fr": ("Absence du bureau : devis", "Bonjour, je suis en congés."),
    "es": ("Fuera de la oficina: pedido", "Estaré fuera hasta el lunes."),
    "en-holiday": ("I am on holiday", "I will be back on 30 November."),
    "es-until": ("Ausente hasta el 30 de noviembre", "Estaré fuera, responderé a mi vuelta."),
    "fr-holiday": ("Je suis en congés", "De retour le 30 novembre."),
    "de-closed": ("Betriebsferien", "Ab dem 6. Januar sind wir zurück. Dringend: 0171 555 0199."),
    "en-until": (
        "Out of the office until 30 Nov",
        "Out of the office. Anything urgent: call.",
    ),
    "fr-until": ("Absent du 23 au 27 novembre", "Je suis absent, de retour le 30."),
    "ko-notice": ("부재중 알림", "11월 30일까지 휴가입니다."),
    "de-holiday": ("Ich bin im Urlaub", "Ab dem 30.11. bin ich wieder da."),
    "nl-until": (
        "Afwezig t/m 27 november",
        "Ik ben met vakantie, op 30 november weer bereikbaar.",
    ),
    "pt-holiday": ("Férias", "Estou de férias e regresso a 30 de novembro."),
    "ru-away": ("Нет на месте", "Я в отпуске."),
    "sv": ("Frånvarande", "Jag är på semester till 5 maj."),
    "el": ("Εκτός γραφείου: Προσφορά", "Απουσιάζω από το γραφείο έως 5 Μαΐου."),
    "ja": ("不在連絡", "5月5日まで休暇をいただいております。"),
}


@pytest.mark.parametrize("subject", CERTAIN.values(), ids=CERTAIN)
def test_subject_that_only_programs_write_is_enough(subject: str) -> None:
    assert is_automatic(subject, "")


def test_absence_before_the_subject_of_an_answer_is_enough() -> None:
    assert is_automatic("OOO: Re: lamps", "Back on 30 November.")
    assert is_automatic("Abwesenheit: AW: Lampen", "Bis Montag.")
    assert not is_automatic("OOO: lamps", "We come back on the lamps.")
    assert not is_automatic("Re: OOO: Re: lamps", "Enjoy it.")


@pytest.mark.parametrize("subject", CERTAIN.values(), ids=CERTAIN)
def test_answer_to_such_a_subject_was_written_by_a_person(subject: str) -> None:
    assert not is_automatic(f"Re: {subject}", "Thanks!")


@pytest.mark.parametrize(("subject", "text"), AWAY.values(), ids=AWAY)
def test_subject_of_an_absence_needs_a_text_of_absence(subject: str, text: str) -> None:
    assert is_automatic(subject, text)
    assert not is_automatic(subject, "Please send the chairs to floor 2.")


def test_word_for_holidays_needs_two_signs() -> None:
    assert is_automatic("Ferie", "Jeg er på ferie og er tilbake 5. mai.")
    assert not is_automatic("Ferie", "Skal vi dra på ferie sammen?")


@pytest.mark.parametrize(
    "subject",
    ["Out of office furniture order", "Automatic door repair", "Absence of evidence", "Auto parts"],
)
def test_phrase_that_goes_on_is_any_subject(subject: str) -> None:
    assert not is_automatic(subject, "The automatic door needs service.")


def test_quoted_words_are_no_sign() -> None:
    assert not is_automatic("Out of office", "What did you mean?\n> I will be back on Monday.")


DECLARED = {
    "en": "This is an automatic reply. I am out of the office until 30 November.",
    "en-drawn": "*** This is an automated response, please do not reply ***\n\nThank you.",
    "en-sentence": "We got your message and will answer soon. This is an automated reply.",
    "en-greeted": "Hello,\n\nThis is an automatic reply to your message.",
    "en-acknowledged": "This is an automatic confirmation that we received your email.",
    "en-left": "Automatic message: Mia Berg no longer works at Harbour Ltd.",
    "de": "Dies ist eine automatisch erzeugte Antwort. Ich bin nicht im Büro.",
    "de-acknowledged": "Diese Mail wurde automatisch erzeugt. Ihre ist bei uns eingegangen.",
    "fr": "Ceci est une réponse automatique. Je suis en congé.",
    "ru": "Это автоматический ответ. Меня не будет в офисе.",
    "zh": "这是一封自动回复邮件。您的来信已收到。",
    "ja": "※このメールは自動返信です。\n11月30日まで不在にしております。",
}
OF_PEOPLE = {
    "talk": "Their desk only sends an automatic reply, I gave up.",
    "cited": 'Please switch off the line "this is an automatic reply" in our template.',
    "asked": "Automatic reply or not, what do you think?",
    "quoted": "Who is in charge now?\n\n> This is an automatic reply. I am away.",
    "far below": "Hello\n\nA line.\n\nAnother one.\n\nThis is an automatic reply.",
    "service": "This is an automated message. Your password was changed.",
}


@pytest.mark.parametrize("text", DECLARED.values(), ids=DECLARED)
def test_an_answer_that_declares_itself_needs_no_such_subject(text: str) -> None:
    assert is_automatic("Re: Pier 4", text)


@pytest.mark.parametrize("text", OF_PEOPLE.values(), ids=OF_PEOPLE)
def test_who_speaks_of_automatic_replies_is_a_person(text: str) -> None:
    assert not is_automatic("Re: Pier 4", text)


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_subject_and_text_are_decided(subject: str, text: str) -> None:
    assert is_automatic(subject, text) in (True, False)

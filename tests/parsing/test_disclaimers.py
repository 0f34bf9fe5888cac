"""Legal notices at the end of mails, told from what people write of confidential things."""

from __future__ import annotations

import pytest

from inboxkit.parsing.disclaimers import is_disclaimer, lines_of

NOTICES = {
    "en": "This message is confidential. If you are not the intended recipient, please delete it.",
    "de": "Diese Nachricht ist vertraulich und nur für den Empfänger bestimmt. Bitte löschen Sie "
    "sie, wenn Sie sie irrtümlich erhalten haben.",
    "fr": "Ce message est confidentiel et destiné à son destinataire. Si vous l'avez reçu par "
    "erreur, merci de le détruire.",
    "es": "Este mensaje es confidencial y va dirigido a su destinatario. Si lo ha recibido por "
    "error, elimine el mensaje.",
    "it": "Questo messaggio è riservato al destinatario. Se ricevuto per errore, va distrutto.",
    "nl": "Dit bericht is vertrouwelijk en bestemd voor de geadresseerde. Hebt u het ten onrechte "
    "ontvangen, verwijder het dan.",
    "pl": "Ta wiadomość jest poufna i przeznaczona dla adresata. Otrzymaną omyłkowo proszę usunąć.",
    "ru": "Это сообщение конфиденциально и предназначено адресату. Если вы получили его по ошибке, "
    "удалите его.",
    "ja": "このメールは機密情報を含み、宛先の方のみを対象としています。"
    "誤って受信された場合は削除してください。",
    "zh": "本邮件内容机密，仅供收件人使用。"
    "如您误收本邮件，请立即删除，并通知发件人，谢谢您的合作。",
}
OF_PEOPLE = {
    "asks": "This message is confidential: please delete it once you have read it, will you?",
    "speaks of one": "Our lawyers want a confidential notice under every mail, what do you think?",
    "error": "The invoice came to us in error, please destroy it and write a new one for Ana.",
    "short": "This e-mail is confidential.",
}


@pytest.mark.parametrize("text", NOTICES.values(), ids=NOTICES)
def test_a_notice_is_known_by_what_it_says(text: str) -> None:
    assert is_disclaimer(text)


@pytest.mark.parametrize("text", OF_PEOPLE.values(), ids=OF_PEOPLE)
def test_what_people_write_is_none(text: str) -> None:
    assert not is_disclaimer(text)


def test_a_notice_that_is_the_whole_mail_is_kept() -> None:
    lines = ["", NOTICES["en"], ""]

    assert lines_of(lines, [True] * 3) == []
    assert lines_of(["Yes.", *lines], [True] * 4) == [2]
    assert lines_of(["> No.", *lines], [False, True, True, True]) == []

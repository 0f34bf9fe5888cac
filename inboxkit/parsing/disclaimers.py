"""Finds the legal notices that organisations put under every mail, by what such notices say.

A notice speaks of the mail itself, calls it confidential, names who it is for, and says what to
do with a mail gone astray; a paragraph that does most of it is one, in any order of the words.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .vocabulary import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEEDED = 4  # of the five things that a notice says
_PARAGRAPHS = 4  # at the end of a mail; some repeat the notice in another language
_LONGEST = 3_000  # characters of one paragraph
_SHORTEST = 60

# The mail itself; that it is confidential; who it is for; that it went astray; what to do then.
_SAYS = (
    "this e-mail|this email|this message|this mail|this communication|diese e-mail|diese mail"
    "|diese nachricht|ce message|cet e-mail|ce courriel|este mensaje|este correo|este e-mail"
    "|esta mensagem|questo messaggio|questa e-mail|dit bericht|deze e-mail|detta meddelande"
    "|detta e-post|denne e-post|denne meddelelse|denne e-mail|denne mail|tama viesti"
    "|tama sahkoposti|niniejsza wiadomosc|ta wiadomosc|tato zprava|tento e-mail|ez az uzenet"
    "|acest mesaj|acest e-mail|настоящее сообщение|это сообщение|данное сообщение|это письмо"
    "|це повідомлення|цей лист|το παρον|αυτο το μηνυμα|bu e-posta|bu mesaj|本邮件|此邮件|本郵件"
    "|此郵件|本メール|このメール|이 메일|본 메일|e-mail ini|email ini|הודעה זו|هذه الرسالة"
    "|هذا البريد",
    "confidential|privileged|vertraulich|confidenti|confidencia|riservat|vertrouwelijk|konfidenti"
    "|fortrolig|fortrolige|luottamuksell|poufn|duvern|bizalmas|конфиденц|конфіденц|εμπιστευτ|gizli"
    "|保密|机密|機密|기밀|rahasia|סודי|חסוי|سري",
    "intended recipient|intended for|intended solely|addressee|to whom it is|to whom they are"
    "|person to whom|named above|adressat|empfanger|bestimmt|destinataire|destinatari|addressed to"
    "|geadresseerde|bestemd|mottagare|mottaker|modtager|vastaanottaj|adresat|odbiorc|prijemc|urcen"
    "|cimzett|adresant|адресат|получател|одержувач|παραληπτ|alici|收件人|宛先|受信者|수신인"
    "|수신자|penerima|נמען|المرسل اليه",
    "in error|by mistake|not the intended|irrtumlich|versehentlich|nicht der richtige|par erreur"
    "|por error|por engano|por erro|per errore|ten onrechte|per vergissing|av misstag|ved en feil"
    "|ved en fejl|vahingossa|erehdyksessa|omylkowo|przez pomylke|omylem|teves|din greseala|eroare"
    "|по ошибке|ошибочно|помилково|κατα λαθος|yanlislik|误收|誤收|误发|誤って|잘못|keliru|בטעות"
    "|بالخطا",
    "delete it|delete this|delete the|destroy|notify|inform the sender|tell the sender|any copying"
    "|vernicht|losch|informieren sie|detruire|supprimer|avertir|destrua|eliminar|elimine|borre"
    "|notifi|apague|elimina|distrugg|cancellar|verwijder|vernietig|radera|forstor|slett|slet_"
    "|poista|havit|usun|zniszcz|smazat|smaz|znic|torol|semmisit|sterge|удалит|уничтож|видал"
    "|διαγραψ|silin|siliniz|imha|删除|刪除|销毁|削除|破棄|삭제|파기|hapus|למחוק|احذف|حذف",
)


def lines_of(lines: Sequence[str], kept: Sequence[bool]) -> list[int]:
    """Return which of the kept lines are a notice at the end; never all of them."""
    first = last = end = len(lines)
    for _ in range(_PARAGRAPHS):
        while end and (not kept[end - 1] or not lines[end - 1].strip()):
            end -= 1
        start = end
        while start and kept[start - 1] and lines[start - 1].strip():
            start -= 1
        above = any(kept[i] and lines[i].strip() for i in range(start))
        if not above or not is_disclaimer(" ".join(lines[start:end])):
            break
        if first == last:
            last = end
        first = end = start
    return [i for i in range(first, last) if kept[i]]


def is_disclaimer(paragraph: str) -> bool:
    """Tell whether a paragraph says most of what a legal notice says."""
    if not _SHORTEST <= len(paragraph) * (1 if paragraph.isascii() else 2) <= _LONGEST:
        return False
    folded = " ".join(fold(paragraph).split())
    says = [any(word in folded for word in words) for words in _words()]
    return says[1] and sum(says) >= _NEEDED


@cache
def _words() -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(map(fold, words.split("|"))) for words in _SAYS)

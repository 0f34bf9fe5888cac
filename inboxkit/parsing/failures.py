"""Whether a mail that is no RFC 3464 report is a bounce all the same: by who sent it and how."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from . import notices, report_fields

if TYPE_CHECKING:
    from .model import Mail

_READ_CHARS = 6_000
_SUBJECT = 100  # characters of a text that is looked through place by place
_BEGINNING = 4
_DAEMONS = re.compile(
    r"mail(?:er|s?erver)?[-_.]?daemon|mail deliver\w* (?:sub)?system|mail delivery service"
    r"|\bmail[-_. ]?router\b|\bcontent[-_. ]?filter at\b"
    r"|microsoftexchange[0-9a-f]{8}|\bmdaemon@|mail\.delivery\.system"
)
_ROLES = re.compile(
    r"\bpost[-_.]?master\b|\b(?:mail|system|e-?mail) ?(?:administrator|admin|system)\b|\bsysadmin@"
    r"|\bmail ?admin\b|delivery subsystem"
)
# One is in each of those.
_SENDER_WORDS = ("daemon", "deliver", "exchange", "master", "admin", "system", "router", "filter")
_SUBJECTS = """
undeliver|non-deliver|nondeliver|non deliver|not deliver|delivery fail|delivery failure
failed deliver|delivery has failed|delivery status|delivery notif|delivery report|delivery problem
delivery error|delivery delay|delivery unsuccess|deliver mail|delivery of|mail failure|mail error
mail system error|failure notice|failure notif|message failed|returned mail|return mail
returned to sender|mail returned|returned e-mail|bounced|could not be deliver|cannot be deliver
can't be deliver|could not deliver|couldn't be deliver|unable to deliver|message delayed
delayed mail|mail delayed|could not send message|rejected message|message rejected|mail rejected
mail undeliver|user unknown|unknown user|address not found|warning: message|fatal error
message status|mail delivery|delivering your mail|mail failed|trouble deliver|error sending
you sent blocked|contents from you|virus in mail from you|problem deliver|problem sending
problem with your mail|delivery was|unzustellbar|nicht zugestellt
zustellung|zustellbar|non remis|non délivr|non distribu|échec de|retour de courrier|échec d'envoi
no se puede entregar|no entregad|no se ha podido|no se pudo entregar|devuelto|error de entrega
impossibile recapitare|non recapitabile|mancato recapito|mancata consegna|non consegnat
errore di consegna|não entregue|não é possível entregar|falha na entrega|falha de entrega|devolvid
não pôde ser|onbestelbaar|niet bezorgd|niet afgeleverd|kan niet bezorg|olevererbar|kan inte lever
kunde inte lever|kan ikke lever|kunne ikke lever|ikke levert|ikke leveret|ei voi toimittaa
toimitus epäonnistui|toimittamatta|nie można dostarczyć|niedostarczal|niedostarcz|zwrot wiadom
nedoručit|nedoručen|kézbesíthetetlen|kézbesítési hiba|nelivra|imposibil de livrat
не удается доставить|не удалось доставить|не доставлен|недоставлен|ошибка доставки
не вдалося достав|помилка доставк|недоставен|αποτυχία παράδοσης|δεν παραδόθηκε|teslim edilem
iletilemedi|לא ניתן למסור|تعذر التسليم|تعذر تسليم|فشل التسليم|配信不能|配信でき|送信でき
送信エラー|配信エラー|配達不能|未配信|届け|エラーメール|无法送达|退信|传递失败|未送达|投递失败
無法傳遞|未送達|無法遞送|郵件退回|배달되지|배달할 수 없|전송 실패|반송|발송 실패|không gửi được
gửi không thành công|tidak terkirim|gagal terkirim|niet te bezorgen|לא נמסרה|לא ניתנת למסירה
nie je možné doručiť|nedoručiteľn|nije isporučen|nije moguće isporuč|није испоручен|ni dostavljen
не беше доставен|не е доставен|ส่งไม่สำเร็จ|ส่งจดหมายไม่สำเร็จ|ไม่สามารถส่ง|تحویل داده نشد
"""
_TEXTS = """
not be deliver|n't be deliver|able to deliver|not been deliver|unable to deliver|wasn't deliver
not deliver|undeliver|delivery to the following|delivery has failed|delivery failed|delivery error
failed to deliver|failed recipient|failed address|address failed|addresses failed
recipients failed|did not reach|fatal error|permanent error|permanent failure|delayed
returned to sender|user unknown|unknown user|mailbox full|mailbox is full|was rejected
been rejected|rejected by|does not exist|not exist|failure reason|no such user|over quota
attempting to deliver|not listed in|was blocked by our|has been blocked|no valid recipient
invalid recipient|exceeds allowed
nicht zugestellt|nachrichtenzustellung|zustellung|nicht erreichbar|unbekannt|remise à ces
non remis|n'a pas pu être|pas été remis|impossible de remettre|inconnu|entrega a
no se ha podido entregar|no pudo ser|no se pudo entregar|desconocid|recapito non
non è stato consegnato|non è stato possibile|sconosciut|falha na entrega|não pôde ser entregue
não foi possível entregar|não foi entregue|niet bezorg|niet afgeleverd|kan niet worden
kunde inte lever|kan inte lever|kunne ikke lever|ikke levere|ei voitu toimittaa
nie można dostarczyć|nie została dostarczona|nie mogła zostać dostarczona|nelze doručit
nemohla být doručena|nepodařilo se doručit|nem kézbesít|nem sikerült kézbesít|nu a putut fi livrat
не может быть доставлен|не удалось доставить|не доставлен|не удается доставить|не вдалося достав
не може бути достав|δεν ήταν δυνατή|δεν παραδόθηκε|teslim edilem|iletilemedi|לא ניתן למסור
تعذر تسليم|لم يتم تسليم|送信できませんでした|配信できませんでした|お届けできません
届けることができません|存在しません|見つかりません|無法送達|无法送达|被退回|投递失败|无法投递
無法投遞|退信|配信不能|배달할 수 없|전송하지 못|전달되지|반송|không thể gửi|tidak dapat dikirim
gagal dikirim|niet worden bezorg|niet worden afgelever|nebylo možné doruč|nebylo možno doruč
nebolo možné doruč|nepodarilo sa doruč|nije moguće isporuč|nije isporučen|није испоручен
ni bilo mogoče dostav|не може да бъде достав|не беше достав|לא ניתן היה למסור|לא נמסרה
ไม่สามารถส่ง|ส่งไม่สำเร็จ|تحویل داده نشد|keep trying
"""
_REFUSALS = re.compile(
    r"[45]\d\d[ -]?#?[45]\.\d{1,3}\.\d{1,3}|(?:said|replied|reply|returned|response|error|reason"
    r"|<<<|<--)\W{1,12}(?:smtp\W{1,3})?[45]\d\d\b|^[45]\d\d[ -]\S",
    re.MULTILINE | re.IGNORECASE,
)
_SESSION = re.compile(
    r"^(?:\W{0,8}(?:rcpt to|final-recipient|reporting-mta)\W|(?:received|return-path): )",
    re.MULTILINE | re.IGNORECASE,
)


def find(mail: Mail, *, sender: str, subject: str, null_sender: bool) -> str:
    """Return why the mail is a bounce, or ""; ``sender`` and ``subject`` are in lower case.

    Four points make a bounce: the name of a mail daemon counts two, another role or the null
    sender one, a subject or a text of failure two each, a returned message one. Without a sign
    from the sender there must be the subject, the text, and SMTP talk or a whole mail returned:
    people quote "original messages" too.
    """
    points = _sender_points(sender, null_sender=null_sender)
    failing = _holds(subject, _SUBJECTS)
    if not points and not failing:
        return ""
    text = report_fields.loose_text(mail)[:_READ_CHARS]
    telling = _tells_failure(text.lower())
    talk = _has_original(mail) or _SESSION.search(text) is not None
    if not points:
        return "subject and text of a failure over a returned mail" if telling and talk else ""
    returned = talk or bool(notices.read(text).returned)
    if points + 2 * failing + 2 * telling + returned < 4:
        return ""
    found = {"subject": failing, "text": telling, "returned mail": returned}
    return ", ".join(["sender of a mail system", *(name for name, there in found.items() if there)])


def _sender_points(sender: str, *, null_sender: bool) -> int:
    points = int(null_sender) + (sender.strip() in ("", "<>"))
    if not any(word in sender for word in _SENDER_WORDS):
        return points
    if _DAEMONS.search(sender):
        return points + 2
    return points + (_ROLES.search(sender) is not None)


def _tells_failure(text: str) -> bool:
    return _REFUSALS.search(text) is not None or _holds(text, _TEXTS)


def _has_original(mail: Mail) -> bool:
    return any(part.content_type in report_fields.ORIGINAL_TYPES for part in mail.parts)


def _holds(text: str, table: str) -> bool:
    every, plain, beginnings, brief = _phrases(table)
    # Ordinary mail pays for this: a subject has fewer places than there are phrases, and an ASCII
    # text can hold no phrase of another script.
    if len(text) < _SUBJECT and beginnings.isdisjoint(
        zip(text, text[1:], text[2:], text[3:], strict=False)
    ):
        return any(phrase in text for phrase in brief)
    for phrase in plain if text.isascii() else every:
        if phrase in text:
            return True
    return False


class _Phrases(NamedTuple):
    """The phrases of a table: all, those in ASCII, how they begin, and the shortest."""

    every: tuple[str, ...]
    plain: tuple[str, ...]
    beginnings: frozenset[tuple[str, ...]]
    brief: tuple[str, ...]


@cache
def _phrases(table: str) -> _Phrases:
    every = tuple(table.strip().replace("\n", "|").split("|"))
    return _Phrases(
        every,
        tuple(phrase for phrase in every if phrase.isascii()),
        frozenset(tuple(phrase[:_BEGINNING]) for phrase in every),
        tuple(phrase for phrase in every if len(phrase) < _BEGINNING),
    )

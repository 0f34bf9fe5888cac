"""How automatic answers word their subjects and absences, in some forty languages.

Three grades: what only a program writes, what needs one more sign, and what needs two. A text
whose first lines declare that a program answers needs none of them.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import islice

from .quoted import is_answer
from .vocabulary import fold

_READ_CHARS = 1_500
_BEGINNING = 2  # characters; no phrase is shorter
_NEVER = 99  # signs that no text has
_TAG = re.compile(r"\[([^\]]{1,40})\]\s*")
_BRACKETED = re.compile(r"[\[(（【]([^\[\]()（）【】]{3,60})[\])）】]$| - ([^-]{3,60})$")
_DELIMITERS = ":：-–—([/|!.,"

# What mail clients put before the subject they answer.
_PREFIXES = """
automatic reply|automated reply|automatic response|automated response|auto reply|auto-reply
autoreply|auto response|auto-response|autoresponse|auto answer|autoresponder|auto:
out of office autoreply|out of office auto-reply|out-of-office reply|out of office reply
out of office message|automatische antwort|autom. antwort|automatische rückantwort
abwesenheitsnotiz|abwesenheitsnachricht|abwesenheitsmeldung|abwesenheitsassistent
abwesenheitsbenachrichtigung|automatische abwesenheitsnotiz|réponse automatique|réponse auto
message d'absence|message d’absence|notification d'absence|réponse automatique d'absence
respuesta automática|contestación automática|respuesta automatica|mensaje de ausencia
aviso de ausencia|risposta automatica|messaggio di assenza|resposta automática
mensagem de ausência|automatisch antwoord|automatische beantwoording|afwezigheidsbericht
afwezigheidsassistent|automatische reactie|autosvar|automatiskt svar|automatisk svar
frånvaromeddelande|fraværsmelding|fraværsbesked|fraværsmeddelelse|automaattinen vastaus
automaattivastaus|poissaoloviesti|poissaoloilmoitus|odpowiedź automatyczna|automatyczna odpowiedź
autoodpowiedź|automatická odpověď|automatická odpoveď|automatikus válasz|automatikus üzenet
răspuns automat|автоматичен отговор|автоматический ответ|автоответ|автоматична відповідь
автовідповідь|аўтаматычны адказ|αυτόματη απάντηση|otomatik yanıt|otomatik cevap|תשובה אוטומטית
מענה אוטומטי|رد تلقائي|الرد التلقائي|پاسخ خودکار|स्वचालित उत्तर|स्वचालित जवाब|स्वतः उत्तर
ตอบกลับอัตโนมัติ|การตอบกลับอัตโนมัติ|trả lời tự động|tự động trả lời|thư trả lời tự động
balasan otomatis|jawaban otomatis|balasan automatik|自動応答|自動返信|自動送信|不在通知|不在応答
自动答复|自动回复|自動回覆|自動回應|自動回复|自動答覆|자동 회신|자동회신|자동 응답|자동응답
부재중 응답|automatski odgovor|аутоматски одговор|автоматски одговор|samodejni odgovor
automaatvastus|automaatne vastus|automātiska atbilde|automātiskā atbilde|automatinis atsakymas
resposta automàtica|erantzun automatikoa|sjálfvirkt svar|përgjigje automatike|автоматты жауап
תגובה אוטומטית|स्वचालित प्रतिक्रिया|स्वतः प्रतिक्रिया|jibu la kiotomatiki|jibu otomatiki
majibu ya kiotomatiki|outomatiese antwoord|outomatiese reaksie|স্বয়ংক্রিয় উত্তর|தானியங்கி பதில்
خودکار جواب|автоматски одговор|freagra uathoibríoch|ymateb awtomatig|avtomatik javob
avtomatik cavab|ավտոմատ պատասխան|ავტომატური პასუხი|awtomatikong tugon
"""
# What a person may write too; one sign more is asked for.
_AWAY = """
out of office|out of the office|out-of-office|ooo|away from office|away from the office
away from my desk|away from my mail|i am out of the office|i'm out of the office
currently out of office|away|i am away|i'm away|on leave|niko likizo|nipo likizo|sipo ofisini
nje ya ofisi|uit die kantoor|met verlof|on annual leave|on parental leave|on maternity leave
abwesenheit|abwesend
nicht im büro|nicht im haus|außer haus|absence du bureau|absent du bureau|absente du bureau
absence|hors du bureau|en congé|en congés|fuera de la oficina|fuera de oficina
ausente de la oficina|ausencia|fuori ufficio|fuori sede|assenza dall'ufficio|assenza|assente
fora do escritório|ausente do escritório|ausência|ausência temporária|afwezig|afwezigheid
niet aanwezig|niet op kantoor|frånvaro|frånvarande|ej på kontoret|inte på kontoret|fravær
fraværende|ikke på kontoret|ikke til stede|poissa|poissa toimistosta|en ole paikalla|nieobecność
nieobecny|nieobecna|poza biurem|mimo kancelář|nepřítomnost|mimo kancelárie|neprítomnosť
házon kívül|irodán kívül|távollét|în afara biroului|absent din birou|извън офиса|вне офиса
отсутствие|нет на рабочем месте|в отпуске|поза офісом|відсутність|у відпустці|εκτός γραφείου
απουσία|απουσία από το γραφείο|ofis dışında|ofis dışındayım|izinde|מחוץ למשרד|לא במשרד|خارج المكتب
خارج از دفتر|कार्यालय से बाहर|ไม่อยู่ที่สำนักงาน|vắng mặt|di luar kantor|tidak di kantor
di luar pejabat|不在|不在連絡|休暇|外出|不在办公室|不在辦公室|休假|부재중|부재 중|부재|휴가
i am on holiday|i'm on holiday|i am on vacation|i'm on vacation|ich bin im urlaub|bin im urlaub
ich bin nicht da|je suis en vacances|je suis en congé|je suis en congés|je suis absent
je suis absente|absent|absente|ausente|부재중 알림|休假通知|休暇のお知らせ|不在のお知らせ
休暇中です|不在です|不在にしております
estoy de vacaciones|sono in ferie|estou de férias|ik ben met vakantie|ik ben op vakantie
jag har semester|jag är på semester|jeg er på ferie|jeg har ferie|olen lomalla|jestem na urlopie
jsem na dovolené|som na dovolenke|szabadságon vagyok|sunt în concediu|нет на месте|я в отпуске
я у відпустці|нет в офисе|в командировке|είμαι σε άδεια|tatildeyim|אני בחופשה|أنا في إجازة
saya cuti|sedang cuti|tôi nghỉ phép|休暇中|休假中|휴가 중
izvan ureda|van kancelarije|odsoten|odsotnost|odsutan|puudub|nav birojā|nesu biure
fora de l'oficina|bulegotik kanpo
"""
# Words of any mail about holidays; two signs more are asked for.
_LEAVE = """
vacation|vacation reply|vacation notice|holiday|annual leave|on leave|urlaub|vacances|vacaciones
ferie|férias|vakantie|maternity leave|parental leave|paternity leave|sick leave|elternzeit
betriebsferien|betriebsurlaub|fermeture annuelle|cierre por vacaciones|chiusura estiva
mutterschutz|congé maternité|vakantie|semester|loma|urlop|dovolená|dovolenka|szabadság|concediu
отпуск|отпуска
відпустка|άδεια|διακοπές|tatil|izin|חופשה|إجازة|nghỉ phép|cuti|godišnji odmor|dopust
"""
# What the text of an automatic answer says; each line is one sign, its phrases are the same sign.
_SIGNS = """
out of the office|out of office|away from the office|away from my desk|out until|away until|
on leave until
on annual leave|on vacation|on holiday|on parental leave|on maternity leave|annual leave
will be back|will return|when i am back|when i'm back|be back on|
back in the office|return on|
when i return|upon my return|
on my return
limited access to|no access to|not be forwarded|is not forwarded|not checking|not be checking|
not reading|will not be read|
without access
automatic reply|automatically generated|automated message|automatic response|automated response|
auto-reply
this is an automat|do not reply|autogenerated|no-reply|received your message|received your email
for urgent|for anything urgent|anything urgent|in urgent cases|if urgent|
if your matter is urgent|in my absence|during my absence|
urgent matters
nicht im büro|nicht im haus|außer haus|abwesend|im urlaub|in elternzeit|abwesenheit
wieder erreichbar|ab dem|wieder im büro|wieder da|zurück|nicht weitergeleitet|nicht gelesen
automatisch|in dringenden fällen|dringend
absent du bureau|absente du bureau|absent jusqu|absente jusqu|en congé|actuellement absent|
je suis absent
mon retour|de retour|en cas d'urgence|pour toute urgence|automatique
fuera de la oficina|fuera de oficina|estoy de vacaciones|de vacaciones|ausente|estaré fuera
mi regreso|regresaré|a mi vuelta|automátic|en caso de urgencia|para asuntos urgentes
fuori ufficio|fuori sede|sono in ferie|in ferie|sono assente|assente
al mio rientro|rientrerò|sarò di ritorno|automatic|per urgenze|in caso di urgenza
fora do escritório|estou de férias|de férias|ausente do|estarei ausente
meu retorno|retornarei|regresso|estarei de volta
caso de urgência|assuntos urgentes
afwezig|niet op kantoor|met vakantie|op vakantie
ben ik weer|weer aanwezig|weer bereikbaar|terug op
bij spoed|dringende
inte på kontoret|på semester|är ledig|föräldraledig|ikke på kontoret|på ferie|holder ferie|
fraværende
tillbaka|tilbage|tilbake|återkommer|kommer igen
vid brådskande|blir ikke lest|læses ikke|läses inte|ved hast|i hastesaker|hastende|lest i
poissa toimistosta|olen poissa|lomalla
palaan|kiireellis
poza biurem|na urlopie|nieobecn
wracam|wrócę|w pilnych
mimo kancelář|na dovolené|nepřítom|mimo kancelárie|na dovolenke|neprítom
vrátím|v naléhav|vrátim|v naliehav
házon kívül|irodán kívül|szabadságon|távol
visszatér|visszajöv|sürgős
în concediu|din birou|biroului
revin|voi reveni|urgențe
в отпуске|вне офиса|не будет в офисе|отсутств|на больничном|у відпустці|поза офісом|відсутн
вернусь|срочн|повернусь|термінов|ще се върна|спешн
извън офиса|в отпуск|отсъств
εκτός γραφείου|από το γραφείο|σε άδεια|απουσιάζω
επιστρέφω|επιστροφή|επείγ
ofis dışında|izindeyim|izinliyim
döneceğim|dönüş|acil
מחוץ למשרד|לא במשרד|בחופשה
אחזור|דחוף
خارج المكتب|في إجازة|در مرخصی
سأعود|للحالات العاجلة|بازگشت
ไม่อยู่ที่|ลาพัก|กลับมา|vắng mặt|nghỉ phép|quay lại|di luar kantor|sedang cuti|kembali|mendesak
不在にして|不在です|休暇|外出して|戻り次第|お急ぎの
外出|休假|出差|不在办公|不在辦公|回来后|回來後|紧急|緊急|无法及时
부재중|부재 중|휴가|출장|복귀|긴급
izvan ureda|van kancelarije|na godišnjem|odsut|odsot|vratit|vraćam|na dopustu
niko likizo|nipo likizo|sipo ofisini|nje ya ofisi|uit die kantoor|met verlof
nitarudi|kwa dharura|terug op|dringend
puhkusel|puudun|atvaļinājum|prombūtn|atostogos|nesu biure|de vacances|fora de l'oficina|oporretan
"""
# How the first lines of an answer say that no person wrote it, whatever its subject.
_DECLARED = """
this is an automatic reply|this is an automated reply|this is an automatic response
this is an automated response|this is an auto-reply|this is an auto reply|this is an autoreply
this is an automatically generated reply|this is an automatically generated response
automatic reply|automated reply|automated response|automatic response|auto-reply|autoreply
dies ist eine automatische antwort|das ist eine automatische antwort|automatische antwort
dies ist eine automatisch erzeugte antwort|dies ist eine automatisch generierte antwort
dies ist eine automatische abwesenheitsnotiz|diese antwort wurde automatisch erzeugt
diese antwort wurde automatisch generiert|ceci est une réponse automatique|réponse automatique
il s'agit d'une réponse automatique|esta es una respuesta automática|respuesta automática
este es un mensaje de respuesta automática|questa è una risposta automatica|risposta automatica
esta é uma resposta automática|resposta automática|dit is een automatisch antwoord
dit is een automatische reactie|automatisch antwoord|detta är ett automatiskt svar
det här är ett automatiskt svar|detta är ett autosvar|dette er et automatisk svar
dette er et autosvar|tämä on automaattinen vastaus|to jest automatyczna odpowiedź
to jest odpowiedź automatyczna|toto je automatická odpověď|toto je automatická odpoveď
ez egy automatikus válasz|acesta este un răspuns automat|това е автоматичен отговор
это автоматический ответ|это автоответ|це автоматична відповідь|це автовідповідь
αυτή είναι μια αυτόματη απάντηση|αυτή είναι αυτόματη απάντηση|bu otomatik bir yanıttır
bu bir otomatik yanıttır|זוהי תשובה אוטומטית|זו תשובה אוטומטית|זהו מענה אוטומטי|هذا رد تلقائي
این یک پاسخ خودکار است|यह एक स्वचालित उत्तर है|นี่คือการตอบกลับอัตโนมัติ|นี่เป็นการตอบกลับอัตโนมัติ
đây là thư trả lời tự động|đây là trả lời tự động|ini adalah balasan otomatis
ini adalah jawaban otomatis|这是一封自动回复|这是自动回复|此邮件为自动回复|本邮件为自动回复
這是自動回覆
此郵件為自動回覆|このメールは自動返信|本メールは自動返信|これは自動返信|このメールは自動応答
本メールは自動応答
이 메일은 자동 회신|본 메일은 자동 회신|이 메일은 자동 응답|본 메일은 자동 응답
"""
# The same of any message; that it answers one is seen by what it says of it.
_MACHINE = """
this is an automatic confirmation|this is an automated confirmation|this is an automatic message
this is an automated message|this is an automatically generated message|automatic message
automated message|this message was generated automatically|this message is automatically generated
this email was generated automatically|this is an automatic acknowledg|this is an automated email
diese nachricht wurde automatisch|diese e-mail wurde automatisch|diese mail wurde automatisch
dies ist eine automatische nachricht|dies ist eine automatisch|ceci est un message automatique
ce message a été généré automatiquement|ce message est automatique|este es un mensaje automático
este mensaje se ha generado automáticamente|questo è un messaggio automatico
esta é uma mensagem automática|dit is een automatisch bericht|detta är ett automatiskt meddelande
dette er en automatisk|tämä on automaattinen viesti|to jest wiadomość automatyczna
ta wiadomość została wygenerowana automatycznie|toto je automatická zpráva|ez egy automatikus üzenet
acesta este un mesaj automat|это автоматическое сообщение|это письмо создано автоматически
це автоматичне повідомлення|bu otomatik bir mesajdır
"""
_ANSWERS = """
received your message|received your email|received your e-mail|received your mail
received your enquiry|received your inquiry|no longer works|no longer with|has left the
nachricht erhalten|e-mail erhalten|anfrage erhalten|bei uns eingegangen|arbeitet nicht mehr
nicht mehr bei uns|bien reçu votre|ne travaille plus|hemos recibido su|hemos recibido tu
ya no trabaja|abbiamo ricevuto|non lavora più|recebemos a sua|recebemos sua|já não trabalha
não trabalha mais|bericht ontvangen|e-mail ontvangen|werkt niet meer|tagit emot ditt
arbetar inte längre|mottatt din|modtaget din|arbejder ikke længere|vastaanottaneet
otrzymaliśmy twoj|otrzymaliśmy państwa|nie pracuje|obdrželi jsme|již nepracuje|megkaptuk
am primit|получили ваш|больше не работает|отримали ваш|більше не працює|aldık|artık çalışmıyor
"""
_DECLARING_LINES = 3  # and sentences of each
_DECLARING = 300  # characters of a line
_DRAWN = '*#=~-–—_※[(<"“ \t'  # around such a line
_ON = tuple(f" {word} " for word in "to from auf von à a al alla op på till til na".split())
_NO_LATIN = 0x0370  # scripts from here on: their words may be joined to what follows
# What stands between the word for absence and its dates, folded.
_UNTIL = tuple(
    f"{word} "
    for word in (
        "until till from through bis vom ab du hasta del desde ate de fino dal al tot van t/m til "
        "fra fran t.o.m. asti do od pana до с от з μεχρι עד حتى من dari sampai hingga tu den hadi"
    ).split()
)


def is_automatic(subject: str, text: str) -> bool:
    """Say whether subject and text are an automatic answer's, judged by their words alone.

    A subject that answers or forwards ("Re: Automatic reply: …") was written by a person, unless
    the first lines of the text declare the answer of a program.
    """
    if _declares(text):
        return True
    subject = _folded(subject[:200])
    if tag := _TAG.match(subject):
        if _signs_needed(tag[1]) == 0:
            return True
        subject = subject[tag.end() :]
    needed = _signs_needed(subject)
    return needed == 0 or (needed < _NEVER and _signs(text) >= needed)


def _declares(text: str) -> bool:
    """Say whether one of the first lines declares that a program wrote this answer."""
    own = (s for s in text[:_READ_CHARS].splitlines() if s.strip() and not s.startswith(">"))
    declared, machine, answers = _declarations()
    for line in islice(own, _DECLARING_LINES):
        for sentence in _folded(line[:_DECLARING]).split(". ")[:_DECLARING_LINES]:
            said = sentence.lstrip(_DRAWN)
            if said.startswith(declared):
                found = (phrase for phrase in declared if said.startswith(phrase))
                return any(_closes(said[len(phrase) :], phrase) for phrase in found)
            if said.startswith(machine):
                head = _folded(text[:_READ_CHARS])
                return any(phrase in head for phrase in answers)
    return False


def _closes(rest: str, phrase: str) -> bool:
    """Say whether a declaration ends with its phrase, or goes on with what it answers."""
    if rest.lstrip()[:1] in ("", *_DELIMITERS, ";", "*", "]", "。"):
        return True
    return rest.startswith(_ON) or (ord(phrase[-1]) >= _NO_LATIN and rest[0] not in "?？")


def _signs_needed(subject: str) -> int:
    """Return how many signs of the text it takes; _NEVER when it is a subject like any other."""
    beginning = subject[:_BEGINNING]
    for needed, table in enumerate(_phrases()):
        phrases = table.get(beginning, ())
        if subject.startswith(phrases):
            if _ends(subject, phrases):
                return 0 if _answers(subject, phrases) else needed
            if needed == 0:
                return 1
            if _goes_on(subject, phrases):
                return needed + 1
    if subject.endswith(("]", ")", "）", "】")) or " - " in subject:
        match = _BRACKETED.search(subject)
        inside = (match[1] or match[2]).strip() if match else ""
        if any(inside in table.get(inside[:_BEGINNING], ()) for table in _phrases()[:2]):
            return 1
    return _NEVER


def _ends(subject: str, phrases: tuple[str, ...]) -> bool:
    """Say whether one of the phrases is followed by the end or a delimiter, not by more words."""
    for phrase in phrases:
        if subject.startswith(phrase):
            rest = subject[len(phrase) :].lstrip()
            if not rest or rest[0] in _DELIMITERS or phrase[-1] in _DELIMITERS:
                return True
    return False


def _answers(subject: str, phrases: tuple[str, ...]) -> bool:
    """Say whether the subject of an answer follows, as in "OOO: Re: lamps"."""
    rests = (subject[len(phrase) :] for phrase in phrases if subject.startswith(phrase))
    return any(is_answer(rest.lstrip(" " + _DELIMITERS)) for rest in rests)


def _goes_on(subject: str, phrases: tuple[str, ...]) -> bool:
    """Say whether one of the phrases is followed by a date, as in "Away until 12 March"."""
    found = next(phrase for phrase in phrases if subject.startswith(phrase))
    rest = subject[len(found) :]
    return rest[:1] == " " and (rest[1:2].isdigit() or rest[1:].startswith(_UNTIL))


def _signs(text: str) -> int:
    """Count the signs of absence or automation among the first words, without quoted lines."""
    head = "\n".join([s for s in text[:_READ_CHARS].splitlines() if not s.startswith(">")])
    head = _folded(head)
    return sum(any(phrase in head for phrase in sign) for sign in _sign_phrases())


@cache
def _phrases() -> tuple[dict[str, tuple[str, ...]], ...]:
    """Return the phrases of each table by how they begin: ordinary subjects begin like few."""
    found: list[dict[str, tuple[str, ...]]] = []
    for table in (_PREFIXES, _AWAY, _LEAVE):
        phrases: dict[str, tuple[str, ...]] = {}
        for phrase in map(_folded, table.strip().replace("\n", "|").split("|")):
            beginning = phrase[:_BEGINNING]
            phrases[beginning] = (*phrases.get(beginning, ()), phrase)
        found.append(phrases)
    return tuple(found)


@cache
def _declarations() -> tuple[tuple[str, ...], ...]:
    tables = (_DECLARED, _MACHINE, _ANSWERS)
    return tuple(tuple(map(_folded, t.strip().replace("\n", "|").split("|"))) for t in tables)


@cache
def _sign_phrases() -> tuple[tuple[str, ...], ...]:
    lines = _SIGNS.strip().replace("|\n", "|").split("\n")
    return tuple(tuple(_folded(p) for p in line.split("|")) for line in lines)


def _folded(text: str) -> str:
    return fold(text).strip()

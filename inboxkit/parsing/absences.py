"""How automatic answers word their subjects and absences, in some forty languages.

Three grades: what only a program writes, what needs one more sign, and what needs two.
"""

from __future__ import annotations

import re
from functools import cache

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
izvan ureda|van kancelarije|odsoten|odsotnost|odsutan|puudub|nav birojā|nesu biure
fora de l'oficina|bulegotik kanpo
"""
# Words of any mail about holidays; two signs more are asked for.
_LEAVE = """
vacation|vacation reply|vacation notice|holiday|annual leave|on leave|urlaub|vacances|vacaciones
ferie|férias|vakantie|semester|loma|urlop|dovolená|dovolenka|szabadság|concediu|отпуск|отпуска
відпустка|άδεια|διακοπές|tatil|izin|חופשה|إجازة|nghỉ phép|cuti|godišnji odmor|dopust
"""
# What the text of an automatic answer says; each line is one sign, its phrases are the same sign.
_SIGNS = """
out of the office|out of office|away from the office|away from my desk|out until|away until|
on leave until
on annual leave|on vacation|on holiday|on parental leave|on maternity leave|annual leave
will be back|will return|be back on|back in the office|return on|when i return|upon my return|
on my return
limited access to|no access to|not checking|not be checking|not reading|will not be read|
without access
automatic reply|automatically generated|automated message|automatic response|automated response|
auto-reply
this is an automat|do not reply|autogenerated|no-reply|received your message|received your email
for urgent|in urgent cases|if urgent|if your matter is urgent|in my absence|during my absence|
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
fora do escritório|estou de férias|de férias|ausente do|estarei ausente|meu retorno|retornarei|
regresso
afwezig|niet op kantoor|met vakantie|op vakantie|ben ik weer|weer aanwezig|bij spoed|terug op
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

    A subject that answers or forwards ("Re: Automatic reply: …") was written by a person.
    """
    subject = _folded(subject[:200])
    if tag := _TAG.match(subject):
        if _signs_needed(tag[1]) == 0:
            return True
        subject = subject[tag.end() :]
    needed = _signs_needed(subject)
    return needed == 0 or (needed < _NEVER and _signs(text) >= needed)


def _signs_needed(subject: str) -> int:
    """Return how many signs of the text it takes; _NEVER when it is a subject like any other."""
    beginning = subject[:_BEGINNING]
    for needed, table in enumerate(_phrases()):
        phrases = table.get(beginning, ())
        if subject.startswith(phrases):
            if _ends(subject, phrases):
                return needed
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
def _sign_phrases() -> tuple[tuple[str, ...], ...]:
    lines = _SIGNS.strip().replace("|\n", "|").split("\n")
    return tuple(tuple(_folded(p) for p in line.split("|")) for line in lines)


def _folded(text: str) -> str:
    return fold(text).strip()

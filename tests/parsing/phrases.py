"""How mail programs of many languages word what is not the writer's own. Data for tests."""

from __future__ import annotations

ATTRIBUTIONS = """\
On Tue, 3 Mar 2026 at 10:01, Ann Lee <ann@shop.example> wrote:
On 3 March 2026 10:01:22 CET, Ann Lee <ann@shop.example> wrote:
On Mar 3, 2026, at 10:01 AM, Ann Lee via Desk <desk@shop.example> wrote:
Ann Lee <ann@shop.example> wrote on Tue, 3 Mar 2026 at 10:01:
Am 03.03.26 um 10:01 schrieb Ann Lee:
Am Di., 3. März 2026 um 10:01 Uhr schrieb Ann Lee <ann@shop.example>:
Ann Lee <ann@shop.example> schrieb am Di., 3. März 2026, 10:01:
Le mar. 3 mars 2026 à 10:01, Ann Lee <ann@shop.example> a écrit :
Le 03/03/2026 à 10:01, Ann Lee a écrit :
El mar, 3 mar 2026 a las 10:01, Ann Lee (<ann@shop.example>) escribió:
El 3/3/26 a las 10:01, Ann Lee escribió:
Em ter., 3 de mar. de 2026 às 10:01, Ann Lee <ann@shop.example> escreveu:
Em 03/03/2026 10:01, Ann Lee escreveu:
Il giorno mar 3 mar 2026 alle ore 10:01 Ann Lee <ann@shop.example> ha scritto:
Il 03/03/26 10:01, Ann Lee ha scritto:
Op di 3 mrt 2026 om 10:01 schreef Ann Lee <ann@shop.example>:
Op 03-03-2026 om 10:01 schreef Ann Lee:
Den tis 3 mars 2026 kl 10:01 skrev Ann Lee <ann@shop.example>:
tir. 3. mars 2026 kl. 10:01 skrev Ann Lee <ann@shop.example>:
Den tirs. 3. mar. 2026 kl. 10.01 skrev Ann Lee <ann@shop.example>:
ti 3. maalisk. 2026 klo 10.01 Ann Lee (ann@shop.example) kirjoitti:
Ann Lee kirjoitti 3.3.2026 klo 10:01:
wt., 3 mar 2026 o 10:01 Ann Lee <ann@shop.example> napisał(a):
W dniu 3.03.2026 o 10:01, Ann Lee pisze:
út 3. 3. 2026 v 10:01 odesílatel Ann Lee <ann@shop.example> napsal:
Dne 03. 03. 26 v 10:01 Ann Lee napsal(a):
ut 3. 3. 2026 o 10:01 Ann Lee <ann@shop.example> napísal(a):
Ann Lee <ann@shop.example> ezt írta (időpont: 2026. márc. 3., K, 10:01):
2026. 03. 03. 10:01 keltezéssel, Ann Lee írta:
În mar., 3 mar. 2026 la 10:01, Ann Lee <ann@shop.example> a scris:
вт, 3 мар. 2026 г. в 10:01, Ann Lee <ann@shop.example>:
Вторник, 3 марта 2026, 10:01 +03:00 от Ann Lee <ann@shop.example>:
03.03.2026 10:01, Ann Lee пишет:
вт, 3 бер. 2026 р. о 10:01 Ann Lee <ann@shop.example> пише:
На вт, 3.03.2026 г. в 10:01 Ann Lee <ann@shop.example> написа:
Στις Τρί 3 Μαρ 2026 στις 10:01 π.μ., ο/η Ann Lee <ann@shop.example> έγραψε:
3 Mar 2026 Sal 10:01 tarihinde Ann Lee <ann@shop.example> şunu yazdı:
‫בתאריך יום ג׳, 3 במרץ 2026 ב-10:01 מאת ‪Ann Lee‬‏ <‪ann@shop.example‬‏>:‬
בתאריך 3/3/2026 10:01, Ann Lee כתב:
في الثلاثاء، 3 مارس 2026 في 10:01 ص تمت كتابة ما يلي بواسطة Ann Lee <ann@shop.example>:
در تاریخ سه‌شنبه ۳ مارس ۲۰۲۶ ساعت ۱۰:۰۱ Ann Lee <ann@shop.example> نوشت:
2026年3月3日(火) 10:01 Ann Lee <ann@shop.example>:
2026/03/03 10:01、Ann Lee <ann@shop.example>のメール:
2026년 3월 3일 (화) 오전 10:01, Ann Lee <ann@shop.example>님이 작성:
2026. 3. 3. 오전 10:01에 Ann Lee 이(가) 쓴 글:
Ann Lee <ann@shop.example> 于2026年3月3日周二 10:01写道：
在 2026/3/3 10:01, Ann Lee 写道:
在 2026年3月3日，10:01，Ann Lee <ann@shop.example> 写道：
Ann Lee <ann@shop.example> 於 2026年3月3日 週二 上午10:01寫道：
Vào Th 3, 3 thg 3, 2026 vào lúc 10:01 Ann Lee <ann@shop.example> đã viết:
Pada Sel, 3 Mar 2026 pukul 10.01 Ann Lee <ann@shop.example> menulis:
เมื่อ อ. 3 มี.ค. 2026 เวลา 10:01 Ann Lee <ann@shop.example> เขียนว่า:
मंगल, 3 मार्च 2026 को 10:01 बजे को Ann Lee <ann@shop.example> ने लिखा:
El dt., 3 de març 2026 a les 10:01, Ann Lee <ann@shop.example> va escriure:
uto, 3. ožu 2026. u 10:01 Ann Lee <ann@shop.example> napisao je:
V V tor., 3. mar. 2026 ob 10:01 je oseba Ann Lee <ann@shop.example> napisala:
2026-03-03, an, 10:01 Ann Lee <ann@shop.example> rašė:
otrd., 2026. g. 3. marts plkst. 10:01 — lietotājs Ann Lee (<ann@shop.example>) rakstīja:
Kontakt Ann Lee (<ann@shop.example>) kirjutas kuupäeval T, 3. märts 2026 kell 10:01:
уто, 3. мар 2026. у 10:01 Ann Lee <ann@shop.example> је написао/ла:
---- On Tue, 03 Mar 2026 10:01:22 +0100 Ann Lee <ann@shop.example> wrote ----
Ann Lee <ann@shop.example>, 3 Mar 2026, 10:01 tarihinde yazdı:
On 2026-03-03 10:01, ann@shop.example wrote:
* Ann Lee <ann@shop.example> [2026-03-03 10:01]:
ann@shop.example wrote:
Ann Lee <ann@shop.example> skrifaði (þri. 3. mar. 2026 kl. 10:01):
Ar an Máirt 3 Márta 2026 ag 10:01, scríobh Ann Lee <ann@shop.example>:
Ar ddydd Maw 3 Maw 2026 10:01 ysgrifennodd Ann Lee <ann@shop.example>:
Më mar., 3 mar 2026 në 10:01, Ann Lee <ann@shop.example> shkroi:
On Tue, 3 Mar 2026, 10:01 Ann Lee, <ann@shop.example> wrote:
""".splitlines()

# The names of From, Sent, To, Cc and Subject as Outlook writes them.
HEADS = {
    "en": ("From", "Sent", "To", "Cc", "Subject"),
    "de": ("Von", "Gesendet", "An", "Cc", "Betreff"),
    "fr": ("De", "Envoyé", "À", "Cc", "Objet"),
    "fr2": ("De ", "Envoyé ", "À ", "Cc ", "Objet "),
    "es": ("De", "Enviado", "Para", "CC", "Asunto"),
    "pt": ("De", "Enviado", "Para", "Cc", "Assunto"),
    "pt2": ("De", "Enviada em", "Para", "Cc", "Assunto"),
    "it": ("Da", "Inviato", "A", "Cc", "Oggetto"),
    "nl": ("Van", "Verzonden", "Aan", "CC", "Onderwerp"),
    "sv": ("Från", "Skickat", "Till", "Kopia", "Ämne"),
    "nb": ("Fra", "Sendt", "Til", "Kopi", "Emne"),
    "da": ("Fra", "Sendt", "Til", "Cc", "Emne"),
    "fi": ("Lähettäjä", "Lähetetty", "Vastaanottaja", "Kopio", "Aihe"),
    "pl": ("Od", "Wysłano", "Do", "DW", "Temat"),
    "cs": ("Od", "Odesláno", "Komu", "Kopie", "Předmět"),
    "sk": ("Od", "Odoslané", "Komu", "Kópia", "Predmet"),
    "hu": ("Feladó", "Elküldve", "Címzett", "Másolatot kap", "Tárgy"),
    "ro": ("De la", "Trimis", "Către", "Cc", "Subiect"),
    "ru": ("От", "Отправлено", "Кому", "Копия", "Тема"),
    "uk": ("Від", "Надіслано", "Кому", "Копія", "Тема"),
    "bg": ("От", "Изпратено", "До", "Копие", "Относно"),
    "el": ("Από", "Στάλθηκε", "Προς", "Κοιν.", "Θέμα"),
    "tr": ("Kimden", "Gönderildi", "Kime", "Bilgi", "Konu"),
    "he": ("מאת", "נשלח", "אל", "עותק", "נושא"),
    "ar": ("من", "تم الإرسال", "إلى", "نسخة", "الموضوع"),
    "fa": ("از", "ارسال شده", "به", "رونوشت", "موضوع"),
    "ja": ("差出人", "送信日時", "宛先", "CC", "件名"),
    "zh": ("发件人", "发送时间", "收件人", "抄送", "主题"),
    "zht": ("寄件者", "傳送時間", "收件者", "副本", "主旨"),
    "ko": ("보낸 사람", "보낸 날짜", "받는 사람", "참조", "제목"),
    "th": ("จาก", "ส่งเมื่อ", "ถึง", "สำเนา", "เรื่อง"),
    "vi": ("Từ", "Đã gửi", "Đến", "Cc", "Chủ đề"),
    "id": ("Dari", "Dikirim", "Kepada", "Cc", "Perihal"),
    "hr": ("Šalje", "Poslano", "Prima", "Cc", "Predmet"),
    "sl": ("Od", "Poslano", "Za", "Kp", "Zadeva"),
    "sr": ("Од", "Послато", "За", "Копија", "Наслов"),
    "et": ("Saatja", "Saadetud", "Adressaat", "Koopia", "Teema"),
    "lv": ("No", "Nosūtīts", "Kam", "Kopija", "Tēma"),
    "lt": ("Nuo", "Išsiųsta", "Kam", "Kopija", "Tema"),
    "ca": ("De", "Enviat", "Per a", "A/c", "Tema"),
    "hi": ("प्रेषक", "भेजा गया", "प्राप्तकर्ता", "प्रतिलिपि", "विषय"),
}

DEVICE_LINES = """\
Sent from my iPhone
Sent from my Galaxy
Sent from Outlook for iOS
Get Outlook for Android
Sent from Yahoo Mail on Android
Sent from Proton Mail for iOS
Sent via Superhuman
Von meinem iPhone gesendet
Gesendet von meinem Samsung Galaxy Smartphone.
Von Outlook für iOS gesendet
Envoyé de mon iPhone
Envoyé à partir de Outlook pour Android
Enviado desde mi iPhone
Enviado desde Outlook para iOS
Enviado do meu iPhone
Enviado do meu Galaxy
Inviato da iPhone
Inviato dal mio dispositivo Huawei
Verstuurd vanaf mijn iPhone
Verzonden vanuit Outlook voor Android
Skickat från min iPhone
Sendt fra min iPhone
Lähetetty iPhonesta
Wysłane z iPhone'a
Wysłane z iPhone’a
Odesláno z iPhonu
Odesláno z mého iPhonu
Odoslané z iPhonu
iPhone-omról küldve
Az iPhone-omról küldve
Trimis de pe iPhone-ul meu
Отправлено с iPhone
Отправлено из мобильной Почты Mail.ru
Надіслано з iPhone
Изпратено от моя iPhone
Στάλθηκε από το iPhone μου
iPhone'umdan gönderildi
iPhone'dan gönderildi
נשלח מה-iPhone שלי
أُرسلت من الـ iPhone
تم الإرسال من هاتفي
ارسال شده از iPhone من
iPhoneから送信
Galaxyから送信
从我的 iPhone 发送
發自我的 iPhone
发自我的小米手机
나의 iPhone에서 보냄
내 Galaxy에서 보냄
ส่งจาก iPhone ของฉัน
Được gửi từ iPhone của tôi
Dikirim dari iPhone saya
Poslano z mojega iPhona
Poslano s mog iPhonea
Saadetud minu iPhone'ist
Nosūtīts no mana iPhone
Išsiųsta iš mano iPhone
मेरे iPhone से भेजा गया
Enviat des del meu iPhone
Послато са мог iPhone-а
""".splitlines()

# All of them answer a mail with the subject "Budget".
AUTOMATIC_SUBJECTS = """\
Automatic reply: Budget
Auto: Out of office Re: Budget
Automatische Antwort: Budget
Abwesenheitsnotiz: Budget
Réponse automatique : Budget
Réponse automatique: Budget
Respuesta automática: Budget
Resposta automática: Budget
Risposta automatica: Budget
Automatisch antwoord: Budget
Automatiskt svar: Budget
Automatisk svar: Budget
Autosvar: Budget
Automaattinen vastaus: Budget
Odpowiedź automatyczna: Budget
Automatická odpověď: Budget
Automatická odpoveď: Budget
Automatikus válasz: Budget
Răspuns automat: Budget
Автоматический ответ: Budget
Автоответ: Budget
Автоматична відповідь: Budget
Автоматичен отговор: Budget
Αυτόματη απάντηση: Budget
Otomatik yanıt: Budget
תגובה אוטומטית: Budget
מענה אוטומטי: Budget
رد تلقائي: Budget
پاسخ خودکار: Budget
自動応答: Budget
自动回复: Budget
自動回覆: Budget
자동 회신: Budget
การตอบกลับอัตโนมัติ: Budget
Tự động trả lời: Budget
Trả lời tự động: Budget
Balasan otomatis: Budget
Automatski odgovor: Budget
Samodejni odgovor: Budget
Automatinis atsakymas: Budget
Automātiska atbilde: Budget
Automaatvastus: Budget
स्वचालित उत्तर: Budget
स्वचालित प्रतिक्रिया: Budget
Jibu la kiotomatiki: Budget
Outomatiese antwoord: Budget
Automated response: Budget
[Auto-Reply] Budget
AutoReply: Budget
Resposta automàtica: Budget
Erantzun automatikoa: Budget
Përgjigje automatike: Budget
Avtomatik cavab: Budget
Otomatik Cevap: Budget
自动答复: Budget
自動返信: Budget
""".splitlines()

ABSENCES = (
    (
        "Abwesend bis 12.03.",
        "Ich bin bis 12.03. nicht im Büro. In dringenden Fällen wenden Sie sich an Jan.",
    ),
    ("Niko likizo", "Niko likizoni hadi 12 Machi. Kwa dharura wasiliana na Juma."),
    ("Absence du bureau", "Je suis absent jusqu'au 12 mars. En cas d'urgence, contactez Léa."),
    ("Fuori ufficio", "Sono in ferie fino al 12 marzo. Per urgenze contattare Ugo."),
    ("不在通知", "3月12日まで休暇をいただいております。お急ぎの方は田中まで。"),
    ("부재중", "3월 12일까지 휴가입니다. 긴급한 일은 김에게 연락 주세요."),
    ("Poza biurem", "Jestem na urlopie do 12 marca. W pilnych sprawach proszę pisać do Jana."),
    ("Ofis dışındayım", "12 Mart'a kadar izindeyim. Acil durumlarda Can ile iletişime geçin."),
    ("Vắng mặt", "Tôi nghỉ phép đến 12/3. Việc gấp xin liên hệ Lan."),
    ("מחוץ למשרד", "אני בחופשה עד 12 במרץ. במקרה דחוף פנו לדנה."),
    (
        "On leave until 12 March",
        "I am on leave until 12 March with no access to email. For urgent matters write to Jo.",
    ),
    ("Away: back Monday", "I am away and will be back on Monday. For urgent matters write to Jo."),
    ("I am away from my desk", "Limited access to email. Will return Monday."),
)

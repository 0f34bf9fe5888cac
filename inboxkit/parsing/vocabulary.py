"""Words by which mail programs speak of mail, in many languages; compared after ``fold``.

Data only: verbs of writing, names of head fields, words for a message, and what devices sign with.
"""

from __future__ import annotations

import unicodedata

BIDI = dict.fromkeys(
    [0x00AD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
)
_BIDI_SIGNS = frozenset(map(chr, BIDI))


def fold(text: str) -> str:
    """Return the text in lower case and without accents, to compare words."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    combining = unicodedata.combining
    kept = [c for c in plain if c < "\x80" or not (combining(c) or c in _BIDI_SIGNS)]
    return "".join(kept).casefold()


def _words(*lines: str) -> tuple[str, ...]:
    return tuple(fold(word.replace("_", " ")) for line in lines for word in line.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(fold(phrase.strip()) for phrase in text.split(","))


# Forms of "wrote" and "writes", as whole words.
VERBS = frozenset(
    _words(
        "wrote writes schrieb schrieben schreibt schreift écrit écrivait escribió escribe",
        "escribiu escreveu scritto scrittu schreef schrijft geschreven geskryf skreau skrev",
        "skriver skreiv skrifaði skrivaði kirjoitti napisał napisała pisze napsal napsala",
        "napísal napísala písal írta scris scrisse написа написал написала писал пишет написав",
        "пише написао писао напиша піша напісаў napisao napisala piše zapisal sporoča έγραψε",
        "yazdı yazmış yazıb жазды yozdi yozgan язды бичсэн كتب كتبت وكتب יכתב כתב כתבה نوشت",
        "نوشته لکھا يازدى نووسی लिखा लिहिले लिहीले লিখেছেন লিখেছে લખ્યું எழுதியது எழுதினார்",
        "రాశారు ಬರೆದರು എഴുതി ലേഖി ලිවීය เขียนว่า viết menulis nulis rašė parašė rakstīja",
        "kirjutas escrit escriure escrigué scribite scripsit skribis idatzi scríobh sgrìobh",
        "ysgrifennodd skrivet kiteb shkroi nivîsî დაწერა წერდა գրեց գրել sumulat aliandika",
        "yafashe",
    )
)
# The same in scripts that put no space between words.
JOINED_VERBS = _words(
    "提到 写道 寫道 写到 寫到 写了 寫了 のメール 書きました 書いた より 작성 쓴 썼 씀 님의",
    "เขียน សរសេរ",
)

_FROM = _phrases(
    "from, sender, von, vun, de, da, van, fan, fra, från, frá, lähettäjä, od, feladó, küldő, "
    "de la, от, від, од, ад, από, kimden, gönderen, göndərən, kimdən, kimdan, מאת, שולח, من, "
    "المرسل, مرسل, از, فرستنده, ارسال کننده, प्रेषक, भेजने वाला, से, থেকে, প্রেরক, இருந்து, "
    "அனுப்புநர், அனுப்பியவர், ಇಂದ, പ്രേഷിതൻ, പ്രേഷിതാവ്, จาก, ผู้ส่ง, từ, người gửi, dari, "
    "pengirim, daripada, 差出人, 送信者, 送信元, 发件人, 發件人, 寄件者, 寄件人, 보낸 사람, "
    "보낸사람, 보내는 사람, 발신, 발신인, 발신자, no, nuo, siuntėjas, sūtītājs, saatja, "
    "kellelt, sendandi, sendanto, remitente, remetente, expéditeur, mittente, absender, "
    "afzender, afsender, avsändare, avsender, odesílatel, odosielateľ, nadawca, pošiljatelj, "
    "pošiljalac, šalje, пошиљалац, отправитель, відправник, подател, испраќач, expeditor, "
    "αποστολέας, remitent, nork, igorlea, eus, ó, seolaí, o, oddi wrth, nga, dërguesi, "
    "გამგზავნი, ვისგან, ումից, ուղարկող, кімнен, хэнээс, mula kay, kutoka, ji"
)
_DATE = _phrases(
    "sent, date, date sent, gesendet, gesendet am, datum, envoyé, envoyé le, date d'envoi, "
    "enviado, enviado el, enviado em, enviada em, enviada, fecha, fecha de envío, data, "
    "data di invio, inviato, inviato il, mandatu, verzonden, verzonden op, ferstjoerd, sendt, "
    "sendt den, dato, dags, skickat, skickat den, lähetetty, päivämäärä, päiväys, pvm, wysłano, "
    "data wysłania, odesláno, odoslané, dátum, küldve, elküldve, trimis, dată, data trimiterii, "
    "отправлено, дата, дата отправки, надіслано, відправлено, адпраўлена, изпратено, изпратен, "
    "испратено, датум, poslano, послато, στάλθηκε, εστάλη, ημερομηνία, gönderildi, "
    "gönderilme tarihi, tarih, göndərilib, tarix, sana, күні, נשלח, תאריך, تم الإرسال, أرسلت, "
    "بتاريخ, التاريخ, تاريخ, ارسال شده, ارسال شد, تاریخ, दिनांक, भेजा गया, तारीख, तारिख, তারিখ, "
    "தேதி, அனுப்பியது, ದಿನಾಂಕ, തീയതി, അയച്ചു, วันที่, ส่ง, ส่งเมื่อ, เมื่อ, đã gửi, ngày, gửi, "
    "dikirim, tanggal, terkirim, dihantar, tarikh, 送信日時, 日時, 日付, 发送时间, 发送日期, "
    "日期, 时间, 時間, 寄件日期, 傳送時間, 傳送日期, 發送時間, 보낸 날짜, 보낸날짜, 보낸 시간, "
    "날짜, 일시, 작성일, išsiųsta, nosūtīts, datums, saadetud, kuupäev, dagsetning, send dags, "
    "enviat, bidalia, kaset, deiz, dáta, dyddiad, anfonwyd, dërguar, dërguar më, თარიღი, "
    "გაგზავნილია, ամսաթիվ, ուղարկված, petsa, tarehe, огноо, sendita, sendita je, dîrok, "
    "aukeratu"
)
_TO = _phrases(
    "to, pour, an, un, à, a, para, aan, oan, til, till, vastaanottaja, saaja, do, dla, komu, "
    "címzett, către, la, кому, до, на, за, каму, za, prima, primatelj, primalac, prejemnik, "
    "προς, kime, alıcı, kimə, kimga, кімге, אל, ל, נמען, إلى, الى, المستقبل, المستلم, به, "
    "گیرنده, प्राप्तकर्ता, पाने वाला, को, প্রতি, প্রাপক, பெறுநர், ಗೆ, സ്വീകർത്താവ്, ถึง, "
    "ผู้รับ, tới, đến, người nhận, kepada, ke, untuk, 宛先, 送信先, 收件人, 收件者, 받는 사람, "
    "받는사람, 수신, 수신인, 수신자, kam, gavėjas, saņēmējs, kellele, viðtakandi, al, "
    "destinatario, destinatário, destinataire, empfänger, ontvanger, modtager, mottagare, "
    "mottaker, příjemce, príjemca, adresat, получатель, одержувач, получател, παραλήπτης, "
    "destinatar, per a, nori, chuig, gu, at, për, ვის, ում, ստացող, kay, kwa, хэнд, bo"
)
_SUBJECT = _phrases(
    "subject, betreff, betr, objet, sujet, sughjettu, asunto, assunto, oggetto, onderwerp, "
    "ûnderwerp, underwerp, emne, ämne, evni, aihe, otsikko, temat, předmět, věc, predmet, vec, "
    "tárgy, subiect, тема, тэма, относно, предмет, наслов, naslov, zadeva, θέμα, konu, mövzu, "
    "mavzu, тақырып, נושא, הנדון, الموضوع, موضوع, مضمون, عنوان, विषय, सबजेक्ट, বিষয়, பொருள், "
    "தலைப்பு, ವಿಷಯ, വിഷയം, เรื่อง, หัวข้อ, หัวเรื่อง, หัวจดหมาย, chủ đề, tiêu đề, perihal, "
    "subjek, judul, hal, 件名, 題名, タイトル, 主题, 主題, 主旨, 标题, 標題, 제목, tema, temo, "
    "temats, teema, efni, viðfangsefni, assumpte, gaia, ábhar, cuspair, pwnc, danvez, sujed, "
    "subjekti, subjekt, თემა, საგანი, სათაური, թեմա, վերնագիր, paksa, mada, гарчиг, mijar"
)
_OTHER = _phrases(
    "cc, bcc, kopie, copie, copia, cópia, kopia, kopi, kopio, másolat, копия, копія, κοιν, "
    "κοινοποίηση, bilgi, עותק, نسخة, 抄送, 副本, 참조, สำเนา, reply-to, reply to, antwort an, "
    "répondre à, responder a, risposta, rispondi a, antwoord aan, svar til, svara till, 返信先, "
    "importance, priority, wichtigkeit, priorität, importancia, importanza, attachments, "
    "anlagen, pièces jointes, adjuntos, allegati, bijlagen, bilagor, вложения, organization, "
    "message-id"
)
# The role of a head field by its name; a name of several roles has the last one.
ROLES = {
    name: role
    for role, names in (
        ("other", _OTHER),
        ("to", _TO),
        ("date", _DATE),
        ("subject", _SUBJECT),
        ("from", _FROM),
    )
    for name in names
}

# Stems of words for a message, and of "original" and "forwarded".
MESSAGE = _words(
    "message messag mail courriel correo nachricht mensaje mensagem mensaxe messaggio bericht",
    "berjocht meddelande besked melding brev boð wiadomosc zpráva správa üzenet levél mesaj",
    "mesaĝ сообщени письм писм ліст паведамлен повідомлен лист съобщени порак порук poruka",
    "sporočilo μήνυμα ileti məktub xat 邮件 郵件 メッセージ メール 메시지 메일 ข้อความ จดหมาย",
    "thư tin_nhắn pesan mesej رسال پیام הודע viesti skilabo skeyti kiri ziņojum ziņa vēstul",
    "laišk missatge mezu kemennad teachtaireacht neges mesazh peyam შეტყობინებ მესიჯ წერილ",
    "հաղորդագր նամակ संदेश मैसेज বার্তা செய்தி ಸಂದೇಶ സന്ദേശം",
)
PASSED_ON = _words(
    "original orixinal orizjineel orîjînal forward weitergeleit ursprünglich transf transmis",
    "transmi initial reenvi reexpedi encaminh inoltr doorgest doorges origine oorspronk",
    "oarspronk vidarebe ursprung uppruna videres oprindelig opprinnelig przekaz przesł oryginal",
    "přepos původn prepos pôvodn továbbít eredeti redirec исходн пересл переадрес оригинал",
    "арыгінал зыходн пересилан переслан препрат proslijeđen izvorn posredovan izvirn πρωτότυπ",
    "αρχικ προωθημέν iletil özgün orijinal originalus 原始 转发 轉寄 轉發 転送 元の 전달 원본",
    "원래 ส่งต่อ ต้นฉบับ gốc chuyển_tiếp diteruskan asli asal asl أصل اصل أصلي معاد محول הועבר",
    "מקורי alkuperäi välitet persiųs pārsūt sākotn edastat algne birbidal jatorriz áframsen",
    "kemennadenn_orin bunaidh საწყის ორიგინალ սկզբնական मूल মূল ಮೂಲ",
)

# Participles of "sent", as the beginnings of words.
SENT = _words(
    "الإرسال sent gesendet geschickt versendet verschickt envoyé enviado enviada enviat inviato",
    "inviata verzonden verstuurd gestuurd gestuur ferstjoerd skickat skickad sendt lähetetty",
    "wysłan odeslán odoslan poslán poslan poslat küldve elküldve küldt trimis отправлен послан",
    "послат надіслан відправлен изпратен испратен εστάλη στάλθηκε απεστάλη gönderil göndəril",
    "נשלח أرسل مرسل ارسال إرسال भेजा পাঠানো gửi dikirim dihantar ipinadala saadetud nosūtīt",
    "išsiųst siųst bidalia igorria seolta anfonwyd dërguar გაგზავნ ուղարկ жібері yuboril",
    "imetumwa адпраўлен илгээ sendita",
)
JOINED_SENT = _words(
    "送信 보냈 来自 來自 发自 發自 发送 發送 傳送 传送 寄出 寄自 보냄 보낸 전송 발송 ส่ง भेज",
)
# What may stand before it.
AUXILIARIES = frozenset(
    _words(
        "đã được تم az",
    )
)
# Prepositions between "sent" and the device.
VIA = frozenset(
    _words(
        "from via with using through von vom mit über aus per depuis de du des avec à desde con",
        "mediante do da dal dalla dall pelo pela com através vanaf van vanuit met uit från med",
        "fra frå úr z ze za pomocą iz s sa sa_svog preko putem из с со через при з із зі от",
        "чрез од από με μέσω din cu prin hjá la no iš no_mana met_behulp từ bằng dari melalui",
        "من عبر از מה מ באמצעות o ó nga me через_почту",
    )
)
GET = frozenset(
    _words(
        "downloaden herunterladen herunter laden beziehen abrufen ophalen get download hol hole",
        "holen lade obtenir obtenez télécharger téléchargez obtener obtén obtenga descargar",
        "descarga descargue obter obtenha baixe baixar transferir scarica ottieni hämta skaffa",
        "skaff hent last få lataa hanki pobierz získejte stáhnout stáhněte získajte stiahnuť",
        "letöltés letöltése beszerzése obțineți descărcați скачать загрузить загрузите получить",
        "отримати завантажити λήψη αποκτήστε edinin indir indirin al tải unduh dapatkan احصل",
        "تنزيل הורד קבל nabavite preuzmite prenesite изтегляне изтеглете",
    )
)
JOINED_GET = _words(
    "获取 取得 下载 下載 入手 다운로드 받기 ดาวน์โหลด รับ",
)

BRANDS = _words(
    "iphon ipad ipod ios apple android blackberry nokia samsung galaxy huawei xiaomi redmi oppo",
    "oneplus pixel motorola xperia htc lumia windows macbook outlook айфон آیفون אייפון",
)
DEVICES = BRANDS + _words(
    "mail gmail yahoo aol gmx proton thunderbird spark tutanota tuta zoho yandex яндекс почт",
    "пошт superhuman device tablet phone telefon téléphone teléfono telefono telemóvel",
    "telemóveis telefoon puhel celular cellulare móvil mobil mobiel handy cell portable",
    "smartphone smarttelefon kännykkä телефон смартфон мобил мобіл κινητό cep ponsel điện",
    "di_động thiết मोबाइल फोन মোবাইল هاتف جوال موبايل گوشی נייד סלולר dispositiv gerät appareil",
    "apparaat enhed enhet laite urządze zařízení zariaden készülék eszköz dispozitiv устройств",
    "пристро συσκευ cihaz perangkat جهاز מכשיר seade ierīc įrengin",
)
JOINED_DEVICES = _words(
    "טלפון נייד סלולר هاتف جوال 手机 手機 携帯 スマート スマホ 휴대폰 핸드폰 스마트폰 아이폰",
    "갤럭시 デバイス 设备 設備 装置 기기 โทรศัพท์ มือถือ อุปกรณ์",
)
PLATFORMS = _words(
    "ios iphon ipad android windows mac",
)
EXCUSE = _words(
    "excuse excus sorry pardon forgive apolog typo brevity brief misspell autocorrect",
    "entschuldig kürze tippfehler désolé brièveté disculp perdón brevedad desculp brevidad",
    "brevità scus ursäkta korthet undskyld unnskyld beklag anteeksi lyhy wybacz przepraszam",
    "zwięz omluv struč ospraved elnéz rövid scuz concizi извин прост кратк вибач стисл žao",
    "ispri oprost συγγν συντομ özür kısa kusur maaf singkat lỗi ขออภัย すみません 失礼 简短",
    "见谅 原谅 抱歉 簡短 見諒 죄송 양해 간단 معذر اعتذر إيجاز اختصار ببخش סליח התנצל קיצור",
    "क्षमा",
)

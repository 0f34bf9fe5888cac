"""Reply text: what one person wrote, told apart from quotes, forwarded heads and signatures."""

from __future__ import annotations

import pytest

from inboxkit.parsing.reply import reply_text, split_reply

ANSWER = "Yes, that suits us.\n\nSee you there!"

# One attribution a row, as the named client writes it; each is tried with and without ">".
ATTRIBUTIONS = {
    "gmail-en": "On Tue, Mar 4, 2025 at 9:15 AM Ana Ruiz <ana@shop.example> wrote:",
    "gmail-en-wrapped": "On Tue, Mar 4, 2025 at 9:15 AM Ana Ruiz via Orders <\nana@shop.example> wrote:",
    "apple-en": "On 4 Mar 2025, at 09:15, Ana Ruiz <ana@shop.example> wrote:",
    "thunderbird-en": "On 3/4/25 09:15, Ana Ruiz wrote:",
    "outlook-ios-en": 'On Tue, Mar 4, 2025 at 9:15 AM +0100, "Ana Ruiz" <ana@shop.example> wrote:',
    "mutt": "On Tue, Mar 04, 2025 at 09:15:22AM +0100, Ana Ruiz wrote:",
    "gnus": "Ana Ruiz <ana@shop.example> writes:",
    "iso-no-verb": "2025-03-04 9:15 GMT+01:00 Ana Ruiz <ana@shop.example>:",
    "notes": "Ana Ruiz/Sales/Acme wrote on 03/04/2025 09:15:22 AM:",
    "zoho": "---- On Tue, 04 Mar 2025 09:15:22 +0100 Ana Ruiz <ana@shop.example> wrote ----",
    "proton-en": "On Tuesday, March 4th, 2025 at 9:15 AM, Ana Ruiz <ana@shop.example> wrote:",
    "gmail-de": "Am Di., 4. März 2025 um 09:15 Uhr schrieb Ana Ruiz <ana@shop.example>:",
    "thunderbird-de": "Am 04.03.25 um 09:15 schrieb Ana Ruiz:",
    "gmail-de-wrapped": "Ana Ruiz <ana@shop.example> schrieb am Di., 4.\nMärz 2025, 09:15:",
    "gmail-fr": "Le mar. 4 mars 2025 à 09:15, Ana Ruiz <ana@shop.example> a écrit :",
    "thunderbird-fr-wrapped": "Le 04/03/2025 à 09:15, Ana Ruiz\n(ana@shop.example) a\nécrit :",
    "gmail-es": "El mar, 4 mar 2025 a las 9:15, Ana Ruiz (<ana@shop.example>) escribió:",
    "gmail-pt": "Em ter., 4 de mar. de 2025 às 09:15, Ana Ruiz <ana@shop.example>\nescreveu:",
    "apple-pt": "No dia 4 de mar. de 2025, às 09:15, Ana Ruiz <ana@shop.example> escreveu:",
    "gmail-it": "Il giorno mar 4 mar 2025 alle ore 09:15 Ana Ruiz <ana@shop.example> ha\nscritto:",
    "gmail-nl": "Op di 4 mrt 2025 om 09:15 schreef Ana Ruiz <ana@shop.example>:",
    "gmail-sv": "Den tis 4 mars 2025 kl 09:15 skrev Ana Ruiz <ana@shop.example>:",
    "gmail-da": "Den tirs. 4. mar. 2025 kl. 09.15 skrev Ana Ruiz <ana@shop.example>:",
    "gmail-no": "tir. 4. mars 2025 kl. 09:15 skrev Ana Ruiz <ana@shop.example>:",
    "thunderbird-fi": "Ana Ruiz kirjoitti 4.3.2025 klo 9.15:",
    "gmail-fi": "ti 4. maalisk. 2025 klo 9.15 Ana Ruiz (ana@shop.example) kirjoitti:",
    "gmail-is": "Þann þri., 4. mar. 2025 kl. 09:15 skrifaði Ana Ruiz <ana@shop.example>:",
    "gmail-pl": "wt., 4 mar 2025 o 09:15 Ana Ruiz <ana@shop.example> napisał(a):",
    "thunderbird-pl": "W dniu 4.03.2025 o 09:15, Ana Ruiz pisze:",
    "gmail-cs": "út 4. 3. 2025 v 9:15 odesílatel Ana Ruiz <ana@shop.example> napsal:",
    "seznam-sk": "Dňa 4. 3. 2025 o 9:15 Ana Ruiz napísal(a):",
    "gmail-hu": "Ana Ruiz <ana@shop.example> ezt írta (időpont: 2025. márc. 4., K, 9:15):",
    "thunderbird-hu": "2025. 03. 04. 9:15 keltezéssel, Ana Ruiz írta:",
    "gmail-ro": "În mar., 4 mar. 2025 la 09:15, Ana Ruiz <ana@shop.example> a scris:",
    "gmail-bg": "На вт, 4.03.2025 г. в 9:15 Ana Ruiz <ana@shop.example> написа:",
    "gmail-ru": "вт, 4 мар. 2025 г. в 09:15, Анна Руис <ana@shop.example>:",
    "yandex-ru": "04.03.2025, 09:15, «Анна Руис» <ana@shop.example>:",
    "mailru": "Вторник, 4 марта 2025, 9:15 +03:00 от Анна Руис <ana@shop.example>:",
    "thunderbird-ru": "04.03.2025 09:15, Анна Руис пишет:",
    "gmail-uk": "вт, 4 бер. 2025 р. о 09:15 Ана Руїс <ana@shop.example> пише:",
    "gmail-sr": "уто, 4. мар 2025. у 09:15 Ана Руиз <ana@shop.example> је написао/ла:",
    "gmail-hr": "uto, 4. ožu 2025. u 09:15 Ana Ruiz <ana@shop.example> napisao je:",
    "gmail-sl": "V tor., 4. mar. 2025 ob 09:15 je oseba Ana Ruiz <ana@shop.example> napisala:",
    "gmail-lt": "2025-03-04, an, 09:15 Ana Ruiz <ana@shop.example> rašė:",
    "gmail-lv": "otrd., 2025. g. 4. marts, plkst. 09:15 — lietotājs Ana Ruiz (<ana@shop.example>) rakstīja:",
    "gmail-et": "Ana Ruiz <ana@shop.example> kirjutas kuupäeval T, 4. märts 2025 kell 09:15:",
    "gmail-el": "Στις Τρί 4 Μαρ 2025 στις 9:15 π.μ., ο/η Ana Ruiz <ana@shop.example> έγραψε:",
    "gmail-tr": "Ana Ruiz <ana@shop.example>, 4 Mar 2025 Sal, 09:15 tarihinde şunu yazdı:",
    "gmail-ca": "Missatge de Ana Ruiz <ana@shop.example> del dia dt., 4 de març 2025 a les 9:15:",
    "gmail-eu": "Ana Ruiz (ana@shop.example) igorleak hau idatzi zuen (2025 mar. 4, ar. (09:15)):",
    "gmail-he": "‫בתאריך יום ג׳, 4 במרץ 2025 ב-9:15 מאת ‪Ana Ruiz‬‏ <‪ana@shop.example‬‏>:‬",
    "gmail-ar": "في الثلاثاء، ٤ مارس ٢٠٢٥ في ٩:١٥ ص تمت كتابة ما يلي بواسطة Ana Ruiz <ana@shop.example>:",
    "apple-ar": "في ٤ مارس ٢٠٢٥، الساعة ٩:١٥ ص، كتب Ana Ruiz <ana@shop.example>:",
    "thunderbird-fa": "در ۱۴۰۳/۱۲/۱۴ ۹:۱۵, Ana Ruiz نوشته:",
    "gmail-hi": "मंगल, 4 मार्च 2025 को 9:15 am बजे को Ana Ruiz <ana@shop.example> ने लिखा:",
    "gmail-th": "ในวันที่ อ. 4 มี.ค. 2025 เวลา 09:15 Ana Ruiz <ana@shop.example> เขียนว่า:",
    "gmail-vi": "Vào Th 3, 4 thg 3, 2025 vào lúc 09:15 Ana Ruiz <ana@shop.example> đã viết:",
    "gmail-id": "Pada tanggal Sel, 4 Mar 2025 pukul 09.15 Ana Ruiz <ana@shop.example> menulis:",
    "gmail-ja": "2025年3月4日(火) 9:15 安藤 花子 <ana@shop.example>:",
    "apple-ja": "2025/03/04 9:15、安藤 花子 <ana@shop.example>のメール:",
    "gmail-zh-cn": "Ana Ruiz <ana@shop.example> 于2025年3月4日周二 09:15写道：",
    "apple-zh-tw": "Ana Ruiz <ana@shop.example> 於 2025年3月4日 上午9:15 寫道：",
    "gmail-ko": "2025년 3월 4일 (화) 오전 9:15, 안나 <ana@shop.example>님이 작성:",
    "thunderbird-ko": "2025-03-04 오전 9:15에 안나 이(가) 쓴 글:",
    "unlisted-verb": "4.3.2025 9:15 Ana Ruiz <ana@shop.example> xyzzyl:",
}

# Heads that clients set before an unquoted original, with whatever line they draw above it.
HEADS = {
    "outlook-en": "From: Ana Ruiz <ana@shop.example>\nSent: Tuesday, March 4, 2025 9:15 AM\nTo: Bo Lind\nSubject: Order",
    "outlook-en-rule": "_____________________\nFrom: Ana Ruiz\nSent: Tuesday, March 4, 2025 9:15 AM\nTo: Bo Lind\nSubject: Order",
    "outlook-mac": "From: Ana Ruiz <ana@shop.example>\nDate: Tuesday, 4 March 2025 at 09:15\nTo: Bo Lind <bo@b.example>\nCc: Cy <cy@b.example>\nSubject: Re: Order",
    "outlook-old": "-----Original Message-----\nFrom: Ana Ruiz [mailto:ana@shop.example]\nSent: 04 March 2025 09:15\nTo: Bo Lind\nSubject: Order",
    "bold": "*From:* Ana Ruiz <ana@shop.example>\n*Sent:* Tuesday, March 4, 2025 9:15 AM\n*To:* Bo Lind\n*Subject:* Order",
    "double-spaced": "From: Ana Ruiz\n\nSent: Tuesday, March 4, 2025 9:15 AM\n\nTo: Bo Lind\n\nSubject: Order",
    "wrapped-to": "From: Ana Ruiz <ana@shop.example>\nSent: Tuesday, March 4, 2025 9:15 AM\nTo: Bo Lind; Cy Young;\nDee Dee\nSubject: Order",
    "outlook-de": "Von: Ana Ruiz <ana@shop.example>\nGesendet: Dienstag, 4. März 2025 09:15\nAn: Bo Lind\nBetreff: Bestellung",
    "outlook-fr": "De : Ana Ruiz <ana@shop.example>\nEnvoyé : mardi 4 mars 2025 09:15\nÀ : Bo Lind\nObjet : Commande",
    "outlook-es": "De: Ana Ruiz <ana@shop.example>\nEnviado el: martes, 4 de marzo de 2025 9:15\nPara: Bo Lind\nAsunto: Pedido",
    "outlook-pt": "De: Ana Ruiz <ana@shop.example>\nEnviada em: terça-feira, 4 de março de 2025 09:15\nPara: Bo Lind\nAssunto: Pedido",
    "outlook-it": "Da: Ana Ruiz <ana@shop.example>\nInviato: martedì 4 marzo 2025 09:15\nA: Bo Lind\nOggetto: Ordine",
    "outlook-nl": "Van: Ana Ruiz <ana@shop.example>\nVerzonden: dinsdag 4 maart 2025 09:15\nAan: Bo Lind\nOnderwerp: Bestelling",
    "outlook-da": "Fra: Ana Ruiz <ana@shop.example>\nSendt: 4. marts 2025 09:15\nTil: Bo Lind\nEmne: Ordre",
    "outlook-fi": "Lähettäjä: Ana Ruiz <ana@shop.example>\nLähetetty: tiistai 4. maaliskuuta 2025 9.15\nVastaanottaja: Bo Lind\nAihe: Tilaus",
    "outlook-pl": "Od: Ana Ruiz <ana@shop.example>\nWysłano: wtorek, 4 marca 2025 09:15\nDo: Bo Lind\nTemat: Zamówienie",
    "outlook-cs": "Od: Ana Ruiz <ana@shop.example>\nOdesláno: úterý 4. března 2025 9:15\nKomu: Bo Lind\nPředmět: Objednávka",
    "outlook-hu": "Feladó: Ana Ruiz <ana@shop.example>\nKüldve: 2025. március 4., kedd 9:15\nCímzett: Bo Lind\nTárgy: Rendelés",
    "outlook-ro": "De la: Ana Ruiz <ana@shop.example>\nTrimis: marți, 4 martie 2025 09:15\nCătre: Bo Lind\nSubiect: Comandă",
    "outlook-ru": "От: Анна Руис <ana@shop.example>\nОтправлено: 4 марта 2025 г. 9:15\nКому: Бо Линд\nТема: Заказ",
    "outlook-uk": "Від: Ана Руїс <ana@shop.example>\nНадіслано: 4 березня 2025 р. 9:15\nКому: Бо Лінд\nТема: Замовлення",
    "outlook-el": "Από: Ana Ruiz <ana@shop.example>\nΣτάλθηκε: Τρίτη, 4 Μαρτίου 2025 9:15 πμ\nΠρος: Bo Lind\nΘέμα: Παραγγελία",
    "outlook-tr": "Kimden: Ana Ruiz <ana@shop.example>\nGönderildi: 4 Mart 2025 Salı 09:15\nKime: Bo Lind\nKonu: Sipariş",
    "outlook-he": "מאת: Ana Ruiz <ana@shop.example>\nנשלח: יום שלישי 4 מרץ 2025 09:15\nאל: Bo Lind\nנושא: הזמנה",
    "outlook-ar": "من: Ana Ruiz <ana@shop.example>\nتم الإرسال: 04 مارس, 2025 09:15 ص\nإلى: Bo Lind\nالموضوع: طلب",
    "outlook-ja": "差出人: 安藤 花子 <ana@shop.example>\n送信日時: 2025年3月4日 9:15\n宛先: Bo Lind\n件名: 注文",
    "outlook-zh": "发件人: Ana Ruiz <ana@shop.example>\n发送时间: 2025年3月4日 9:15\n收件人: Bo Lind\n主题: 订单",
    "qq-zh": "------------------ 原始邮件 ------------------\n发件人: \"Ana\" <ana@shop.example>;\n发送时间: 2025年3月4日(星期二) 9:15\n收件人: \"Bo\"<bo@b.example>;\n主题: 订单",
    "outlook-ko": "보낸 사람: 안나 <ana@shop.example>\n보낸 날짜: 2025년 3월 4일 화요일 오전 9:15\n받는 사람: Bo Lind\n제목: 주문",
    "outlook-vi": "Từ: Ana Ruiz <ana@shop.example>\nĐã gửi: Thứ Ba, 4 Tháng Ba 2025 9:15 SA\nTới: Bo Lind\nChủ đề: Đơn hàng",
    "samsung-fr": "-------- Message d'origine --------\nDe : Ana Ruiz <ana@shop.example>\nDate : 04/03/2025 09:15 (GMT+01:00)\nÀ : Bo Lind\nObjet : Commande",
    "gmx-de": "Gesendet: Dienstag, 04. März 2025 um 09:15 Uhr\nVon: \"Ana Ruiz\" <ana@shop.example>\nAn: bo@b.example\nBetreff: Bestellung",
    "unlisted-after-rule": "--------------------------------\nQwex: Ana Ruiz <ana@shop.example>\nZulp: 4.3.2025 9:15\nVorm: Bo Lind\nTrax: Order",
    "marker-alone-sv": "-----Ursprungligt meddelande-----",
    "marker-alone-cs": "---------- Původní e-mail ----------",
}

DEVICES = [
    "Sent from my iPhone", "Sent from my Galaxy", "Sent from Mail for Windows", "Sent via Proton Mail for iOS",
    "Get Outlook for Android<https://aka.example/x>", "Sent with Spark", "Sent from Yahoo Mail for iPhone",
    "Von meinem iPhone gesendet", "Gesendet mit der GMX Mail App", "Von Outlook für Android gesendet",
    "Envoyé de mon iPhone", "Envoyé à partir d'Outlook pour iOS", "Télécharger Outlook pour Android",
    "Enviado desde mi iPhone", "Enviado do meu iPhone", "Inviato da iPhone", "Inviato dal mio dispositivo Android",
    "Verstuurd vanaf mijn iPhone", "Skickat från min iPhone", "Sendt fra min iPhone", "Sendt fra min mobil",
    "Lähetetty iPhonesta", "Wysłane z iPhone'a", "Odesláno z iPhonu", "Odoslané z iPhonu",
    "Elküldve az iPhone-omról", "Trimis de pe iPhone-ul meu", "Отправлено с iPhone", "Отправлено из мобильной Почты Mail.ru",
    "Надіслано з iPhone", "Изпратено от моя iPhone", "Poslano s mog iPhonea", "Εστάλη από το iPhone μου",
    "iPhone'umdan gönderildi", "נשלח מה-iPhone שלי", "أُرسلت من الـ iPhone", "ارسال شده از آیفون من",
    "iPhoneから送信", "发自我的iPhone", "從我的 iPhone 傳送", "나의 iPhone에서 보냄", "ส่งจาก iPhone ของฉัน",
    "Đã gửi từ iPhone của tôi", "Dikirim dari iPhone saya", "Enviat des del meu iPhone", "Saadetud minu iPhone'ist",
    "Sent from my phone, sorry for any typos", "Sent from my Pixel 8 Pro", "Sent from my mobile. Please excuse brevity.",
]

ORDINARY = {
    "device-as-topic": "We sell phones.\n\nThe invoice was sent from my iPhone shop on Monday, as agreed.",
    "device-named": "Which one do you want?\n\nThe iPhone.",
    "on-and-colon": "On Friday we open at 9:15 and need three things:\n\n- bread\n- milk",
    "date-and-colon": "The plan for 4 March 2025, 9:15, is as follows:\n\nWe meet, we talk.",
    "travel": "Please book:\n\nFrom: Berlin\nTo: Paris\nDate: 4 March 2025, 9:15\n\nThanks",
    "form": "A new enquiry\n\nName: Ana\nEmail: ana@shop.example\nDate: 4 March 2025\nMessage: call me",
    "rule-between-parts": "Part one is about ships.\n\n-----\n\nPart two is about trains, and it is long.\n"
    "It has a second line that says more about trains than one needs to know.\n\nIt ends here, after a while, with a last paragraph.",
    "table": "| size | price |\n| S | 10 |\n| M | 12 |",
    "code": "Try this:\n\n    if a > b:\n        print(a)\n    -- not a signature\n\nDoes it work?",
    "said": "My boss wrote:\nnothing at all. What now?",
    "sign-off": "All good.\n\nBest regards,\nBo Lind\nHead of Bread",
    "dash-list": "-- one thing\n-- another thing",
}

# Whole mails: body, text, signature.
MAILS = {
    "inline-answers": (
        "On Tue, Mar 4, 2025 at 9:15 AM Ana Ruiz <ana@shop.example> wrote:\n> Which size?\n\nLarge.\n\n"
        "> Which colour?\n> We have two.\n\nBlue.\n\n> Thanks\n> Ana", "Large.\n\nBlue.", ""),
    "inline-tight": (
        "Am 04.03.25 um 09:15 schrieb Ana Ruiz:\n> Welche Größe?\nGroß.\n> Welche Farbe?\nBlau.\n>\n> Gruß\n> Ana",
        "Groß.\nBlau.", ""),
    "inline-nested": (
        "Ana Ruiz <ana@shop.example> writes:\n\n> > I think so.\n>\n> Do you?\n\nI do.\n\n>> Really?\n\nReally.",
        "I do.\n\nReally.", ""),
    "bottom-post": ("Le 04/03/2025 à 09:15, Ana Ruiz a écrit :\n> Une question ?\n> Ana\n\nOui.\n\nBo", "Oui.\n\nBo", ""),
    "wrapped-quote-line": (
        "Fine.\n\nOn 3/4/25 09:15, Ana Ruiz wrote:\n> This is a line that was too long for the client that quoted it and\n"
        "so a part\n> of it fell down.\n> Ana", "Fine.", ""),
    "above-and-below": (
        "Hello Ana,\n\nOn 3/4/25 09:15, Ana Ruiz wrote:\n> Which size?\n\nLarge.\n\nBo", "Hello Ana,\n\nLarge.\n\nBo", ""),
    "signature": ("Yes.\n\n-- \nBo Lind\nLind & Co\n+46 1 23", "Yes.", "Bo Lind\nLind & Co\n+46 1 23"),
    "signature-before-quote": (
        "Yes.\n--\nBo Lind\n\nOn 3/4/25 09:15, Ana Ruiz wrote:\n> Well?\n> -- \n> Ana", "Yes.", "Bo Lind"),
    "signature-after-quote": (
        "Yes.\n\n2025-03-04 9:15 GMT+01:00 Ana Ruiz <ana@shop.example>:\n\n> Well?\n\n\n\n-- \nBo Lind",
        "Yes.", "Bo Lind"),
    "device-before-head": (
        "Ja.\n\nVon meinem iPhone gesendet\n\nVon: Ana <ana@shop.example>\nGesendet: Dienstag, 4. März 2025 09:15\n"
        "An: Bo\nBetreff: Frage\n\nPasst das?", "Ja.", "Von meinem iPhone gesendet"),
    "list-footer": (
        "I agree.\n\n> Shall we?\n\n_______________________________________________\nbread mailing list\n"
        "bread@lists.example\nhttps://lists.example/bread", "I agree.",
        "bread mailing list\nbread@lists.example\nhttps://lists.example/bread"),
    "forward-alone": (
        "---------- Forwarded message ---------\nFrom: Ana <ana@shop.example>\nDate: Tue, Mar 4, 2025 at 9:15 AM\n"
        "Subject: Order\nTo: <bo@b.example>\n\n\nPlease send bread.\n\nAna", "Please send bread.\n\nAna", ""),
    "forward-alone-de": (
        "-------- Weitergeleitete Nachricht --------\nBetreff: Bestellung\nDatum: Di, 4 Mär 2025 09:15:22 +0100\n"
        "Von: Ana <ana@shop.example>\nAn: bo@b.example\n\nBitte Brot.", "Bitte Brot.", ""),
    "forward-alone-apple": (
        "\n\nSent from my iPad\n\nBegin forwarded message:\n\nFrom: Ana <ana@shop.example>\nDate: 4 March 2025 at 09:15:22 CET\n"
        "To: bo@b.example\nSubject: Order\n\nBread, please.", "Bread, please.", "Sent from my iPad"),
    "forward-with-words": (
        "Can you take this?\n\n---------- Mensaje reenviado ---------\nDe: Ana <ana@shop.example>\n"
        "Date: mar, 4 mar 2025 a las 9:15\nSubject: Pedido\nTo: <bo@b.example>\n\nPan.", "Can you take this?", ""),
    "forward-of-a-reply": (
        "---------- Forwarded message ---------\nFrom: Ana <ana@shop.example>\nDate: Tue, Mar 4, 2025 at 9:15 AM\n"
        "Subject: Re: Order\nTo: Bo <bo@b.example>\n\n\nBread it is.\n\nOn Mon, Mar 3, 2025 at 8:00 AM Bo <bo@b.example> wrote:\n"
        "> Bread or cake?", "Bread it is.", ""),
    "quote-without-attribution": ("Sure.\n\n> Shall we?\n> Ana", "Sure.", ""),
    "empty-reply": ("\n\nOn 3/4/25 09:15, Ana Ruiz wrote:\n> Well?\n> Ana\n", "", ""),
    "same-line": ("Fine by me. On Tue, Mar 4, 2025 at 9:15 AM Ana Ruiz <ana@shop.example> wrote:\n> Well?", "Fine by me.", ""),
    "crlf": ("Yes.\r\n\r\nOn 3/4/25 09:15, Ana Ruiz wrote:\r\n> Well?\r\n", "Yes.", ""),
    "full-width-quote": ("了解です。\n\n2025年3月4日(火) 9:15 花子 <ana@shop.example>:\n\n＞ どうですか。", "了解です。", ""),
    "ticket-line": (
        "Solved, thanks.\n\n##- Please type your reply above this line -##\n\nYour request was updated.", "Solved, thanks.", ""),
    "two-heads": (
        "OK.\n\nFrom: Ana <ana@shop.example>\nSent: Tuesday, March 4, 2025 9:15 AM\nTo: Bo\nSubject: RE: Order\n\nSo?\n\n"
        "From: Bo <bo@b.example>\nSent: Monday, March 3, 2025 8:00 AM\nTo: Ana\nSubject: Order\n\nHm.", "OK.", ""),
    "pgp-signed": (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nI agree.\n\nOn 3/4/25 09:15, Ana Ruiz wrote:\n> Well?\n\n"
        "-----BEGIN PGP SIGNATURE-----\n\niQEzBAEBCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----", "I agree.", None),
}


@pytest.mark.parametrize("quoted", [True, False], ids=["quoted", "bare"])
@pytest.mark.parametrize("head", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS.keys())
def test_attribution_ends_the_reply(head: str, quoted: bool) -> None:
    lines = "Do you have time on Monday?\n\nThe order is 12 loaves.\nAna".split("\n")
    below = "\n".join(f"> {line}" if quoted else line for line in lines)
    assert reply_text(f"{ANSWER}\n\n{head}\n\n{below}\n") == ANSWER


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_head_of_the_original_ends_the_reply(head: str) -> None:
    assert reply_text(f"{ANSWER}\n\n\n{head}\n\nDo you have time?\n\nAna") == ANSWER


@pytest.mark.parametrize("line", DEVICES)
def test_device_line_is_the_signature(line: str) -> None:
    reply = split_reply(f"{ANSWER}\n\n{line}\n")
    assert (reply.text, reply.signature) == (ANSWER, line)


@pytest.mark.parametrize("body", ORDINARY.values(), ids=ORDINARY.keys())
def test_ordinary_words_stay_whole(body: str) -> None:
    assert reply_text(body) == body


@pytest.mark.parametrize(("body", "text", "signature"), MAILS.values(), ids=MAILS.keys())
def test_whole_mail(body: str, text: str, signature: str | None) -> None:
    reply = split_reply(body)
    assert reply.text == text
    assert signature is None or reply.signature == signature

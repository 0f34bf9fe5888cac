"""Words around one-time codes, by what they say, in some fifty languages. Data for ``words``.

A word stands for everything that begins with it; ``_`` marks a word boundary.
"""

from __future__ import annotations

NOUN = 1 << 0  # "code", "PIN": what the value is called
PROOF = 1 << 1  # "verification", "one-time", "login": what it is for
HINT = 1 << 2  # "confirm", "access": what it may be for; bookings and payments say so too
USE = 1 << 3  # "enter", "type": what the reader shall do with it
MINUTE = 1 << 4
SECRET = 1 << 5  # "do not share", "ignore this mail": what is said of codes only

# What compounds end in: "Bestätigungscode", "vahvistuskoodisi".
CODE_ENDINGS = frozenset(
    "code codes kode koden kod koda kodas kood koodi koodisi koodin koodia kodi kodinn kodja kodod "
    "kodot kodom kodet kennwort pin".split()
)

# What may stand before or behind "code" without saying which code it is: "your", "is", "numeric".
CODE_NEUTRAL = frozenset(
    "your this that following digit numeric unique special with same right secret correct here "
    "today being below reads account votre notre suivant suivante nouveau dessous dein deinen "
    "deiner ihren ihrem ihrer dieser diesen diesem folgenden folgender einen neuen lautet lauten "
    "zahlen ziffern jouw deze onze nieuwe volgende luidt onderstaande denna nedan siffer lyder "
    "dette denne tallet nedenfor numero este esse esta seguinte siguiente questo seguente sotto "
    "tento nasledujici nizej ponizej ponizszy wynosi brzmi есть ниже нижче такий такой следующий "
    "наступний следния следниот следећи asagidaki budur σας ειναι sizin anda adalah ialah berikut "
    "device user chat temporaire temporal temporaneo temporario tijdelijke tillfallig midlertidig "
    "vorubergehend tymczasowy docasny временный тимчасовий sms mail email".split()
)

CODE_WORDS: dict[int, tuple[str, ...]] = {
    NOUN: (
        "ziffern_, chiffres_, cifras_, digitos_, cijfers_, siffrorna, sifrene, cyfry_, cislice",
        "цифры_, цифри_, rakamlar, ספרות, ارقام, अंक_, 数字, 數字, 숫자, ตัวเลข, chu so_, code_",
        "codes_, pin_, pincode_, passcode, digits_, token_, kod, koodi, kood_, codigo, clave_",
        "claves_, codice, codici, codi_, codis_, cod_, codul, codului, kodici, sifre, parol_",
        "parolu, parolunuz, parolun, код_, кода_, коду_, кодом_, коды_, кодът_, кодот_, коде_",
        "кодове_, кодын, коди_, кода, κωδικ, קוד, رمز, كود, _کد_, کدی, کوڈ, کوڊ, कोड, কোড, ਕੋਡ",
        "કોડ, குறியீ, கோட், కోడ్, ಕೋಡ್, കോഡ്, කේත, รหัส, โค้ด, ລະຫັດ, កូដ, ကုဒ်, კოდ, կոդ",
        "ծածկագիր, ኮድ",
        "кодың, кодыңыз, chod_, choid_, koodu, ikhodi, ikhowudi, koodka, kaody, lambar sirri",
        "msimbo, コード, 코드, 代码, 代碼, 口令, ma sau, ma ben duoi, ma duoi day, ma nay, ma pin",
    ),
    NOUN | PROOF: (
        "otp_, otps_, totp_, tan_, mtan_, smstan_, pushtan_, one time pin, 2fa code",
        "one time password, one time passcode, onetime password, single use password, sign in code",
        "login code, verification code, security code, dynamic password, clave dinamica",
        "contrasena de un solo uso, contrasena dinamica, contrasena temporal, cle a usage unique",
        "cle dynamique, cle temporaire, mot de passe a usage unique, senha de uso unico",
        "senha temporaria, token de acesso, password monouso, password temporanea",
        "token di accesso, eenmalig wachtwoord, engangspassord, engangslosen, engangsadgangskode",
        "kertasalasana, jednorazowe haslo, haslo jednorazowe, haslem jednorazowym, haslo sms",
        "jednorazove heslo, sms heslo, egyszer hasznalatos jelszo, parola unica, parola de unica",
        "lozinka za jednokratnu, jednokratna lozinka, enkratno geslo, einmalpasswort",
        "einmalkennwort, einmal passwort, tek kullanimlik sifre, tek seferlik sifre",
        "dogrulama sifre, giris sifre, onay sifre, birdefelik parol, bir martalik parol",
        "бір реттік құпия, нэг удаагийн нууц, одноразовый пароль, одноразового пароля",
        "одноразовым паролем, временный пароль, одноразовий пароль, аднаразовы пароль",
        "еднократна парола, једнократна лозинка, еднократна лозинка, κωδικος μιας χρησης",
        "סיסמה חד פעמית, كلمة مرور لمرة واحدة, كلمة المرور لمرة واحدة, كلمة سر لمرة, رمز یکبار",
        "رمز پویا, ओटीपी, ওটিপি, ਓਟੀਪੀ, ઓટીપી, ஓடிபி, ఓటీపీ, ಒಟಿಪಿ, ഒടിപി, otp ของ, รหัสโอทีพี",
        "mat khau mot lan, mat khau dung mot lan, ma xac minh, ma xac nhan, ma xac thuc, ma otp",
        "ma bao mat, ma dang nhap, ma kich hoat, kata sandi sekali, kata laluan sekali",
        "sandi sekali, nambari ya siri, namba ya siri, namba ya uthibitisho, ワンタイムパスワード",
        "認証番号, 確認番号, 暗証番号, 認証キー, パスコード, 인증번호, 인증 번호, 확인번호",
        "확인 번호, 보안번호, 일회용 비밀번호, 임시 비밀번호, 验证码, 驗證碼, 校验码, 校驗碼",
        "动态码, 動態碼, 认证码, 認證碼, 安全码, 安全碼, 确认码, 確認碼, 登录码, 登入碼, 登錄碼",
        "登录代码, 登入代碼, 一次性密码, 一次性密碼, 动态密码, 動態密碼, 动态口令, 一次性口令",
        "two step number, verification number, login number, sign in number, one time number",
        "authentication number, activation key, access key, login key, verification key",
        "סיסמה זמנית, הסיסמה הזמנית, temporary password, nambari ya kuthibitisha",
        "nambari yako ya kuthibitisha, namba ya kuthibitisha, namba yako ya kuthibitisha",
        "password usa e getta, lambar tabbatarwa, lambar shiga, contrasena d un sol us",
        "短信密码, 随机码, 隨機碼, 通行码, 通行碼, 识别码",
    ),
    NOUN | USE: (
        "enter the number, enter this number, type the number, type this number",
        "key in the number, key in this number, type in this number, following number",
        "following digits, these digits",
        "digits below, number below, diese zahl, folgende zahl, diese nummer ein, folgende nummer",
        "saisissez le numero, entrez le numero, chiffres suivants, chiffres ci dessous",
        "ces chiffres",
        "introduce el numero, ingresa el numero, estos digitos, siguientes digitos",
        "siguiente numero",
        "introduza o numero, digite o numero, estes digitos, inserisci il numero, queste cifre",
        "voer het nummer, deze cijfers, ange siffrorna, tast inn tallene, indtast tallene",
        "syota numerot, syota numero, syota luvut, add meg a szamot, introdu numarul",
        "wpisz numer, wpisz cyfry, zadejte cislo, введите число, введите цифры, следующие цифры",
        "введіть цифри, такі цифри, ادخل الرقم, ادخل الارقام",
        "عدد زیر را, 次の番号を, 输入以下数字, 輸入以下數字",
    ),
    PROOF: (
        "prove it is you, prove that it s you, entre no, entre na, te loggen, aan te melden",
        "anzumelden, einzuloggen, verif, authentic",
        "2fa_, mfa_, two factor, two step, multi factor, one time, single use, login, log in",
        "logging in, logged in, log you in, logon, log on, sign in, signin, security, signing in",
        "sign you in, signed in, sign up, signup, signing up, passwordless, identity, bestatig",
        "bestaetig, anmeld, einlogg, sicherheit, authentifiz, freischalt, legitim, identitat",
        "einmal, zwei faktor, zweifaktor, registrier, zurucksetz, wiederherstell, connexion",
        "connecter, connectez, authentif, securite, identite, usage unique, inscription",
        "reinitialis, double facteur, iniciar sesion, inicio de sesion, inicia sesion, autentic",
        "seguridad, identidad, un solo uso, unico uso, unica vez, restablec, doble factor",
        "iniciar sessao, seguranca, identidade, uso unico, cadastro, redefin, duas etapas",
        "accedere, sicurezza, identita, monouso, reimpost, due fattori, inlog, inlogg, beveilig",
        "aanmeld, identiteit, eenmalig, tweestaps, tweefactor, verifier, bekraft, logga in",
        "sakerhet, engangs, aterstall, bekreft, innlogg, logg inn, logge inn, palogg, sikkerhe",
        "tilbakestill, totrinn, tofaktor, bekraeft, log ind, logge ind, nulstil, totrins, vahvist",
        "kirjaut, kirjaud, tunnist, todenn, turva, kertakayt, kaksivaihe, sisaankirj, stadfest",
        "innskran, oryggis, audkenn, einnota, kinnit, sisselog, logi sisse, sisse log, tuvast",
        "uhekord, apstipr, pieteik, piesleg, drosib, vienreiz, autentifik, ienakt, patvirtin",
        "prisijung, saugum, saugos, tapatyb, vienkart, weryfik, potwierd, logow, zalog, bezpiecz",
        "uwierzyt, jednoraz, dwuetap, dwuskladnik, tozsam, overov, overen, overit, overte, overeni",
        "overeny, potvrz, potvrd, prihlas, prihlasen, bezpec, autentiz, dvoufaz, dvojfaz, ellenorz",
        "megerosit, bejelentk, belep, biztonsag, azonosit, hitelesit, egyszer hasznal, egyszeri",
        "visszaallit, autentific, conecta, conectar, securitate, unica folosinta",
        "o singura utilizare, verifik, sigurnos, bezbedn, prijav, jednokrat, potrd, preverit",
        "preverjan, varnos, enkrat, konfirm, hyrje, hyni, sigurise, identifikim, vertet",
        "nje perdorim, egiazta, dogrula, giris, guvenlik, tek kullan, tek sefer, kimlik, oturum",
        "iki asama, iki adim, tesdiq, tasdiq, tehlukes, birdefelik, kirish, bir martalik, dilysu",
        "gwirio, mewngof, подтвер, подтвержд, верифик, вход, войти, авториз, аутентиф, безопасн",
        "провероч, одноразов, двухфактор, подлинност, підтвер, верифік, вхід, входу, увійти",
        "автентиф, безпек, перевір, двофактор, пацвярдж, пацверджан, праверк, уваход, бяспек",
        "аднаразов, потвърд, потвърж, потвржд, потврд, влизане, влез, сигурност, удостовер",
        "еднократ, пријав, безбедн, једнократ, најав, безбедност, растау, кіру, тексеру, қауіпсіз",
        "бір рет, ырасто, кирүү, баталгаажуул, нэвтрэ, тасдиқ, επαληθευ, επιβεβαι, συνδεσ, συνδεθ",
        "εισοδ, ασφαλει, ταυτοπ, μιας χρησης, אימות, כניסה, להתחבר, התחבר, אבטחה, זיהוי, חד פעמי",
        "לאמת, تحقق, التحقق, تاكيد, توثيق, مصادقة, تسجيل الدخول, الدخول, امان, لمرة واحدة, تایید",
        "تأیید, احراز, ورود به, ورود, یکبار مصرف, یک بار مصرف, امنیت, تصدیق, لاگ ان, لاگ اِن",
        "سیکیورٹی, توثیق, सत्याप, प्रमाण, लॉगिन, लॉग इन, साइन इन, सुरक्षा, वन टाइम, वेरिफ, पडताळ",
        "যাচাই, লগইন, লগ ইন, নিরাপত্তা, প্রমাণী, ચકાસ, લૉગિન, લોગિન, ਪੁਸ਼ਟੀ, ਤਸਦੀਕ, ਲੌਗ, சரிபார்",
        "உறுதி, உள்நுழை, பாதுகாப்பு, ధృవీక, నిర్ధార, లాగిన్, భద్రత, ಪರಿಶೀಲನ, ದೃಢೀಕರಣ, ಲಾಗಿನ್",
        "സ്ഥിരീകരണ",
        "പരിശോധന, ലോഗിൻ, තහවුරු, සත්‍යාපන, පිවිසු, ยืนยัน, เข้าสู่ระบบ, ล็อกอิน, ความปลอดภัย",
        "ครั้งเดียว, ຢືນຢັນ, ເຂົ້າສູ່, ផ្ទៀងផ្ទាត់, បញ្ជាក់, အတည်ပြု, လုံခြုံ, xac minh, xac nhan",
        "xac thuc, dang nhap, bao mat, mot lan, hai buoc, keamanan, masuk_, otentik, autentik",
        "sekali pakai, sekali guna, pengesah, keselamat, log masuk, dua faktor, kumpirm",
        "uthibitish, thibitish, kuingia, usalama, mara moja, ማረጋገጫ, መግቢያ, დადასტურ, ვერიფიკ",
        "ავტორიზ, შესვლ, უსაფრთხო, ერთჯერად, հաստատ, մուտք, անվտանգ, միանգամյա, 認証, ログイン",
        "サインイン, 本人確認, 本人, セキュリティ, ワンタイム, 二段階, 2段階, 二要素, 인증, 로그인",
        "보안, 본인, 일회용, 2단계, 验证, 驗證, 认证, 認證, 登录, 登入, 登錄, 登陆, 一次性, 动态密",
        "身份, 身分, iniciar sessio, inicia sessio, seguret, un sol us, sekuriteit, aantek",
        "segurtas, saio, fiordheim, deimhn, fioru, tabbatarwa, ijerisi, idanileju, yokuqinisekisa",
        "ukuqinisekisa, lokuqinisekisa, xaqiijin, fanamarinana, kwemeza, kuthibitisha, להיכנס",
        "היכנס",
    ),
    HINT: (
        "confirm, access_, accede_, autoriz, autoryz, authoriz, authoris, activat, validat",
        "recover, reset, approve, register, temporary, unlock, aktivier, zugang, zugriff, freigabe",
        "freigeben, identifi, acces_, activer, activation, validation, valider, recuper, accesso",
        "accedi, activa, acceso, activar, activacion, validar, registr, ingres, entrar, acesso",
        "acessar, ativar, ativacao, conferm, attiva, convalid, toegang, bevestig, activeer",
        "atkomst, aktiver, tilgang, adgang, godkend, godkjen, aktivoi, palaut, adgangs, virkja",
        "aktiveer, aktiviz, aktyv, aktywac, aktywuj, dostep, rejestrac, resetow, aktiv, pristup",
        "registrac, obnoven, aktival, regisztr, activare, inregistr, acces, aktivim, onay",
        "aktivasyon, etkinles, sifirla, erisim, актив, доступ, регистр, восстанов, сброс, реєстр",
        "віднов, провер, достъп, приступ, ενεργοπ, προσβασ, επαναφορ, אישור, הפעלה, تفعيل, هوية",
        "استعادة, فعال, بازیابی, पुष्टि, নিশ্চিত, เปิดใช้งาน, ตรวจสอบ, kich hoat, dang ky",
        "khoi phuc",
        "dat lai, aktiva, akses, daftar, pengaktif, kumpirma, 確認, 承認, 有効化, 登録, 再設定",
        "アクセス, 확인, 활성화, 승인, 가입, 재설정, 确认, 激活, 安全, 注册, 註冊, 重置, 重設",
        "校验",
    ),
    USE: (
        "key in, punch in, use_, using_, enter_, entering_, type_, input_, submit_, copy_, paste_",
        "provide_",
        "eingeben, eingibst, geben sie, gib_, verwend, nutze, nutzen, benutz, einzugeben, tippe",
        "saisi, entrez, entrer_, utilisez, utiliser, utilise_, tapez, renseign, recopi, introdu",
        "ingres, utiliz, escrib, digita_, digitare, digite, digitar, insira, inserir, informe_",
        "inseri, use o, usa il, usa el, copia, voer_, gebruik, vul_, ange_, anvand, skriv, fyll",
        "bruk_, oppgi, tast_, indtast, brug_, syota, kayta_, anna_, kirjoita, slad, notad, sisesta",
        "kasuta, ievad, izmanto, ivesk, naudok, wpisz, uzyj, wprowad, podaj, przepisz, zadejte",
        "zadajte, zadej, zadaj, pouzij, vloz, opiste, add meg, adja meg, ird be, irja be, hasznal",
        "introduce, foloses, unes, upis, koris, vnes, uporab, vpis, perdor, shkruani, vendos",
        "girin, girer, gir_, kullan, yazin, daxil ed, kirit, введ, ввод, использ, укаж, введіть",
        "використ, вкаж, увядз, въвед, унес, упиш, внес, корист, енгіз, εισαγ, πληκτρολογ",
        "χρησιμοποι, הזן, הזינ, להזין, הקלד, הקליד, השתמש, ادخل, ادخال, استخدم, كتاب, وارد کن",
        "وارد نما",
        "استفاده, درج کر, दर्ज, उपयोग, डाल, লিখুন, ব্যবহার, উলিখ, உள்ளிட, నమోదు, ನಮೂದಿಸಿ, നൽകുക",
        "กรอก",
        "ใส่, ป้อน, nhap_, nhap ma, su dung, masukk, gunakan, ilagay, gamitin, weka_, ingiza",
        "tumia",
        "入力, 입력, 输入, 輸入, 填写, 填入",
        "使用, შეიყვან, გამოიყენ, մուտքագր, introdueix, utilitza",
        "sartu, sleutel_",
    ),
    MINUTE: (
        "min_, mins_, minut, minuut, minuta, minuto, minuti, minuten, minuter, minuty, minutter",
        "minuttia, minuutin, minuutissa, minutum, minutur, minutes, perc_, percig, percen_, dakika",
        "dk_, deqiqe, daqiqa, минут, минути, хвилин, хвіл, хвилини, минута, минуты, λεπτ, דקות",
        "דקה, دقائق, دقيقة, دقیقه, منٹ, मिनट, মিনিট, મિનિટ, ਮਿੰਟ, நிமிட, నిమిష, ನಿಮಿಷ, മിനിറ്റ",
        "นาที, ນາທີ, នាទី, မိနစ်, phut, menit, minit_, 分, 분, 分钟, 分鐘, წუთ, րոպե, seconds",
        "sekund, secondes, segundos, секунд, 秒, 초, giay, detik, ثانية, ثانیه",
    ),
    SECRET: (
        "do not share, don t share, never share, not to share, do not give, do not forward",
        "with anyone, to anyone, ignore this, safely ignore, disregard, didn t request",
        "did not request, didn t ask, did not ask, never ask, weitergeben, niemandem",
        "nicht angefordert, ignorier, ne partag, ne communiqu, ne le communiqu, ignorer, ignorez",
        "no compart, no lo compart, no la compart, nadie, ignora, haz caso omiso, nao compart",
        "ninguem, ignore este, ignore esta, non condivid, nessuno, ignora questa, niemand, negeer",
        "deel deze, dela inte, dela aldrig, ignorera, bortse, ikke del, se bort, ingen, ala jaa",
        "kenellekaan, jata huomi, deila, neverdak, ignoreeri, neizpaud, ignorej, nieka, ignoruok",
        "nikomu, zignoruj, ignoruj, nesdel, neposiel, ne ossza, senkinek, hagyja figyel, nimanui",
        "nikome, nikomur, prezrite, askujt, paylas, kimse, hec kim, heckim, никому, не сообщ",
        "игнорир, нікому, не повідом, ігнор, никого, не споделя, игнор, никоме, ешкім, κανεν",
        "μην κοινοπ, αγνοησ, לאף אחד, אל תשת, התעלמ, لا تشارك, مع احد, تجاهل, با کسی, در اختیار",
        "نادیده, کسی کے ساتھ, نظر انداز, किसी के साथ, साझा न, अनदेखा, শেয়ার কর, কারো সাথে, பகிர",
        "ఎవరితో, ห้ามเปิดเผย, อย่าเปิดเผย, ห้ามบอก, ไม่ต้องสนใจ, khong chia se, bo qua, jangan",
        "abaikan",
        "siapa pun, sesiapa, huwag, kaninuman, usimpe, usishiriki, 他人, 教えない, 共有しない",
        "無視, 心当たり, 공유하지, 타인, 무시, 泄露, 洩漏, 洩露, 透露, 告知他人, 转发, 轉發, 忽略",
        "本人操作, არავის, ոչ մեկի, moenie, no el compart, ningu, no partekatu",
    ),
}

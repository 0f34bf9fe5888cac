"""Why a delivery failed: reason classes read from SMTP texts and RFC 3463 codes.

The words decide before the code, because servers put 550 5.7.1 on everything; "permanent" alone
never makes an address dead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

_LONGEST = 2_000  # characters of a diagnostic that are read
_DEAD = frozenset({"user_unknown", "host_unknown", "has_moved", "not_accept"})

# An IPv4 address or a version number is no status: neither digits nor dots may touch the code.
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
_REPLY = re.compile(r"(?<![\d.#-])([45]\d\d)(?=[ -](?![\d.]*\d{4})|$)|(?<=: )([45]\d\d)(?=[ -])")
_URL = re.compile(r"\b(?:https?://|www\.)\S{1,2000}")
_ADDRESS = re.compile(r"(?<![^\s<>@,;:])<?[^\s<>@,;:]{1,128}@[\w.\[\]-]{1,255}>?")
_SPACE = re.compile(r"[\s\"'`´’|*]+")
_LINE_CODE = re.compile(
    r"(?<![\d.])[245]\d\d(?=[ -])-?|(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)|rfc822 ?;",
    re.IGNORECASE,
)
_REPLIED_TO = re.compile(
    r"(?:in (?:reply|response) to|following|smtp command)\W{1,12}(?:the )?(?:end of )?"
    r"(mail from|rcpt|data|text)\b"
)
_COMMAND = re.compile(r"\b(mail from|rcpt to)\b|(?:after|>>>|-->|end of) ?(?:end of )?(data)\b")
_REFUSED = re.compile(r"<<< ?[45]\d\d|<-- ?[45]\d\d")
_REFUSAL = re.compile(r"(?<![\d.:\[])[45]\d\d[ -]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reason class, whether the address is dead, and the most telling RFC 3463 status."""

    reason: str
    hard: bool
    status: str = ""


# What the texts of servers say, tried in order: causes on the sender's side and passing states
# come first, so that "sender domain not found" never makes a recipient dead.
_CLEAR: tuple[tuple[str, str], ...] = (
    (
        "auth_failed",
        r"\bspf\b|\bdkim\b|\bdmarc\b|unauthenticated|\bsender.?id\b|purported responsible"
        r"|required authentication|authentication (?:is )?(?:required|failed|check|credentials)"
        r"|smtp authentication",
    ),
    (
        "system",
        r"insufficient system|system storage|pipe to \||\bmailer error|command (?:died|failed)"
        r"|internal (?:server )?error|local (?:configuration|delivery) (?:error|problem|fail)",
    ),
    (
        "mailbox_full",
        r"(?:mail ?box|in ?box|account|folder|user|recipient|storage|quota|disk|maildir)\b.{0,50}?"
        r"(?:\bfull\b|over ?quota|exceed\w+ (?:\w+ ){0,3}(?:size|quota|limit|storage|space)"
        r"|(?:size|storage) limit reached)"
        r"|over[- ]?quota|quota.{0,20}exceed|exceed\w*.{0,40}(?:quota|storage|disk|allocat)"
        r"|out of (?:\w+ )?(?:storage|space|quota)|over (?:\w+ ){0,3}(?:quota|storage|limit)\b"
        r"|(?:not enough|insufficient|no|lack of) (?:\w+ )?(?:storage|space|disk|room)\b"
        r"|(?:post(?:fach|eingang)|speicherplatz).{0,40}(?:voll|überschritten|erschöpft)"
        r"|bo[iî]te.{0,60}(?:pleine|satur)|quota.{0,30}(?:dépass|überschritten|superad|excedid)"
        r"|(?:buz[oó]n|bandeja).{0,40}llen|cas(?:ella|ilha).{0,40}(?:piena|cheia)"
        r"|caixa.{0,40}(?:cheia|lotada)|postvak.{0,30}\bvol\b|postilaatikko.{0,30}täynnä"
        r"|(?:postkass|inkorg|brevlåd|postboks)\w*.{0,30}full|skrzynk.{0,40}(?:pełn|przepełn)"
        r"|schránk.{0,40}pln|postafiók.{0,40}(?:megtelt|tele)|kutusu.{0,30}dolu"
        r"|(?:ящик|скриньк).{0,40}(?:перепо|заполнен|повн)"
        r"|(?:容量|メールボックス|受信箱).{0,16}(?:超|いっぱい|満杯|不足|一杯)"
        r"|(?:邮箱|郵箱|信箱|空间|空間).{0,16}(?:满|滿|超|不足)|가득|용량.{0,10}(?:초과|부족)",
    ),
    (
        "suspended",
        r"(?:account|mail ?box|user|recipient|customer|subscriber)s?\b.{0,50}?\b(?:disabled"
        r"|suspended|inactive|de-?activated|locked|frozen|on hold|discontinued|terminated|closed"
        r"|dormant|not (?:been )?activ\w+)|(?:account|mail ?box) (?:is|was|has been) blocked"
        r"|(?:disabled|suspended|inactive|deactivated|locked|closed|frozen) "
        r"(?:\w+ )?(?:account|mail ?box|user|recipient)|(?:account|mail ?box"
        r"|subscription) (?:has )?"
        r"expired|compte.{0,40}(?:bloqu|désactiv|desactiv|suspend|ferm)"
        r"|(?:konto|postfach).{0,40}(?:gesperrt|deaktiviert|stillgelegt)"
        r"|(?:cuenta|buz[oó]n).{0,40}(?:d?esactivad|suspendid|bloquead|inhabilitad)"
        r"|(?:casella|utenza).{0,40}(?:disattivat|sospes|bloccat|disabilitat)"
        r"|conta.{0,30}(?:desativad|desabilitad|suspens|bloquead)"
        r"|(?:ящик|пользовател|аккаунт|учетн).{0,40}(?:заблокирован|отключ|неактив)"
        r"|(?:帐号|账号|帳號|邮箱|信箱|用户).{0,12}(?:停用|冻结|禁用|锁定)|利用停止"
        r"|계정.{0,12}(?:정지|휴면)",
    ),
    (
        "rate_limited",
        r"too many (?:messages|mails|emails|e-mails|connections|recipients|sessions|errors|rcpt)"
        r"|rate.{0,12}limit|throttl|frequency limited|slow down|(?:daily|hourly|sending|relay|"
        r"outgoing|message) (?:\w+ )?(?:quota|limit)\b|exceed\w*.{0,40}(?:\brate\b|per hour|per day"
        r"|number of (?:messages|connections|recipients))|gr[ea]y-?\s?list"
        r"|(?:unusual|unexpected|high) (?:rate|volume)|too (?:quickly|fast|frequently)",
    ),
    (
        "blocked",
        r"\bptr\b|reverse[- ]?(?:dns|lookup|name)|\brdns\b|name lookup failed|mismatch\w* client"
        r"|unverif[iy]able sending|my name was rejected|helo\b.{0,40}(?:reject|invalid|denied)"
        r"|black-?\s?list|block-?\s?list|deny-?list|dnsbl|\brbls?\b|spamhaus|spamcop|\bsorbs\b"
        r"|blocked (?:using|by|for|due|because|ip)|(?<!not )\blisted (?:at|in|on|by)\b|reputation"
        r"|\bip\b.{0,60}(?:block|bann|reject|refus|denied|bloqu)|client host.{0,80}(?:block|reject"
        r"|denied|refus)|messages from .{0,60}(?:were ?nt sent|deferred|blocked)"
        r"|not accepting connections|smtp server of your (?:isp|provider)|user complaints",
    ),
    (
        "too_large",
        r"(?:message|mail|content|data|attachment|header|line|body)s?\b.{0,40}?(?:too (?:large|big"
        r"|long)|(?:size|length)\b.{0,30}(?:exceed|limit|maximum)|exceed\w*.{0,40}(?:size|length"
        r"|maximum))|size limit|line limit|(?:maximum|fixed) (?:message )?size|zu gro(?:ß|ss)\b"
        r"|trop (?:gros|volumineux|grand|lourd)|(?:demasiado|muito|troppo) grande|te groot"
        r"|サイズ.{0,12}(?:超|制限)|(?:邮件|郵件).{0,12}(?:过大|太大|過大)|слишком больш",
    ),
    (
        "spam",
        r"\bspam|\bube\b|\buce\b|junk|unsolicited|bulk e?-?(?:mail|message)|phish"
        r"|垃圾|スパム|迷惑メール|스팸|спам",
    ),
    (
        "content",
        r"virus|malware|infected|trojan|attachment.{0,40}(?:not|block|forbid|type|ban|reject)"
        r"|(?:banned|forbidden|prohibited) (?:file|content|attachment|word)|executable"
        r"|content.{0,20}(?:reject|filter|restrict|violat|presents|not accept|error)"
        r"|header.{0,20}(?:error"
        r"|syntax|invalid|missing|too)|duplicate header|8-?bit|bare (?:lf|cr)|malformed|\bmime\b"
        r"|\brfc.?(?:2?822|5322|2047)\b|multiple .{0,20}(?:from|subject|addresses in)"
        r"|incorrectly constructed|вирус|ウイルス|病毒",
    ),
    (
        "relay_denied",
        r"relay\w*.{0,40}(?:denied|prohibit|reject|disallow|refus|forbid|not (?:allow|permit|accept"
        r"|authori))|(?:unable|not (?:configured|allowed|permitted|authori[sz]ed|able)|cannot"
        r"|can ?t"
        r"|won ?t|refuse\w*|does not|do not|don ?t) (?:to )?(?:be )?relay|open relay|rcpthosts"
        r"|not (?:a|an) (?:open )?(?:relay|gateway)|no relay",
    ),
    (
        "sender_rejected",
        r"sender(?: ?s)?(?: e?-?mail)?(?: address)?(?: domain)?\b.{0,50}?(?:reject|denied|refus"
        r"|not (?:allow|accept|authori|valid|exist|found|verif|permit)|invalid|unknown"
        r"|verif\w+ fail|block|does not)|domain of sender|(?:unrout\w+|invalid|bad|unknown"
        r"|unverified|envelope) sender|(?:return-?path|mail from|from:? address|from: domain"
        r"|from header|your (?:e?-?mail )?address)\b.{0,60}?(?:reject|does not|not exist|invalid"
        r"|denied|refus|unknown|unresolv|not found|not allow|black|not a member)"
        r"|not (?:allowed|permitted|authori[sz]ed) to (?:send|post|submit|e?mail)"
        r"|permission to (?:post|send|submit)|not a member|(?:only|restricted to) "
        r"(?:\w+ ){0,2}(?:members|senders|subscribers)",
    ),
    (
        "not_accept",
        r"null mx|(?:host|domain)\b.{0,60}?(?:does ?n[o ]?t|do not|not) (?:accept|receive)"
        r" (?:any )?e?-?mail",
    ),
    (
        "network",
        r"(?:host|name|domain|dns|lookup)\b.{0,80}?(?:(?:found|error),? try again|temporar|servfail"
        r"|time ?d?-? ?out)"
        r"|(?:connection|connect)\b.{0,40}?(?:refused|reset|lost|dropped|closed|abort)"
        r"|lost connection|no route to host|failed connect|network.{0,12}unreachable"
        r"|(?:too many|maximum) hops?|hop count|\bloops?\b|looping|maximum allowed times"
        r"|dns (?:error|query|lookup|fail|timeout)|\btls\b|\bssl\b|handshake|socket error",
    ),
    (
        "host_unknown",
        r"(?:host|domain)(?: or domain)?(?: name)?s?\b[^:;]{0,50}?(?:unknown|not (?:be )?(?:found"
        r"|exist"
        r"|resolv|registered)|could ?n[o ]?t be found|invalid|unresolv|not reachable"
        r"|no longer exist)"
        r"|(?:unknown|no such|invalid|illegal|unresolvable|bad|unrouteable|unroutable|nonexistent)"
        r" (?:mail |destination |recipient )?(?:host|domain)|nxdomain|unrout\w+ (?:address|mail)"
        r"|no (?:valid )?(?:mx|a)\b.{0,20}\b(?:record|host|exist)|name or service not known"
        r"|bad destination (?:system|host|domain)"
        r"|could ?n[o ]?t find (?:a|any) (?:mail exchanger|host|mx)|name service error"
        r"|(?<![\w.-])(?:[a-z0-9-]{1,63}\.){1,6}[a-z]{2,24} does not exist"
        r"|dom[aäe]?[iíì]n\w*\b.{0,40}?(?:n ?existe pas|existiert nicht|no existe|non esiste"
        r"|não existe|bestaat niet|inconnu|unbekannt|desconocid|sconosciut|introuvable"
        r"|nicht gefunden)"
        r"|домен\w*.{0,40}?не (?:существ|найден)|(?:域名|ドメイン).{0,16}(?:不存在|存在しません"
        r"|見つかりません)",
    ),
    (
        "has_moved",
        r"(?:user|recipient|account|address|person|employee|mail ?box|owner)\b.{0,50}?(?:\bmoved\b"
        r"|relocated|no longer (?:on|at|with|works?|employed|here|there|part)|has left|left the)"
        r"|not our customer|user not local|(?:has|have) a new (?:e-?mail )?address",
    ),
)

_WHO = (
    r"(?:user|recipient|mail ?box|account|address|addressee|alias|person|name|customer|userid|login"
    r"|local ?part|subscriber|receiver|rcpt|user ?id|member)s?"
)
_UNKNOWN_USER = (
    _WHO
    + r"\b.{0,60}?(?:\bunknown\b|not (?:be |been )?(?:found|known|exist\w*|listed|recogni[sz]ed"
    r"|valid|a valid)|(?:does|did|do) ?n[o ]?t exist|could ?n[o ]?t be found|no longer (?:exist"
    r"|valid|available|in use|in service)|undefined|\binvalid\b|non-?existent|not known)",
    r"(?:unknown|no such|invalid|illegal|bad|not a (?:valid|known)|no valid|non-?existent"
    r"|unrecogni[sz]ed|incorrect|undefined) (?:\w+ ){0,3}?" + _WHO + r"\b",
    r"\bno (?:such )?" + _WHO + r" (?:by|here|with|named|found|of|at|in|for)\b",
    r"no ?such ?(?:user|person|recipient|account)|recip\w*notfound|nobody (?:here )?by that name"
    r"|does ?n[o ]?t have an? .{0,40}account|not listed in|no one (?:here )?(?:by|with)"
    r"|recipient address(?:es)? rejected ?: ?access denied|user not exist",
    r"(?:benutzer|empf(?:ä|ae)nger|adressat|postfach|e?-?mail-?adresse|adresse|nutzer|konto)\w*"
    r".{0,50}?(?:unbekannt|existiert nicht|nicht (?:gefunden|vorhanden|bekannt|existent)|ungültig)"
    r"|(?:unbekannt|ungültig)e\w* (?:benutzer|empfänger|e?-?mail-?adress|adress|nutzer)",
    r"(?:destinataire|utilisateur|adresse|bo[iî]te|usager)\w*.{0,60}?(?:inconnu|invalide"
    r"|introuvable|n ?existe|inexistant|pas (?:été )?trouv)|(?:inconnu"
    r"|invalide)\w* .{0,20}destinataire",
    r"(?:usuario|destinatario|direcci[oó]n|buz[oó]n|cuenta)\w*.{0,60}?(?:desconocid|no exist"
    r"|no (?:se )?(?:ha |pudo )?(?:podido )?encontr|inv[aá]lid|no v[aá]lid|inexistente)"
    r"|no existe .{0,20}(?:usuario|destinatario|buz|cuenta)",
    r"(?:utente|destinatario|indirizzo|casella)\w*.{0,60}?(?:sconosciut|inesistente"
    r"|non (?:esiste|trovat|valid|è stat\w trovat))",
    r"(?:usu[aá]rio|utilizador|destinat[aá]rio|endere[cç]o|caixa|conta)\w*.{0,60}?(?:desconhecid"
    r"|inexistente|n[aã]o (?:existe|encontrad|foi (?:possível )?(?:encontr|localiz))|inv[aá]lid)",
    r"(?:gebruiker|geadresseerde|ontvanger|adres|postvak)\w*.{0,60}?(?:onbekend|bestaat niet"
    r"|niet gevonden|ongeldig)|onbekende (?:gebruiker|ontvanger|geadresseerde)",
    r"(?:användar|mottagar|bruger|modtager|bruker|mottaker|adress|postkass|postlåd)\w*.{0,50}?"
    r"(?:okänd|ukendt|ukjent|fin+s inte|find?n?es ikke|hittades inte|ikke (?:fundet|funnet))"
    r"|(?:okänd|ukendt|ukjent) (?:användare|mottagare|bruger|modtager|bruker|mottaker)",
    r"(?:käyttäjä|vastaanottaja|osoite)\w*.{0,50}?(?:tuntematon|ei (?:ole olemassa|löydy))",
    r"(?:użytkownik|odbiorc|adresat|adres|skrzynk|konto)\w*.{0,50}?(?:nieznan|nie istnieje"
    r"|nie (?:został\w* )?znalezion|nieprawidłow)|nie ma takiego (?:użytkownik|adres)",
    r"(?:uživatel|příjemce|adres|schránk|používateľ)\w*.{0,50}?(?:neznám|neexist|nenalezen"
    r"|nebyl\w* nalezen|nenájden)|(?:felhasználó|címzett|postafiók)\w*.{0,50}?(?:ismeretlen"
    r"|nem létez|nem található)|(?:utilizator|destinatar)\w*.{0,50}?(?:necunoscut|nu exist)",
    r"(?:пользовател|получател|адрес|ящик|користувач|одержувач|отримувач|потребител)\w*.{0,50}?"
    r"(?:неизвест|не (?:существ|найден|зарегистр|існу|знайден|съществ)|недейств|невідом)"
    r"|(?:такого (?:пользовател|адрес)\w* н|немає такого (?:користувач|одержувач))",
    r"(?:kullanıcı|alıcı|adres|posta kutusu)\w*.{0,50}?(?:bilinm|bulunamadı|mevcut değil|geçersiz)"
    r"|(?:χρήστης|παραλήπτης|διεύθυνση).{0,50}?(?:άγνωστ|δεν (?:υπάρχει|βρέθηκε))",
    r"(?:ユーザ|宛先|あて先|アドレス|受信者|送信先|アカウント).{0,30}?(?:存在しません"
    r"|存在しておりません"
    r"|見つかりません|不明|登録されて|ありません)|ディレクトリ.{0,12}ありません|宛先不明",
    r"(?:用户|用戶|收件人|邮箱|郵箱|信箱|地址|帐号|账号|帳號).{0,60}?(?:不存在|不正确|不正確|无效"
    r"|無效|未找到"
    r"|找不到)|(?:不存在|无此|無此|没有该).{0,8}(?:用户|用戶|收件人|邮箱|信箱)",
    r"(?:사용자|수신자|주소|계정|편지함).{0,30}?(?:없|존재하지|찾을 수|알 수 없)"
    r"|(?:존재하지 않는|없는|알 수 없는) (?:사용자|수신자|계정|주소)"
    r"|(?:المستخدم|المستلم|العنوان).{0,40}?غير (?:موجود|معروف|صالح)"
    r"|(?:משתמש|נמען|כתובת).{0,40}?לא (?:קיי|נמצא|ידוע)"
    r"|(?:penerima|pengguna|alamat)\b.{0,40}?tidak (?:ditemukan|dikenal|ada)",
)

_LATER: tuple[tuple[str, str], ...] = (
    (
        "expired",
        r"time ?d?-? ?out|expired|too long|retry time|failing for a long time|aborted after"
        r"|not (?:yet )?(?:been )?delivered (?:within|after|for)|undeliverable for"
        r"|(?:unable|could not|failed) .{0,40}(?:after|for) .{0,12}(?:day|hour|attempts)"
        r"|delivery failed \d+ attempts|\d+ (?:attempts|tries)|unable to connect"
        r"|requests to connect"
        r"|not respond|has been delayed|will be retried|still (?:undelivered|being)|keep trying",
    ),
    (
        "policy",
        r"\bpolic(?:y|ies)|recipient.{0,4}preference|administrative\w* (?:prohibit|den|reject)"
        r"|\bfilter(?:ed|ing)\b"
        r"|security|network not allowed|message not allowed",
    ),
    (
        "system",
        r"(?:service|system|server)\b.{0,40}?(?:unavailable|not available|busy|error|failure"
        r"|problem"
        r"|try later|refus)|temporary (?:\w+ )?(?:failure|error|problem)|could not load|resources"
        r"|failed to (?:read|open|write)|no such file|permission denied|configuration error"
        r"|out of memory|exit (?:status|code)|try (?:again )?later",
    ),
)
_VAGUE: tuple[tuple[str, str], ...] = (
    (
        "user_unknown",
        r"mail ?box (?:unavailable|not available|unreachable)|(?:recipient|address\w*|rcpt|to)\b"
        r".{0,40}?(?:reject|not accepted|refused)|undeliverable (?:address|recipient)"
        r"|addr(?:ess)? .{0,20}not deliverable|\baddr rejected",
    ),
    ("policy", r"reject|denied|refused|not allow|not permit|not authori|prohibit|forbid|violat"),
    ("blocked", r"\bblock|\bbann"),
)

# RFC 3463 section 3 and the registry of RFC 5248; what names no cause (x.0.0, x.5.0) is left out.
_BY_STATUS = {
    "1.1": "user_unknown", "1.2": "host_unknown", "1.3": "user_unknown", "1.6": "has_moved",
    "1.7": "sender_rejected", "1.8": "sender_rejected", "1.10": "not_accept",
    "2.1": "suspended", "2.2": "mailbox_full", "2.3": "too_large", "2.4": "system",
    "3.1": "system", "3.2": "system", "3.3": "system", "3.4": "too_large", "3.5": "system",
    "4.1": "network", "4.2": "network", "4.3": "network", "4.4": "host_unknown", "4.5": "system",
    "4.6": "network", "4.7": "expired", "5.3": "rate_limited",
    "6.0": "content", "6.1": "content", "6.2": "content", "6.3": "content", "6.5": "content",
    "6.6": "content", "6.7": "content", "6.9": "content",
    "7.0": "policy", "7.1": "policy", "7.2": "policy", "7.3": "policy", "7.4": "policy",
    "7.5": "policy", "7.6": "policy", "7.7": "policy", "7.8": "auth_failed", "7.9": "policy",
    "7.17": "has_moved", "7.20": "auth_failed", "7.21": "auth_failed", "7.22": "auth_failed",
    "7.23": "auth_failed", "7.24": "auth_failed", "7.25": "blocked", "7.26": "auth_failed",
    "7.27": "sender_rejected", "7.28": "rate_limited", "7.29": "auth_failed",
}  # fmt: skip
# Codes that servers use for nothing else: they decide even before the words.
_SURE = frozenset({"2.2", "3.4", "7.20", "7.21", "7.22", "7.23", "7.24", "7.25", "7.26"})
_BY_SUBJECT = {"3": "system", "4": "network", "6": "content", "7": "policy"}
# RFC 5321 section 4.2.3, RFC 7504 and RFC 7505.
_BY_REPLY = {
    "421": "system", "431": "system", "451": "system", "452": "system", "521": "blocked",
    "552": "mailbox_full", "556": "not_accept",
}  # fmt: skip


def judge(text: str, *, status: str = "") -> Verdict:
    """Return why a server refused a recipient, from its words and its RFC 3463 status."""
    text = text[:_LONGEST]
    found, reply = codes(text)
    best = found if _is_telling(found) or not status else status
    words = _plain(text)
    reason = _reason(words, best, reply)
    if reason in _DEAD and (phase(text) == "mail from" or best[2:] in ("1.7", "1.8")):
        reason = "sender_rejected"  # the server never heard of the recipient
    temporary = (best or reply).startswith("4")
    return Verdict(reason, reason in _DEAD and not temporary, best)


def codes(text: str) -> tuple[str, str]:
    """Return the first RFC 3463 status and SMTP reply code of a text; "" for what is not there."""
    text = text[:_LONGEST]
    every = [".".join(m.groups()) for m in _STATUS.finditer(text)]
    reply = _REPLY.search(text)
    telling = next((s for s in every if _is_telling(s)), every[0] if every else "")
    return telling, (reply[1] or reply[2]) if reply else ""


def phase(text: str) -> str:
    """Return the SMTP command that was refused: mail from, rcpt, data; "" when nothing says."""
    text = text[:_LONGEST].lower()
    if named := _REPLIED_TO.search(text):
        return "data" if named[1] == "text" else named[1]
    refused = _REFUSED.search(text) or _REFUSAL.search(text)
    before = _COMMAND.findall(text[: refused.start()] if refused else text)
    return "".join(before[-1]).replace(" to", "") if before else ""


def _is_telling(status: str) -> bool:
    """Say whether the status names a cause: x.0.0 and x.5.0 are what servers send for anything."""
    return status[2:] in _BY_STATUS or (len(status) > 3 and not status.endswith(".0"))


def _reason(words: str, status: str, reply: str) -> str:
    if status[2:] in _SURE:
        return _BY_STATUS[status[2:]]
    for reason, pattern in _tables()[0]:
        if pattern.search(words):
            return reason
    if status[2:] in _BY_STATUS:
        return _BY_STATUS[status[2:]]
    for reason, pattern in _tables()[1]:
        if pattern.search(words):
            return reason
    return _BY_SUBJECT.get(status[2:3]) or _BY_REPLY.get(reply) or "other"


@cache
def _tables() -> tuple[tuple[tuple[str, re.Pattern[str]], ...], ...]:
    """Compile the texts on first use: most processes never see a bounce."""
    unknown = ("user_unknown", "|".join(_UNKNOWN_USER))
    clear = (*_CLEAR, unknown, *_LATER)
    return tuple(tuple((r, re.compile(p)) for r, p in table) for table in (clear, _VAGUE))


def _plain(text: str) -> str:
    """Return the words alone: addresses and links hold words that mean nothing here."""
    text = _URL.sub(" ", text)
    text = _ADDRESS.sub(" ", text)
    text = _LINE_CODE.sub(" ", text)
    return _SPACE.sub(" ", text.lower().replace("ip address", "ip"))

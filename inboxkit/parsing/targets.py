"""What the address of a link says by itself: a token made for one mail, an action, a shop."""

from __future__ import annotations

import re
from urllib.parse import unquote

_TOKEN = re.compile(r"[A-Za-z0-9_-]{10,}|[A-Za-z0-9]{4,}(?:[-.][A-Za-z0-9]{4,}){2,}")
_GROUPED = re.compile(r"[A-Za-z0-9]{4,}(?:[-.][A-Za-z0-9]{4,}){2,}")
_LONG = 16  # characters; what is shorter must look more like chance
_DIGIT = re.compile(r"\d")
_INNER_CAPITAL = re.compile(r"[a-z][A-Z]")
_CAMPAIGN = re.compile(
    r"(?:utm_\w{1,20}|ref|source|campaign|redirect\w{0,12}|return\w{0,8}|next)=[^&#]*",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"[?&#;](?:[a-z_]{0,24}(?:token|code|key|hash|secret|ticket|otp|sig|signature|invite|invitation)"
    r"|t|k|c|h|s|oobcode|upn|jwt)=[^&]{6}",
    re.IGNORECASE,
)
_FILE = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|ico|css|js|woff2?|pdf)$", re.IGNORECASE)
_STORE = re.compile(
    r"^(?:apps|itunes)\.apple\.com|^play\.google\.com|^(?:www\.)?w3\.org", re.IGNORECASE
)
_SOCIAL = re.compile(
    r"^(?:www\.|m\.)?(?:facebook|twitter|x|instagram|linkedin|youtube|tiktok|pinterest)\.com$"
    r"|^(?:t|wa)\.me$",
    re.IGNORECASE,
)
_ADDRESS_WORDS = re.compile(
    r"(?<![a-z])(?:verif|confirm|activat|validat|reset|password|passwd|recover|magic|log-?in|sign-?in|"
    r"signup|auth|invit|accept|join|unlock|token|regist|enrol|opt-?in|callback|otp|session)",
    re.IGNORECASE,
)
_ADDRESS_AVOID = re.compile(
    r"unsubscri|opt-?out|(?<![a-z])(?:preferences|privacy|terms|legal|help|support|faq|contact|"
    r"decline|reject|cancel|revoke|report|deny|(?:was-?)?not-?me|abuse|blog|logo|pixel|track/open|"
    r"open\.(?:php|aspx|gif)|view-?in-?browser|webversion|ignore)(?![a-z])",
    re.IGNORECASE,
)
# What an address can ask for by itself; "confirm" and "login" alone lead to orders and shops, too.
_OBJECT = (
    r"(?:e-?mail|mail|account|address|registration|sign-?up|subscription|user|identity|konto"
    r"|registrierung|anmeldung|compte|inscription|courriel|cuenta|correo|registro|conta|cadastro)s?"
)
_DO = r"(?:confirm|validat|verif(?!ied)|activat|activer|activar|aktivier|bestaetig)[a-z]{0,7}"
_TOKEN_OF = r"[-_]?(?:token|code|key)="
_ACTIONS = (
    ("reset", r"(?:reset|recover|new|set|change|forgot(?:ten)?)[-_/]?(?:password|passwd)(?![a-z])"),
    (
        "reset",
        r"(?:password|passwd)s?[-_/](?:reset|recover|new|set|change|edit)(?:ing|y)?(?![a-z])",
    ),
    ("reset", rf"reset(?:[-_]password)?{_TOKEN_OF}"),
    ("verify", rf"{_DO}[-_/]{_OBJECT}(?![a-z])|{_OBJECT}[-_/]{_DO}(?![a-z])|verify{_OBJECT}"),
    ("verify", rf"complete[-_/]{_OBJECT}(?![a-z])|{_OBJECT}[-_/]complete(?![a-z])"),
    ("verify", r"(?:verify|verification|activate|activation)(?=[/?.]|$)"),
    ("verify", rf"(?:confirmation|verification|activation|unlock){_TOKEN_OF}"),
    ("login", r"magic[-_]?(?:link|log-?in|sign-?in|auth)(?![a-z])|passwordless|log-?in[-_]link"),
    ("login", r"(?:log-?in|sign-?in|auth)[-_/]magic(?![a-z])"),
    ("invite", r"(?:accept[-_/]?)?(?:invite|invitations?)(?=[/?.]|$)|join[-_](?:team|workspace)"),
    ("invite", rf"(?:invite|invitation){_TOKEN_OF}"),
)
_THING = re.compile(  # what is shown there, whatever words its name has
    r"(?:^|/)(?:pulls?|commits?|merge_requests|issues|jobs?|builds?|blob|tree|docs?|wiki|articles?"
    r"|posts?|reviews?|stats|orders?|bookings?|appointments?|events?|invoices?|surveys?)/",
    re.IGNORECASE,
)
_TOKEN_NAME = re.compile(rf"\w{{4,40}}{_TOKEN_OF}", re.IGNORECASE)
_ACTION = tuple(
    (purpose, re.compile(rf"(?<![a-z])(?:{words})", re.IGNORECASE)) for purpose, words in _ACTIONS
)
_WITHOUT_TOKEN = {"login": 4.0, "reset": 2.5}  # a page for everyone, not for this reader


def is_telling(url: str) -> bool:
    """Tell whether an address carries a token or names an action."""
    rest = url.partition("://")[2].partition("/")[2]
    return _has_token(url, rest) or _ADDRESS_WORDS.search(rest) is not None


def _has_token(url: str, rest: str) -> bool:
    """Tell whether an address carries a value that was made for one mail."""
    rest = rest[:1024]
    if "=" in url:
        if _FIELD.search(url):
            return True
        rest = _CAMPAIGN.sub("", rest)
    if rest == rest.lower() and len(_DIGIT.findall(rest)) < 2:
        return False
    for match in _TOKEN.finditer(rest):
        value = match.group()
        digits, capitals = len(_DIGIT.findall(value)), len(_INNER_CAPITAL.findall(value))
        if len(value) >= _LONG or _GROUPED.fullmatch(value):
            if digits > 1 or capitals > 1:
                return True
        elif digits > 1 and not (value.islower() or value.isupper()):
            return True
    return False


def action(url: str) -> str:
    """Return what an address asks for by itself: an action, with a token; else ""."""
    rest = url.partition("://")[2].partition("/")[2][:1024]
    if not _has_token(url, rest) or _THING.search(rest):
        return ""
    path, _, query = rest.partition("?")
    field = _TOKEN_NAME.match(query)
    plain = f"{path}?{field[0]}" if field else path
    return next((purpose for purpose, words in _ACTION if words.search(plain)), "")


def weigh(url: str, purpose: str, reasons: list[str], *, asked: bool) -> float:
    """Return what the address itself is worth; -99 when it cannot be such a link.

    Newsletters too say "log in": unless the mail is about that, the address must say so as well.
    """
    host, _, rest = url.partition("://")[2].partition("/")
    path = rest.partition("?")[0]
    if not host or _FILE.search(path) or _STORE.match(host):
        return -99.0
    if _ADDRESS_AVOID.search(unquote(path)):
        return -99.0
    score = 0.0
    if _ADDRESS_WORDS.search(rest):
        score += 1.0
        reasons.append("its address names it")
    elif purpose == "login" and not asked:
        score -= 3.0
    if _has_token(url, rest):
        score += 1.5
        reasons.append("its address carries a token")
    else:
        score -= 4.0 if _SOCIAL.match(host) else _WITHOUT_TOKEN.get(purpose, 0.0)
    if not rest.strip("/") or (len(rest) < 4 and "?" not in rest):
        score -= 4.0
    return score

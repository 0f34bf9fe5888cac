"""Hands a mail to an SMTP server for a program that ends with it: TLS, login, exit codes.

Its exit codes are those of sysexits.h. The library sends by ``pipeline/transport`` instead.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ..errors import ConfigurationError
from ..settings import host_port, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..providers.base import Tls  # slow to import

# sysexits.h
EX_NOUSER, EX_UNAVAILABLE, EX_TEMPFAIL, EX_NOPERM = 67, 69, 75, 77
_KINDS: tuple[Tls, ...] = ("starttls", "tls", "none")
_SECONDS = 60.0
_SUBMISSIONS = 465  # RFC 8314: TLS from the first byte
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_KEYS = ("smtp", "tls", "ca", "username", "password", "password_file")
_NO_USER = (550, 551, 553)
_NO_PERMISSION = (530, 534, 535, 538)  # RFC 4954 section 6
_REFUSED = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_TOO_MANY = "4.5.3"  # RFC 3463: the same mail will be refused the next time as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to hand mail to, how that is protected, and how to log in."""

    host: str
    port: int
    tls: Tls = "none"
    context: ssl.SSLContext | None = None
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """Where it is, for people to read."""
        return f"{self.host}:{self.port}"


def server_of(options: Mapping[str, str], default: str) -> Server:
    """Read what ``[sendmail]`` and its flags say; raise ConfigurationError."""
    if unknown := sorted(set(options) - set(_KEYS)):
        raise ConfigurationError(
            f"sendmail: unknown key {unknown[0]}; known are {', '.join(_KEYS)}"
        )
    try:
        host, port = host_port(options.get("smtp") or default)
    except ValueError as error:
        raise ConfigurationError(f"smtp: {error}") from None
    if not port:
        raise ConfigurationError("smtp: port 0 is a different one each time; give --smtp HOST:PORT")
    host, username = _ANY_HOST.get(host, host), options.get("username", "")
    tls = _tls(host, port, options)
    return Server(
        host=host,
        port=port,
        tls=tls,
        context=None if tls == "none" else _context(options.get("ca", "")),
        username=username,
        password=_password(username, options),
    )


def _tls(host: str, port: int, options: Mapping[str, str]) -> Tls:
    """Return how to protect the connection: a password crosses no net in the clear."""
    clear = is_loopback(host) or not options.get("username")
    usual = "tls" if port == _SUBMISSIONS else "none" if clear else "starttls"
    asked = options.get("tls") or usual
    tls: Tls | None = next((kind for kind in _KINDS if kind == asked), None)
    if tls is None:
        raise ConfigurationError(f"tls: {asked!r} is none of {', '.join(_KINDS)}")
    if tls == "none" and not clear:
        raise ConfigurationError(
            f"tls: with none the password would cross the net to {host} in the clear; give "
            "--tls starttls or --tls tls"
        )
    if tls == "none" and options.get("ca"):
        raise ConfigurationError("ca: serves TLS only; give --tls starttls or --tls tls as well")
    return tls


def _context(authority: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authority or None)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise ConfigurationError(
            f"ca: {authority!r} cannot be read as certificates in PEM: {error}"
        ) from None


def _password(username: str, options: Mapping[str, str]) -> str:
    file = options.get("password_file", "")
    try:
        found = Path(file).read_text(encoding="utf-8") if file else options.get("password", "")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"password_file: {file!r} cannot be read: {_reason(error)}"
        ) from None
    password = found.removesuffix("\n").removesuffix("\r")
    for name, value in (("username", username), ("password", password)):
        if _REFUSED.search(value):
            raise ConfigurationError(f"{name}: must be one line, without control characters")
    if bool(username) != bool(password):
        missing = "password" if username else "username"
        raise ConfigurationError(
            f"{missing}: is missing; a login needs --username NAME, and its password in "
            "--password-file FILE or the variable INBOXKIT_SENDMAIL_PASSWORD"
        )
    return password


def _reason(error: OSError | ValueError) -> str:
    """Return what is wrong with a file, and nothing of what it holds."""
    return (isinstance(error, OSError) and error.strerror) or "it is not UTF-8"


def hand_over(
    server: Server, own_name: str, *, sender: str, to: Sequence[str], whole: bytes
) -> None:
    """Send to all, or to nobody: a program that sends once more must not reach some twice."""
    place = server.place
    try:
        smtp = _connected(server, own_name)
        try:
            _prepared(smtp, server)
            said = smtp.mail(sender, _options(smtp, place, [sender, *to], whole))
            _go_on(said, sender or "<>", hint=_hint(smtp, server))
            for address in to:
                _go_on(smtp.rcpt(address), address, no_user=_NO_USER)
            _go_on(smtp.data(whole), "the mail")
            with suppress(OSError, smtplib.SMTPException):  # what was taken is taken
                smtp.quit()
        finally:
            smtp.close()
    except smtplib.SMTPResponseException as error:
        words = error.smtp_error
        _go_on((error.smtp_code, words if isinstance(words, bytes) else words.encode()), place)
    except ssl.SSLCertVerificationError as error:
        _distrust(place, error)
    except (OSError, smtplib.SMTPException) as error:
        refuse(EX_TEMPFAIL, f"not handed over to {place}: {error}; try again later")


def _connected(server: Server, own_name: str) -> smtplib.SMTP:
    where = server.host, server.port
    if server.tls == "tls":
        return smtplib.SMTP_SSL(
            *where, local_hostname=own_name, timeout=_SECONDS, context=server.context
        )
    return smtplib.SMTP(*where, local_hostname=own_name, timeout=_SECONDS)


def _prepared(smtp: smtplib.SMTP, server: Server) -> None:
    """Greet, go on under TLS and log in, as far as each is wanted."""
    smtp.ehlo_or_helo_if_needed()
    if server.tls == "starttls":
        if not smtp.has_extn("starttls"):
            refuse(
                EX_UNAVAILABLE,
                f"{server.place} does not offer STARTTLS; nothing was sent. Where it speaks TLS "
                "from the start, give --tls tls",
            )
        smtp.starttls(context=server.context)
        smtp.ehlo_or_helo_if_needed()  # what was said before TLS may be forged
    if server.username:
        _log_in(smtp, server)


def _log_in(smtp: smtplib.SMTP, server: Server) -> None:
    """Log in by PLAIN or LOGIN. smtplib's own way knows no password beyond ASCII."""
    name, password = server.username, server.password
    offered = smtp.esmtp_features.get("auth", "").upper().split()
    secrets = [_base64(name), _base64(password)]
    if "PLAIN" in offered:
        secrets = [_base64(f"\0{name}\0{password}")]  # RFC 4616
        answer = smtp.docmd("AUTH", f"PLAIN {secrets[0]}")
    elif "LOGIN" in offered:
        answer = smtp.docmd("AUTH", "LOGIN")
        for one in secrets:
            answer = smtp.docmd(one) if answer[0] == 334 else answer
    else:
        tls = server.tls == "none" and smtp.has_extn("starttls")
        hint = "; it offers STARTTLS: give --tls starttls" if tls else ""
        refuse(EX_UNAVAILABLE, f"{server.place} offers no login by PLAIN or LOGIN{hint}")
    code, words = answer
    for one in secrets:
        words = words.replace(one.encode(), b"***")  # a server may repeat what it does not know
    _go_on((code, words), f"the login of {name} at {server.place}", no_permission=range(500, 600))


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")


def _hint(smtp: smtplib.SMTP, server: Server) -> str:
    """Return what may help where a server wants more than it was given."""
    flags = [] if server.tls != "none" or not smtp.has_extn("starttls") else ["--tls starttls"]
    flags += [] if server.username else ["--username and --password-file"]
    return f". Perhaps it wants {' or '.join(flags)}" if flags else ""


def _options(smtp: smtplib.SMTP, place: str, names: Sequence[str], whole: bytes) -> list[str]:
    """Return the parameters of MAIL; what the server cannot carry is refused."""
    options = [f"SIZE={len(whole)}"] if smtp.has_extn("size") else []
    needed = {"SMTPUTF8": not all(map(str.isascii, names)), "8BITMIME": not whole.isascii()}
    for extension, is_needed in needed.items():
        if not is_needed:
            continue
        if not smtp.has_extn(extension):
            refuse(EX_UNAVAILABLE, f"{place} does not offer {extension}, which this mail needs")
        options.append("BODY=8BITMIME" if extension == "8BITMIME" else extension)
    return options


def _go_on(
    answer: tuple[int, bytes],
    about: str,
    *,
    no_user: Sequence[int] = (),
    no_permission: Sequence[int] = _NO_PERMISSION,
    hint: str = "",
) -> None:
    """Go on after a good answer; else say it and end."""
    code, words = answer
    if 200 <= code < 300:
        return
    said = " ".join(words.decode("utf-8", "replace").split())
    kind = EX_NOUSER if code in no_user else EX_UNAVAILABLE if code >= 500 else EX_TEMPFAIL
    kind = EX_NOPERM if code in no_permission else kind
    if _TOO_MANY in said:
        kind, said = EX_UNAVAILABLE, f"{said} (the setting max_recipients)"
    ending = hint if kind == EX_NOPERM else ""
    refuse(kind, f"{about}: {code} {said}; nothing was sent{ending}")


def _distrust(place: str, error: ssl.SSLCertVerificationError) -> NoReturn:
    """Refuse a server whose certificate does not hold: it may be mended, so the mail is to wait."""
    refuse(
        EX_TEMPFAIL,
        f"{place}: its certificate is not trusted: {error.verify_message}; nothing was sent. "
        "Where it has an authority of its own, name that one's file by --ca",
    )


def refuse(code: int, words: str) -> NoReturn:
    """Say why nothing was sent, and end with an exit code."""
    click.echo(f"error: {words}", err=True)
    raise click.exceptions.Exit(code)

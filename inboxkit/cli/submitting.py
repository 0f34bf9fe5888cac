"""The command ``sendmail``: stands in for /usr/sbin/sendmail, and hands mail to a running inboxkit.

Its flags are those that programs give to sendmail; its exit codes those of sysexits.h.
"""

from __future__ import annotations

import getpass
import smtplib
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from getopt import GetoptError, gnu_getopt
from typing import TYPE_CHECKING, NoReturn

import click

from ..errors import ConfigurationError
from ..settings import host_port
from . import piped
from .opening import settings_of, url_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..settings import Settings

# sysexits.h
EX_USAGE, EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE, EX_TEMPFAIL, EX_CONFIG = 64, 65, 67, 69, 75, 78
_SMTP = "127.0.0.1:1025"  # that of ``dev`` and ``run``
_SECONDS = 60.0
# Flags of the sendmail programs there are; a colon follows those that take a value.
_FLAGS = "tif:r:F:o:b:vnUmGA:B:C:D:L:N:O:R:V:X:d:e:h:p:"
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_NO_USER = (550, 551, 553)
_TOO_MANY = "4.5.3"  # RFC 3463: the same mail will be refused the next time as well


@dataclass(slots=True)
class _Asked:
    """What the flags say."""

    by_header: bool = False
    dot_ends: bool = True
    sender: str | None = None
    name: str = ""
    smtp: str = ""


class _Sendmail(click.Command):
    """Reads flags as getopt does: click would take ``--`` away and knows no ``-oi``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            flags, recipients = gnu_getopt(args, _FLAGS, ["smtp=", "help"])
        except GetoptError as error:
            raise _WrongUse(error.msg, ctx) from None
        if ("--help", "") in flags:
            return super().parse_args(ctx, ["--help"])
        ctx.params = {"asked": _asked(ctx, flags), "recipients": recipients}
        return []


def _asked(ctx: click.Context, flags: Sequence[tuple[str, str]]) -> _Asked:
    asked = _Asked()
    for flag, value in flags:
        match flag:
            case "-t":
                asked.by_header = True
            case "-i":
                asked.dot_ends = False
            case "-o" if value == "i":
                asked.dot_ends = False
            case "-f" | "-r":
                asked.sender = value
            case "-F":
                asked.name = value
            case "--smtp":
                asked.smtp = value
            case "-b" if value != "m":
                words = f"-b{value}: only -bm, taking a mail from standard input, is done here"
                raise _WrongUse(words, ctx)
            case _:
                pass  # of no meaning here: how to queue, to log, to report errors
    if not asked.name.isprintable():
        raise _WrongUse("-F: the name holds control characters", ctx)
    return asked


class _WrongUse(click.UsageError):
    exit_code = EX_USAGE


@click.command(cls=_Sendmail, options_metavar="[-t] [-i] [-f SENDER] [-F NAME] [--smtp HOST:PORT]")
@click.option("--smtp", metavar="HOST:PORT", help=f"Where inboxkit takes mail; {_SMTP} by default.")
@click.argument("recipients", nargs=-1, metavar="[RECIPIENT...]")
@click.pass_context
def sendmail(ctx: click.Context, asked: _Asked, recipients: list[str]) -> None:
    """Take a mail from standard input and hand it to a running inboxkit, by SMTP.

    For programs that pipe their mail to /usr/sbin/sendmail. -t: send to whom To, Cc and Bcc name.
    -i, -oi: a line with a dot alone does not end the mail. -f, -r: the sender; -F: the sender's
    name, for a mail without From. Other flags of sendmail are taken and passed over.
    """
    try:
        settings, where = _where(ctx, asked.smtp)
    except ConfigurationError as error:
        _refuse(EX_CONFIG, str(error))
    mail = piped.read(sys.stdin.buffer.read(), dot_ends=asked.dot_ends)
    domain = settings.domain
    try:
        sender, author = _sender(mail, asked.sender, domain)
        to = [one for given in recipients for one in piped.people(given, domain)]
    except ValueError as error:
        _refuse(EX_USAGE, str(error))
    if asked.by_header:
        try:
            to += mail.addressed(domain)
        except ValueError as error:
            _refuse(EX_DATAERR, f"the header's recipients: {error}")
    if not to:
        _refuse(EX_USAGE, "nobody to send to: name recipients, or give -t for those in the header")
    now = datetime.now(UTC).astimezone()
    mail = piped.completed(mail, sender=author, name=asked.name, domain=domain, now=now)
    whole = piped.wire(mail)
    _handed_over(where, settings.hostname, sender, list(dict.fromkeys(to)), whole)


def _where(ctx: click.Context, given: str) -> tuple[Settings, tuple[str, int]]:
    """Return the settings, and where SMTP is; raise ConfigurationError."""
    if url_of(ctx):
        raise ConfigurationError(
            "url: sendmail hands mail over by SMTP; leave out --url (INBOXKIT_URL) and name the "
            "server by --smtp HOST:PORT"
        )
    settings = settings_of(ctx)
    try:
        host, port = host_port(given or settings.smtp or _SMTP)
    except ValueError as error:
        raise ConfigurationError(f"smtp: {error}") from None
    if not port:
        raise ConfigurationError("smtp: port 0 is a different one each time; give --smtp HOST:PORT")
    return settings, (_ANY_HOST.get(host, host), port)


def _sender(mail: piped.Piped, given: str | None, domain: str) -> tuple[str, str]:
    """Return the envelope's sender, and who a mail without From is from; raise ValueError.

    Without -f it is who From names, else the user of this process.
    """
    if given is None:
        sender = _stated(mail, domain) or _own(domain)
        return sender, sender
    if given.strip() in ("", "<>"):  # of reports: RFC 5321 section 4.5.5
        return "", _own(domain)
    found = piped.people(given, domain)
    if len(found) != 1:
        raise ValueError(f"-f: {given[:80]!r} is not one address")
    return found[0], found[0]


def _stated(mail: piped.Piped, domain: str) -> str:
    """Return who From names, "" where that cannot be read: it is for the reader to judge."""
    for value in mail.values("from"):
        with suppress(ValueError):
            found = piped.people(value, domain)
            # A name without quotes may hold a comma: what comes before it is no address.
            return next((one for one in found if one in value), found[0] if found else "")
    return ""


def _own(domain: str) -> str:
    try:
        return f"{getpass.getuser()}@{domain}"
    except (KeyError, OSError, ImportError):  # a user without a name, as in containers
        return f"nobody@{domain}"


def _handed_over(
    where: tuple[str, int], own_name: str, sender: str, to: Sequence[str], whole: bytes
) -> None:
    """Send to all, or to nobody: a program that sends once more must not reach some twice."""
    place = f"{where[0]}:{where[1]}"
    try:
        smtp = smtplib.SMTP(*where, local_hostname=own_name, timeout=_SECONDS)
        try:
            smtp.ehlo_or_helo_if_needed()
            _said(smtp.mail(sender, _options(smtp, place, [sender, *to], whole)), sender or "<>")
            for address in to:
                _said(smtp.rcpt(address), address, _NO_USER)
            _said(smtp.data(whole), "the mail")
            with suppress(OSError, smtplib.SMTPException):  # what was taken is taken
                smtp.quit()
        finally:
            smtp.close()
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error
        _said((error.smtp_code, said if isinstance(said, bytes) else said.encode()), place)
    except (OSError, smtplib.SMTPException) as error:
        _refuse(EX_TEMPFAIL, f"not handed over to {place}: {error}; try again later")


def _options(smtp: smtplib.SMTP, place: str, names: Sequence[str], whole: bytes) -> list[str]:
    """Return the parameters of MAIL; what the server cannot carry is refused."""
    options = [f"SIZE={len(whole)}"] if smtp.has_extn("size") else []
    needed = {"SMTPUTF8": not all(map(str.isascii, names)), "8BITMIME": not whole.isascii()}
    for extension, is_needed in needed.items():
        if not is_needed:
            continue
        if not smtp.has_extn(extension):
            _refuse(EX_UNAVAILABLE, f"{place} does not offer {extension}, which this mail needs")
        options.append("BODY=8BITMIME" if extension == "8BITMIME" else extension)
    return options


def _said(answer: tuple[int, bytes], about: str, no_user: Sequence[int] = ()) -> None:
    """Go on after a good answer; else say it and end."""
    code, words = answer
    if 200 <= code < 300:
        return
    said = " ".join(words.decode("utf-8", "replace").split())
    kind = EX_NOUSER if code in no_user else EX_UNAVAILABLE if code >= 500 else EX_TEMPFAIL
    if _TOO_MANY in said:
        kind, said = EX_UNAVAILABLE, f"{said} (the setting max_recipients)"
    _refuse(kind, f"{about}: {code} {said}; nothing was sent")


def _refuse(code: int, words: str) -> NoReturn:
    click.echo(f"error: {words}", err=True)
    raise click.exceptions.Exit(code)

"""The command ``sendmail``: stands in for /usr/sbin/sendmail, and hands mail to a running inboxkit.

Its flags are those that programs give to sendmail; its exit codes those of sysexits.h.
"""

from __future__ import annotations

import getpass
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from getopt import GetoptError, gnu_getopt
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError
from . import piped
from .handover import hand_over, refuse, server_of
from .opening import settings_of, url_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..settings import Settings
    from .handover import Server

EX_USAGE, EX_DATAERR, EX_CONFIG = 64, 65, 78  # sysexits.h
_SMTP = "127.0.0.1:1025"  # that of ``dev`` and ``run``
# Flags of the sendmail programs there are; a colon follows those that take a value.
_FLAGS = "tif:r:F:o:b:vnUmGA:B:C:D:L:N:O:R:V:X:d:e:h:p:"
_OF_SERVER = ("smtp", "tls", "ca", "username", "password-file")
_LONG = [*(f"{name}=" for name in _OF_SERVER), "password=", "help"]


@dataclass(slots=True)
class _Asked:
    """What the flags say."""

    by_header: bool = False
    dot_ends: bool = True
    sender: str | None = None
    name: str = ""
    server: dict[str, str] = field(default_factory=dict[str, str])


class _Sendmail(click.Command):
    """Reads flags as getopt does: click would take ``--`` away and knows no ``-oi``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            flags, recipients = gnu_getopt(args, _FLAGS, _LONG)
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
            case "--password":
                words = "--password: others see it in the list of processes; give --password-file"
                raise _WrongUse(f"{words} FILE or the variable INBOXKIT_SENDMAIL_PASSWORD", ctx)
            case _ if flag.startswith("--"):
                asked.server[flag.removeprefix("--").replace("-", "_")] = value
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


@click.command(cls=_Sendmail, options_metavar="[-t] [-i] [-f SENDER] [-F NAME] [OPTIONS]")
@click.option("--smtp", metavar="HOST:PORT", help=f"Where mail is taken; {_SMTP} by default.")
@click.option("--tls", metavar="KIND", help="starttls; tls, from the first byte; or none.")
@click.option("--ca", metavar="FILE", help="Whose certificates to trust, in place of the system's.")
@click.option("--username", metavar="NAME", help="Log in under this name.")
@click.option("--password-file", metavar="FILE", help="Its password, in place of the variable's.")
@click.argument("recipients", nargs=-1, metavar="[RECIPIENT...]")
@click.pass_context
def sendmail(ctx: click.Context, asked: _Asked, recipients: list[str]) -> None:
    """Take a mail from standard input and hand it to a running inboxkit, by SMTP.

    For programs that pipe their mail to /usr/sbin/sendmail. -t: send to whom To, Cc and Bcc name.
    -i, -oi: a line with a dot alone does not end the mail. -f, -r: the sender; -F: the sender's
    name, for a mail without From. Other flags of sendmail are taken and passed over. A password
    comes from INBOXKIT_SENDMAIL_PASSWORD or a file, and goes out under TLS or on this machine.
    """
    try:
        settings, server = _server(ctx, asked.server)
    except ConfigurationError as error:
        refuse(EX_CONFIG, str(error))
    mail = piped.read(sys.stdin.buffer.read(), dot_ends=asked.dot_ends)
    domain = settings.domain
    try:
        sender, author = _sender(mail, asked.sender, domain)
        to = [one for given in recipients for one in piped.people(given, domain)]
    except ValueError as error:
        refuse(EX_USAGE, str(error))
    if asked.by_header:
        try:
            to += mail.addressed(domain)
        except ValueError as error:
            refuse(EX_DATAERR, f"the header's recipients: {error}")
    if not to:
        refuse(EX_USAGE, "nobody to send to: name recipients, or give -t for those in the header")
    now = datetime.now(UTC).astimezone()
    mail = piped.completed(mail, sender=author, name=asked.name, domain=domain, now=now)
    to, whole = list(dict.fromkeys(to)), piped.wire(mail)
    hand_over(server, settings.hostname, sender=sender, to=to, whole=whole)


def _server(ctx: click.Context, given: Mapping[str, str]) -> tuple[Settings, Server]:
    """Return the settings, and the server to hand over to; raise ConfigurationError."""
    if url_of(ctx):
        raise ConfigurationError(
            "url: sendmail hands mail over by SMTP; leave out --url (INBOXKIT_URL) and name the "
            "server by --smtp HOST:PORT"
        )
    settings = settings_of(ctx)
    options = {**settings.provider_options("sendmail"), **given}
    return settings, server_of(options, settings.smtp or _SMTP)


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

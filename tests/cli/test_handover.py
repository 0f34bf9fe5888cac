"""``inboxkit sendmail`` under TLS and with a login: a real listener, and a server of aiosmtpd."""

from __future__ import annotations

import asyncio
import ssl
import threading
from base64 import b64encode
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from inboxkit.cli.handover import server_of
from inboxkit.errors import ConfigurationError
from tests.http.api import serving

from .certificates import signed_until
from .test_submitting import MAIL, answering, came, smtp_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from tests.http.api import Api

    from .conftest import Command

ANN, PASSWORD = "ann", "pässword-4711"
VARIABLE = "INBOXKIT_SENDMAIL_PASSWORD"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The files of a certificate of 127.0.0.1, and of its key."""
    folder = tmp_path_factory.mktemp("certificate")
    found, key = signed_until(folder, datetime.now(UTC) + timedelta(days=9))
    return str(found), str(key)


@pytest.fixture(scope="module")
def ca(certificate: tuple[str, str]) -> str:
    return certificate[0]


@pytest.fixture(scope="module")
def api(certificate: tuple[str, str]) -> Iterator[Api]:
    """A listener of ours that takes mail after a login only, which it offers under TLS."""
    files = dict(zip(("tls_certificate", "tls_key"), certificate, strict=True))
    login: dict[str, Any] = {"smtp_users": {ANN: PASSWORD}, "smtp_require_auth": True}
    with serving(any_recipient=True, **files, **login) as api:
        yield api


@dataclass
class Relay:
    """A server of aiosmtpd with LOGIN alone: what it took, and by whom it was asked."""

    smtp: str = ""
    logins: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    taken: list[bytes] = field(default_factory=list[bytes])

    def authenticator(self, _: Any, session: Session, __: Any, ___: str, data: Any) -> AuthResult:
        """Let ann in, and nobody else."""
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == PASSWORD.encode())

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take a mail."""
        self.taken.append(envelope.original_content or b"")
        return "250 taken"


@contextmanager
def relaying(
    *, tls: ssl.SSLContext | None = None, is_late: bool = False, **given: Any
) -> Generator[Relay]:
    """Run a server; with ``is_late`` TLS comes by STARTTLS."""
    relay, over = Relay(), asyncio.Event()
    started: Future[tuple[asyncio.AbstractEventLoop, int]] = Future()
    given |= {"authenticator": relay.authenticator, "auth_exclude_mechanism": ["PLAIN"]}
    given |= {"tls_context": tls} if is_late else {"auth_require_tls": False}

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        outer = None if is_late else tls
        server = await loop.create_server(lambda: SMTP(relay, **given), "127.0.0.1", 0, ssl=outer)
        async with server:
            started.set_result((loop, server.sockets[0].getsockname()[1]))
            await asyncio.wait_for(over.wait(), 60)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    loop, port = started.result(30)
    relay.smtp = f"127.0.0.1:{port}"
    try:
        yield relay
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(30)


@pytest.fixture(scope="module")
def tls(certificate: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def test_a_login_under_starttls_by_a_variable(
    bare: Command, api: Api, ca: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    flags = ("--smtp", smtp_of(api), "--tls", "starttls", "--ca", ca, "--username", ANN)
    done = bare("sendmail", *flags, "plain@inbox.example", stdin=MAIL)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert [sender for sender, _ in came(api, "plain@inbox.example")] == ["shop@example.com"]


@pytest.mark.parametrize("is_late", [False, True], ids=["tls", "starttls"])
def test_a_login_of_two_steps_by_a_file_on_another_server(
    bare: Command, ca: str, tls: ssl.SSLContext, is_late: bool
) -> None:
    (bare.folder / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    with relaying(tls=tls, is_late=is_late) as relay:
        flags = ("--smtp", relay.smtp, "--tls", "starttls" if is_late else "tls", "--ca", ca)
        login = ("--username", ANN, "--password-file", "password")
        done = bare("sendmail", *flags, *login, "ann@b.example", stdin=MAIL)
    assert (done.code, done.err) == (0, "")
    assert relay.logins == [(ANN.encode(), PASSWORD.encode())]
    assert len(relay.taken) == 1 and b"\r\n\r\nHello\r\n" in relay.taken[0]


def test_all_may_stand_in_the_settings(
    bare: Command, api: Api, ca: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (f"smtp = '{smtp_of(api)}'", "tls = 'starttls'", f"ca = '{ca}'", f"username = '{ANN}'")
    (bare.folder / "inboxkit.toml").write_text("\n".join(("[sendmail]", *lines)))
    monkeypatch.setenv(VARIABLE, PASSWORD)
    assert bare("sendmail", "settings@inbox.example", stdin=MAIL).code == 0
    assert len(came(api, "settings@inbox.example")) == 1
    checked, shown = bare("config", "check"), bare("config", "show")
    assert (checked.out, checked.err) == ("ok\n", "") and PASSWORD not in shown.out


def test_on_this_machine_a_login_may_go_out_in_the_clear(bare: Command) -> None:
    (bare.folder / "password").write_text(PASSWORD, encoding="utf-8")
    with relaying() as relay:
        login = ("--smtp", relay.smtp, "--username", ANN, "--password-file", "password")
        assert bare("sendmail", *login, "ann@b.example", stdin=MAIL).code == 0
    assert (len(relay.logins), len(relay.taken)) == (1, 1)


def test_a_wrong_password_is_no_permission_and_is_not_told(
    bare: Command, api: Api, ca: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "not-it-4711")
    flags = ("--smtp", smtp_of(api), "--tls", "starttls", "--ca", ca, "--username", ANN)
    done = bare("sendmail", *flags, "a@b.example", stdin=MAIL)
    assert done.code == 77 and "login of ann" in done.err and "4711" not in done.err


def test_a_server_that_repeats_a_login_gives_no_secret_away(
    bare: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    secret = b64encode(f"\0{ANN}\0{PASSWORD}".encode())
    replies = (b"250-here\r\n250 AUTH PLAIN\r\n", b"500 unknown: PLAIN %b\r\n" % secret)
    with answering(*replies) as smtp:
        done = bare("sendmail", "--smtp", smtp, "--username", ANN, "a@b.example", stdin=MAIL)
    assert (done.code, "unknown: PLAIN ***" in done.err) == (77, True)


def test_a_server_that_wants_a_login_says_how(bare: Command, api: Api) -> None:
    done = bare("sendmail", "--smtp", smtp_of(api), "a@b.example", stdin=MAIL)
    assert done.code == 77
    assert "--tls starttls" in done.err and "--password-file" in done.err


SAYS: dict[str, tuple[tuple[bytes, ...], tuple[str, ...], int, str]] = {
    "no STARTTLS": ((b"250 here\r\n",), ("--tls", "starttls"), 69, "does not offer STARTTLS"),
    "STARTTLS cut out": (
        (b"250-here\r\n250 AUTH PLAIN LOGIN\r\n",),
        ("--tls", "starttls", "--username", ANN),
        69,
        "does not offer STARTTLS",
    ),
    "not now": (
        (b"250-here\r\n250 STARTTLS\r\n", b"454 4.7.0 busy\r\n"),
        ("--tls", "starttls"),
        75,
        "454 4.7.0 busy",
    ),
    "no login": ((b"250 here\r\n",), ("--username", ANN), 69, "no login by PLAIN or LOGIN"),
    "other login": (
        (b"250-here\r\n250-STARTTLS\r\n250 AUTH CRAM-MD5\r\n",),
        ("--username", ANN),
        69,
        "--tls starttls",
    ),
    "login later": (
        (b"250-here\r\n250 AUTH LOGIN\r\n", b"454 4.7.0 later\r\n"),
        ("--username", ANN),
        75,
        "454 4.7.0 later",
    ),
}


@pytest.mark.parametrize(("replies", "flags", "code", "words"), SAYS.values(), ids=SAYS)
def test_what_a_server_cannot_do_decides_the_exit_code(
    bare: Command,
    monkeypatch: pytest.MonkeyPatch,
    replies: tuple[bytes, ...],
    flags: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    if "--username" in flags:
        monkeypatch.setenv(VARIABLE, PASSWORD)
    with answering(*replies) as smtp:
        done = bare("sendmail", "--smtp", smtp, *flags, "a@b.example", stdin=MAIL)
    assert done.code == code and words in done.err


@pytest.mark.parametrize(
    ("days", "address", "trusts", "words"),
    [
        (9, "127.0.0.1", False, "self-signed"),
        (-1, "127.0.0.1", True, "expired"),
        (9, "127.0.0.2", True, "127.0.0.1"),
    ],
    ids=["unknown", "expired", "another's"],
)
@pytest.mark.parametrize("is_late", [False, True], ids=["tls", "starttls"])
def test_a_certificate_that_does_not_hold_is_refused_before_the_login(
    bare: Command, days: int, address: str, trusts: bool, words: str, is_late: bool
) -> None:
    until = datetime.now(UTC) + timedelta(days=days)
    certificate, key = signed_until(bare.folder, until, address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    (bare.folder / "password").write_text(PASSWORD, encoding="utf-8")
    with relaying(tls=context, is_late=is_late) as relay:
        flags = ("--smtp", relay.smtp, "--tls", "starttls" if is_late else "tls")
        login = ("--username", ANN, "--password-file", "password")
        trusted = ("--ca", str(certificate)) if trusts else ()
        done = bare("sendmail", *flags, *trusted, *login, "a@b.example", stdin=MAIL)
    assert (done.code, relay.logins, relay.taken) == (75, [], [])
    assert "is not trusted" in done.err and words in done.err and "--ca" in done.err


WRONG: dict[str, tuple[tuple[str, ...], int, str]] = {
    "password as a flag": (("--password", "hunter-2"), 64, "--password-file"),
    "in the clear": (
        ("--smtp", "mail.example:25", "--tls", "none", "--username", ANN),
        78,
        "in the clear",
    ),
    "no password": (("--username", ANN), 78, VARIABLE),
    "no username": (("--password-file", "password"), 78, "--username"),
    "no such file": (("--username", ANN, "--password-file", "nosuch"), 78, "'nosuch'"),
    "two lines": (("--username", ANN, "--password-file", "lines"), 78, "one line"),
    "unknown TLS": (("--tls", "ssl"), 78, "starttls, tls, none"),
    "no such CA": (("--tls", "tls", "--ca", "nosuch"), 78, "'nosuch'"),
    "a CA of words": (("--tls", "tls", "--ca", "password"), 78, "PEM"),
    "a CA for nothing": (("--ca", "password"), 78, "--tls"),
}


@pytest.mark.parametrize(("flags", "code", "words"), WRONG.values(), ids=WRONG)
def test_wrong_flags_are_told_before_a_server_is_asked(
    bare: Command, flags: tuple[str, ...], code: int, words: str
) -> None:
    (bare.folder / "password").write_text("hunter-2")
    (bare.folder / "lines").write_text("hunter-2\nhunter-2")
    done = bare("sendmail", *flags, "a@b.example", stdin=MAIL)
    assert done.code == code and words in done.err and "hunter-2" not in done.err


LOGIN = {"username": ANN, "password": PASSWORD}


@pytest.mark.parametrize(
    ("options", "tls"),
    [
        ({}, "none"),
        ({"smtp": "mail.example:25"}, "none"),
        ({"smtp": "mail.example:465"}, "tls"),
        (LOGIN, "none"),
        (LOGIN | {"smtp": "[::1]:25"}, "none"),
        (LOGIN | {"smtp": "mail.example:587"}, "starttls"),
        (LOGIN | {"smtp": "192.0.2.1:465"}, "tls"),
    ],
    ids=["here", "there", "submissions", "login", "login on ::1", "login there", "by an address"],
)
def test_what_protects_a_connection_unless_told(options: dict[str, str], tls: str) -> None:
    server = server_of(options, "127.0.0.1:1025")
    assert server.tls == tls and PASSWORD not in repr(server)
    assert (server.context is not None) == (tls != "none")
    if server.context is not None:
        assert server.context.check_hostname and server.context.verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("options", "words"),
    [({"password": "a\0b"}, "password: must be one line"), ({"user": ANN}, "unknown key user")],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        server_of(LOGIN | options, "127.0.0.1:1025")


def test_the_file_of_a_flag_goes_before_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the file\r\n")
    options = LOGIN | {"password_file": str(tmp_path / "file")}
    assert server_of(options, "127.0.0.1:1025").password == "from the file"

"""``inboxkit dev`` as a process: any recipient, arrivals printed, handlers reloaded in place."""

from __future__ import annotations

import json
import signal
import smtplib
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from .mails import ECHO, mail, write_handler
from .processes import Serving

if TYPE_CHECKING:
    from .conftest import Command


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM],
    ids=str,
)
def test_arrivals_are_printed_and_a_signal_ends_it(
    inboxkit: Command, number: signal.Signals
) -> None:
    with Serving(inboxkit.folder, "dev") as server:
        server.send(mail(text="Your code is 482913."), to="anybody@inbox.example")
        line = server.line("<-")
        assert line == "anybody@inbox.example <- ann@example.com: Hello code 482913"
        assert takes_a_webhook_to_this_machine(server.url)
        server.signal(number)
        assert server.wait() == 0
    assert server.said["out"] == [server.ready, line]
    # A machine that is busy elsewhere makes the loop stand still.
    told = [said for said in server.said["err"] if "the event loop stood still" not in said]
    shown = f"look at mail in a browser: {server.url}/"
    assert told[0] == shown
    assert [said.partition(": ")[2] for said in told[1:]] == [f"stopping ({number.name})"]


@pytest.mark.long
def test_mail_is_shown_in_a_browser_unless_the_settings_say_otherwise(inboxkit: Command) -> None:
    with Serving(inboxkit.folder, "dev") as server:
        server.send(mail(text="Your code is 482913."), to="anybody@inbox.example")
        server.line("<-")
        with urlopen(f"{server.url}/", timeout=30) as answer:
            assert b"482913" in answer.read()
    (inboxkit.folder / "inboxkit.toml").write_text("http_pages = false\n")
    with Serving(inboxkit.folder, "dev") as server:
        with pytest.raises(HTTPError, match="404") as refused:
            urlopen(f"{server.url}/", timeout=30)
        refused.value.close()
    assert not any("browser" in said for said in server.said["err"])


@pytest.mark.long
def test_an_application_may_log_in_by_any_name_unless_users_are_set(inboxkit: Command) -> None:
    with Serving(inboxkit.folder, "dev") as server, server.client() as application:
        assert application.login("apikey", "whatever")[0] == 235
    config = 'smtp_auth_without_tls = true\n[smtp_users]\nshop = "s3cret"\n'
    (inboxkit.folder / "inboxkit.toml").write_text(config)
    with Serving(inboxkit.folder, "dev") as server, server.client() as application:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            application.login("apikey", "whatever")
        assert application.login("shop", "s3cret")[0] == 235


def takes_a_webhook_to_this_machine(url: str) -> bool:
    wanted = {"url": "http://127.0.0.1:9/hook", "event_types": ["message.sent"]}
    headers = {"Content-Type": "application/json"}
    asked = Request(f"{url}/v0/webhooks", json.dumps(wanted).encode(), headers)
    with urlopen(asked, timeout=30) as answer:
        return bool(json.load(answer)["enabled"])


def another_handler_answers_and_it_ends(inboxkit: Command, server: Serving, name: str) -> None:
    write_handler(inboxkit.folder, ECHO.replace("echo@", "two@"), name)
    server.line("loaded again", "err")
    server.send(mail(2), to="two@inbox.example")
    server.line("(accepted)")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


@pytest.mark.long
def test_changed_handlers_answer_on_the_same_ports(inboxkit: Command) -> None:
    with Serving(inboxkit.folder, "dev") as server:
        write_handler(inboxkit.folder)
        server.line("loaded again", "err")
        write_handler(inboxkit.folder, ECHO.replace("You wrote", "New words"))
        server.line("loaded again", "err")
        server.send(mail(1))
        server.line("(accepted)")
        another_handler_answers_and_it_ends(inboxkit, server, "two.py")
    assert answers(inboxkit) == ["You wrote", "New words"]
    assert server.said["out"].count(server.ready) == 1


@pytest.mark.parametrize(
    ("name", "source", "says"),
    [
        ("echo.py", "import nosuch\n", "ModuleNotFoundError: No module named 'nosuch'"),
        pytest.param(
            "two.py",
            ECHO,
            "handlers.echo.echo and handlers.two.echo take the same messages",
            marks=pytest.mark.long,
        ),
    ],
    ids=["broken", "equal"],
)
def test_handlers_that_cannot_be_loaded_leave_the_old_ones(
    inboxkit: Command, name: str, source: str, says: str
) -> None:
    write_handler(inboxkit.folder)
    with Serving(inboxkit.folder, "dev") as server:
        write_handler(inboxkit.folder, source, name)
        server.line(says, "err")
        server.send(mail())
        server.line("(accepted)")
    assert answers(inboxkit) == ["You wrote"]


CLOSED = """\
from contextlib import asynccontextmanager

from inboxkit import Message, Router


@asynccontextmanager
async def open_crm():
    raise OSError("the crm is down")
    yield


router = Router(resource=open_crm)


@router.on_message(to="crm@*")
async def note(message: Message, crm: object) -> None: ...
"""


@pytest.mark.long
def test_handlers_that_cannot_begin_leave_the_old_ones_on_the_same_ports(
    inboxkit: Command,
) -> None:
    write_handler(inboxkit.folder)
    with Serving(inboxkit.folder, "dev") as server:
        write_handler(inboxkit.folder, CLOSED, "crm.py")
        server.line("OSError: the crm is down", "err")
        server.line("the old handlers are at work again", "err")
        server.send(mail(1))
        server.line("(accepted)")
        another_handler_answers_and_it_ends(inboxkit, server, "crm.py")


FAILING = ECHO.replace("echo@", "bad@").replace("message.text", "message.nothing")


def test_what_a_handler_raises_is_shown_and_which_mail_none_takes(inboxkit: Command) -> None:
    write_handler(inboxkit.folder, FAILING)
    with Serving(inboxkit.folder, "dev") as server:
        server.send(mail(1), to="bad@inbox.example")
        assert server.line("<-") == "bad@inbox.example <- ann@example.com: Hello"
        server.line("of handlers.echo.echo: retrying", "err")
        server.line("AttributeError: 'Message' object has no attribute 'nothing'", "err")
        server.send(mail(2), to="other@inbox.example")
        assert server.line("<-").endswith(": Hello (no handler)")


def answers(inboxkit: Command) -> list[str]:
    """Return how each answer begins, newest first."""
    rows = inboxkit.rows("messages", "-q", "is:sent")
    return [row["preview"].partition(":")[0] for row in rows]


def test_handlers_that_fail_to_start_end_it(inboxkit: Command) -> None:
    write_handler(inboxkit.folder, "import nosuch\n")
    done = inboxkit("dev")
    assert (done.code, done.out) == (2, "")
    assert "No module named 'nosuch'" in done.err

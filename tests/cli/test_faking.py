"""``fake`` and ``trigger``: a program that sends through a vendor, and nobody outside."""

from __future__ import annotations

import json
import shlex
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.providers.mailgun import Mailgun
from inboxkit.testing.vendors import VENDORS

from .processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Command

DRAFT = ("--from=shop@mg.example.com", "--to=ben@example.com", "--text=Hi")
FORM = (
    "from=Shop+%3Cshop%40mg.example.com%3E&to=ann%40example.com&subject=Hi&text=Your+code+is+428113"
)


class Fake(Process):
    """``inboxkit fake``, ready when it is made."""

    def __init__(self, folder: Path, *arguments: str, before: tuple[str, ...] = ()) -> None:
        super().__init__(folder, *before, "fake", "--http", "127.0.0.1:0", *arguments)
        self.folder = folder
        self.url = self.line("ready http=").removeprefix("ready http=")

    def post(self, path: str, body: str, method: str = "POST") -> tuple[int, Any]:
        """Post as JSON, a form as Mailgun's clients do; return status and answer."""
        request = urllib.request.Request(f"{self.url}{path}", body.encode(), method=method)
        config = Mailgun().configure(VENDORS["mailgun"].options)
        request.add_header("Authorization", config.authorization)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def send(self) -> str:
        """Send a mail; return the id that our store gives it."""
        assert self.post("/mailgun/v3/mg.example.com/messages", FORM)[0] == 200
        with urllib.request.urlopen(f"{self.url}/_fake/messages", timeout=30) as answer:
            return str(json.load(answer)[0]["id"])


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fake]:
    with Fake(tmp_path_factory.mktemp("fake")) as running:
        yield running


def test_it_says_how_to_point_each_vendors_client_here(fake: Fake) -> None:
    lines = [line.split("\t") for line in fake.said["out"] if "\t" in line]
    assert [name for name, *_ in lines] == list(VENDORS)
    assert all(url in sdk for _, url, sdk in lines)


@pytest.mark.parametrize("name", ["mailgun", "mandrill", "ses", "unisender_go"])
def test_it_says_how_to_point_inboxkit_itself_here(
    fake: Fake, bare: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    wanted = f"INBOXKIT_PROVIDER={name} "
    [line] = [line for line in fake.said["out"] if line.startswith(wanted)]
    for pair in shlex.split(line):
        monkeypatch.setenv(*pair.split("=", 1))
    assert bare("config", "check").err == ""
    sent, state = bare("send", *DRAFT).out.split()
    assert (state, bare("trigger", "dancing", sent, "--url", fake.url).code) == ("accepted", 1)


def test_a_send_whose_names_the_vendor_replaces_is_found_by_the_vendors_own(
    fake: Fake, bare: Command
) -> None:
    options = {**VENDORS["ses"].options, "api_url": f"{fake.url}/ses"}
    flags = [f"--set=ses.{key}={value}" for key, value in options.items()]
    shop = ("--domain", "mg.example.com", "--provider", "ses", *flags)
    sender = f"{'shop-with-a-name-too-long-for-a-tag':_<40}@mg.example.com"
    sent = bare(*shop, "send", "--from", sender, *DRAFT[1:]).out.split()[0]
    asked = ("trigger", "dancing", sent, "--url", fake.url)
    [whole] = bare.rows("show", sent)
    assert bare("trigger", "dancing", whole["message_id"], "--url", fake.url).code == 1
    assert bare(*asked).code == 1
    (bare.folder / "inboxkit.db").unlink()
    assert bare(*asked).code == 3


def test_settings_that_name_a_vendor_whose_keys_are_not_there_yet_do_not_stop_it(
    tmp_path: Path,
) -> None:
    settings = 'domain = "mg.example.com"\nprovider = ["mailgun"]\n'
    (tmp_path / "inboxkit.toml").write_text(settings, encoding="utf-8")
    with Fake(tmp_path, "--vendor", "mailgun") as running:
        assert any("INBOXKIT_MAILGUN_API_KEY=" in line for line in running.said["out"])


def test_a_key_of_ones_own_is_not_among_the_variables(tmp_path: Path) -> None:
    own = ("--set", "mailgun.api_key=key-mine", "--domain", "shop.example.com")
    with Fake(tmp_path, "--vendor", "mailgun", before=own) as running:
        [line] = [line for line in running.said["out"] if line.startswith("INBOXKIT_")]
    given = [pair.partition("=")[0] for pair in shlex.split(line)]
    names = ("PROVIDER", "MAILGUN_DOMAIN", "MAILGUN_SIGNING_KEY", "MAILGUN_BASE_URL")
    assert given == [f"INBOXKIT_{name}" for name in names]


def test_what_is_sent_is_read_as_in_any_inbox(fake: Fake, bare: Command) -> None:
    fake.send()
    database = f"sqlite:///{fake.folder / 'inboxkit.db'}"
    done = bare("--database", database, "otp", "ann@example.com", "--timeout", "10")
    assert (done.code, done.out) == (0, "428113\n")


def test_an_event_without_a_webhook_says_what_is_missing(fake: Fake) -> None:
    asked = json.dumps({"event": "bounced", "id": fake.send()})
    status, answer = fake.post("/_fake/trigger", asked)
    assert (status, "--webhook URL" in answer["message"]) == (400, True)


@pytest.mark.parametrize(
    ("event", "id", "code"), [("delivered", "msg_0", 3), ("dancing", "", 1)], ids=["id", "event"]
)
def test_what_cannot_be_triggered_is_told_by_the_exit_code(
    fake: Fake, bare: Command, event: str, id: str, code: int
) -> None:
    assert bare("trigger", event, id or fake.send(), "--url", fake.url).code == code


def test_nobody_there_is_told_by_the_exit_code(bare: Command) -> None:
    assert bare("trigger", "delivered", "msg_1", "--url", "http://127.0.0.1:9").code == 5


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("/_fake/mailgun/faults", "POST", '{"kind": "drop", "taken": true, "times": 0}', 200),
        ("/_fake/mailgun/faults", "POST", '{"kind": "dance"}', 400),
        ("/_fake/mailgun/faults", "POST", '{"times": -1}', 400),
        ("/_fake/mailgun/faults", "POST", "[]", 400),
        ("/_fake/pigeon/faults", "POST", "{}", 404),
        ("/_fake/mailgun/inbound", "POST", "Subject: x", 400),
        ("/_fake/mailgun/webhook", "PUT", '{"url": ""}', 200),
        ("/_fake/trigger", "POST", "{", 400),
    ],
)
def test_the_api_answers(fake: Fake, path: str, method: str, body: str, status: int) -> None:
    assert fake.post(path, body, method)[0] == status


def test_a_reply_reaches_the_program_and_joins_its_thread(
    fake: Fake, bare: Command, tmp_path: Path
) -> None:
    options = {**VENDORS["mailgun"].options, "base_url": f"{fake.url}/mailgun"}
    flags = [f"--set=mailgun.{key}={value}" for key, value in options.items()]
    shop = ("--domain", "mg.example.com", "--provider", "mailgun", *flags)
    with Process(tmp_path, *shop, "run", "--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0") as app:
        url = app.line("ready ").partition("http=")[2]
        hook = json.dumps({"url": f"{url}/webhooks/mailgun"})
        assert fake.post("/_fake/mailgun/webhook", hook, "PUT")[0] == 200
        sent = bare(*shop, "send", *DRAFT).out.split()[0]
        asked = ("trigger", "reply", sent, "--text=Blue", "--url", fake.url)
        assert bare(*asked).code == 0
        [reply] = bare.rows(*shop, "wait", "shop@mg.example.com")
    assert (reply["reply_text"], reply["thread_reason"]) == ("Blue", "token")

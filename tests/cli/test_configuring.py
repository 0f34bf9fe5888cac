"""``config``, ``db`` and ``webhook-url``."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inboxkit.store import schema

if TYPE_CHECKING:
    from .conftest import Command

HANDLERS = Path(__file__).parents[2] / "handlers"
SECRETS = """\
database = "postgresql://ann:canary-database@host/name?sslpassword=canary-argument"
api_key = "canary-api-key-123"
smtp_users = {ann = "canary-user"}

[mailgun]
domain = "mg.example.com"
api_key = "canary-mailgun"
signing_key = "canary-signing"

[smtp]
host = "relay.example.com"
password = "canary-relay"
"""


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_secrets_are_shown_as_stars(inboxkit: Command, form: tuple[str, ...]) -> None:
    (inboxkit.folder / "inboxkit.toml").write_text(SECRETS)
    done = inboxkit("config", "show", *form)
    assert done.code == 0
    assert "canary" not in done.out + done.err
    assert done.out.count("***") == 7
    assert "mg.example.com" in done.out
    assert "relay.example.com" in done.out


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("provider=mailgun domain=x.org", "provider mailgun: api_key is missing"),
        ("provider=smtp domain=x.org", "provider smtp: host is missing"),
        ("provider=smtp smtp.host=relay.example", "domain: inbox.example"),
        ("mcp=true mcp_allow_to=ann", 'mcp_allow_to="ann" can match no address'),
        ("provider=nosuch", "there are agentmail, brevo, "),
        ('send_rates={"mailgn":"1/s"}', "send_rates: no provider 'mailgn'; there are agentmail"),
        ('send_slots={"mailgn":1}', "send_slots: no provider 'mailgn'; there are agentmail"),
        ("smtp=1025", "smtp: '1025' is not HOST:PORT"),
        ("http=0.0.0.0:8025", "set api_key"),
        ("tls_certificate=nosuch.pem", "tls_certificate: nosuch.pem"),
        ("tls_key=key.pem", "tls_key: is of no use alone; set tls_certificate too"),
        ("smtp_users=ann", "smtp_users: write it as JSON"),
        ("max_recipients=0", "max_recipients: "),
        ("log_format=xml", "log_format: "),
        ("database=oracle://host", "database: oracle is not supported"),
        ("object_store=file:///mail", "object_store: 'file:///mail' is no bucket"),
        ("object_store=s3://mail object_store.colour=red", "'colour' is not valid"),
    ],
)
def test_check_names_what_is_wrong(inboxkit: Command, settings: str, says: str) -> None:
    flags = [flag for setting in settings.split() for flag in ("--set", setting)]
    done = inboxkit(*flags, "config", "check")
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_check_says_ok_and_warns_of_what_nobody_reads(inboxkit: Command) -> None:
    done = inboxkit("--set", "mailgum.api_key=x", "config", "check")
    assert (done.code, done.out) == (0, "ok\n")
    assert "[mailgum]" in done.err
    assert inboxkit("config", "check").err == ""
    bucket = ("--set", BUCKET, "--set", REGION)
    assert inboxkit(*bucket, "config", "check").err == ""
    assert "[object_store]" in inboxkit(*bucket[2:], "config", "check").err


BUCKET, REGION = "object_store=s3://mail/raw", "object_store.region=eu"
WAYS: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    "flags": ("", (BUCKET, REGION), {}),
    "flags the other way round": ("", (REGION, BUCKET), {}),
    "flags as a file has it": ("", (BUCKET, f"options.{REGION}"), {}),
    "variables": (
        "",
        (),
        {"INBOXKIT_OBJECT_STORE": "s3://mail/raw", "INBOXKIT_OBJECT_STORE_REGION": "eu"},
    ),
    "file": (
        'object_store = "s3://mail/raw"\n[options.object_store]\nregion = "eu"\n',
        (),
        {},
    ),
    "file with a table": ('[object_store]\nregion = "eu"\n', (BUCKET,), {}),
    "a bit of each": (
        'object_store = "s3://elsewhere"\n[options.object_store]\nregion = "us"\n',
        (REGION,),
        {"INBOXKIT_OBJECT_STORE": "s3://mail/raw"},
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_bucket_and_its_options_can_be_given_in_every_way(
    inboxkit: Command, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    file, flags, variables = WAYS[way]
    (inboxkit.folder / "inboxkit.toml").write_text(file)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    given = (word for flag in flags for word in ("--set", flag))
    (shown,) = inboxkit.rows(*given, "config", "show")
    assert shown["object_store"] == "s3://mail/raw"
    assert shown["options"] == {"object_store": {"region": "eu"}}


@pytest.mark.parametrize(
    ("flags", "shows"),
    [
        (("smtp=127.0.0.1:25", "smtp.host=relay"), ("smtp", "127.0.0.1:25")),
        (
            ("send_rates.ses=14/s", "send_rates.smtp=1/s"),
            ("send_rates", {"ses": "14/s", "smtp": "1/s"}),
        ),
        (('send_rates={"ses": "14/s"}',), ("send_rates", {"ses": "14/s"})),
    ],
    ids=["port and table", "table key by key", "table as JSON"],
)
def test_a_table_can_be_given_key_by_key(
    inboxkit: Command, flags: tuple[str, ...], shows: tuple[str, object]
) -> None:
    given = (word for flag in flags for word in ("--set", flag))
    (shown,) = inboxkit.rows(*given, "config", "show")
    assert shown[shows[0]] == shows[1]


@pytest.mark.parametrize("flag", ["options=x", "=x", ".key=x", "table.=x", "options.table=x"])
def test_a_flag_that_names_no_key_is_explained(inboxkit: Command, flag: str) -> None:
    done = inboxkit("--set", flag, "config", "show")
    assert (done.code, done.out) == (2, "")


def test_webhook_url(inboxkit: Command) -> None:
    shown = inboxkit("webhook-url", "mailgun", "--base", "https://mail.example.com/")
    assert shown.out == "https://mail.example.com/webhooks/mailgun\n"
    assert inboxkit("webhook-url", "memory").code == 2
    assert inboxkit("webhook-url", "nosuch").code == 2


def test_the_schema_is_checked_and_upgraded(bare: Command) -> None:
    missing = bare("db", "check")
    assert (missing.code, missing.out) == (1, "none\n")
    assert "inboxkit db upgrade" in missing.err
    assert not (bare.folder / "inboxkit.db").exists()
    assert bare("db", "upgrade").out == bare("db", "upgrade").out == f"{schema.HEAD}\n"
    assert bare("db", "check").code == 0


@pytest.mark.parametrize(
    ("compatible", "code", "says"),
    [("0001", 0, ""), ("9999", 1, f"this inboxkit needs {schema.HEAD}; upgrade inboxkit\n")],
    ids=["made for this one too", "not made for it"],
)
def test_a_newer_schema_is_good_when_it_was_made_for_this_program(
    bare: Command, compatible: str, code: int, says: str
) -> None:
    bare("db", "upgrade")
    with closing(sqlite3.connect(bare.folder / "inboxkit.db")) as connection, connection:
        connection.execute("UPDATE inboxkit_version SET version_num = '9999'")
        change = "UPDATE inboxkit_setting SET value = ? WHERE key = 'schema_compatible'"
        connection.execute(change, (compatible,))
    done = bare("db", "check")
    assert (done.code, done.out, done.err) == (code, "9999\n", says)
    assert bare("db", "upgrade").out == "9999\n"


def test_a_file_that_is_no_database_is_named(bare: Command) -> None:
    (bare.folder / "inboxkit.db").write_text("This is no database, though long enough.")
    for command in ("db check", "db upgrade", "messages", "inbox list"):
        done = bare(*command.split())
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("error: database sqlite:///inboxkit.db: ")
        assert done.err.endswith("file is not a database\n")


def test_variables_that_nothing_reads_are_named_and_stop_nothing(
    inboxkit: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "DOMAINN": "x",
        "WORKER": "2",
        "MAILGUM_API_KEY": "x",
        "TICKETS": "x",
        "URL": "http://x",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"INBOXKIT_{name}", value)
    done = inboxkit("config", "check")
    assert (done.code, done.out) == (0, "ok\n")
    assert done.err.splitlines() == [
        "warning: nothing reads INBOXKIT_DOMAINN; did you mean INBOXKIT_DOMAIN?",
        "warning: nothing reads INBOXKIT_MAILGUM_API_KEY",
        "warning: nothing reads INBOXKIT_TICKETS",
        "warning: nothing reads INBOXKIT_WORKER; did you mean INBOXKIT_WORKERS?",
    ]


def test_variables_that_handlers_name_are_read_by_them(
    inboxkit: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(HANDLERS, inboxkit.folder / "handlers")
    for name in ("FILES", "TICKETS", "FILE"):
        monkeypatch.setenv(f"INBOXKIT_{name}", "x")
    done = inboxkit("config", "check")
    assert done.err == "warning: nothing reads INBOXKIT_FILE\n"

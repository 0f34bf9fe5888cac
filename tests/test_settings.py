"""Settings: where they come from, which one wins, and how a wrong one is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxkit import ConfigurationError, Settings
from inboxkit.providers.registry import PROVIDERS
from inboxkit.settings import (
    TWO_WORDS,
    checked,
    host_port,
    is_loopback,
    load,
    masked,
    without_secrets,
)

if TYPE_CHECKING:
    from pathlib import Path

TOML = """\
domain = "file.example"
hostname = "file"
provider = ["smtp", "mailgun"]
catch_all = true

[mailgun]
domain = "mg.file.example"
api_key = "file-key"

[smtp]
host = "relay.file.example"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "inboxkit.toml"
    path.write_text(TOML)
    return path


def test_what_is_given_wins_over_variables_over_the_file(file: Path) -> None:
    environ = {"INBOXKIT_DOMAIN": "variable.example", "INBOXKIT_HOSTNAME": "variable"}
    settings = load({"domain": "given.example", "http": None}, environ=environ, file=file)
    assert (settings.domain, settings.hostname) == ("given.example", "variable")
    assert (settings.provider, settings.catch_all) == (("smtp", "mailgun"), True)


def test_options_of_a_provider_are_merged_key_by_key(file: Path) -> None:
    environ = {"INBOXKIT_MAILGUN_API_KEY": "variable-key", "INBOXKIT_SMTP_PORT": "2525"}
    settings = load({"mailgun": {"domain": "mg.given.example"}}, environ=environ, file=file)
    assert settings.provider_options("mailgun") == {
        "domain": "mg.given.example",
        "api_key": "variable-key",
    }
    assert settings.provider_options("smtp") == {"host": "relay.file.example", "port": "2525"}
    assert settings.provider_options("memory") == {}


def test_a_program_gives_one_word_a_list_or_a_tuple() -> None:
    settings = Settings(provider="smtp", role=["smtp", "http"], dns_servers=("192.0.2.53",))
    assert (settings.provider, settings.role) == (("smtp",), ("smtp", "http"))
    assert settings.dns_servers == ("192.0.2.53",)


def test_a_key_may_end_a_line_as_in_a_file() -> None:
    assert load(environ={"INBOXKIT_API_KEY": "0123456789abcdef\n"}).api_key == "0123456789abcdef"


def test_the_port_and_the_provider_called_smtp_go_together(tmp_path: Path) -> None:
    path = tmp_path / "both.toml"
    path.write_text('smtp = "127.0.0.1:1025"\n[options.smtp]\nhost = "relay.example"\n')
    settings = load(environ={"INBOXKIT_SMTP_USERNAME": "ann"}, file=path)
    assert settings.smtp == "127.0.0.1:1025"
    assert settings.provider_options("smtp") == {"host": "relay.example", "username": "ann"}


def test_variables_are_read_as_what_they_stand_for() -> None:
    environ = {
        "INBOXKIT_CATCH_ALL": "true",
        "INBOXKIT_MAX_RECIPIENTS": "7",
        "INBOXKIT_PROVIDER": "smtp, memory",
        "INBOXKIT_TRUSTED_NETWORKS": "10.0.0.0/8 ::1/128",
        "INBOXKIT_SMTP_USERS": '{"ann": "secret"}',
        "INBOXKIT_DOMAIN": " Inbox.Example ",
        "HOME": "/root",
    }
    settings = load(environ=environ, file=None)
    assert (settings.catch_all, settings.max_recipients) == (True, 7)
    assert settings.provider == ("smtp", "memory")
    assert settings.trusted_networks == ("10.0.0.0/8", "::1/128")
    assert settings.smtp_users == {"ann": "secret"}
    assert settings.domain == "inbox.example"


def test_no_file_and_no_variables_give_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(environ={}) == Settings()


def test_a_file_in_the_working_directory_is_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    assert load(environ={}).domain == "file.example"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"colour": "red"}, "colour: unknown key; known are any_recipient, api_key"),
        ({"http": "http://127.0.0.1:8025"}, "http: 'http://127.0.0.1:8025' is not HOST:PORT"),
        ({"domian": "x.org"}, "domian: unknown key; did you mean domain? known are any_recipient"),
        ({"smtp": "1025"}, "smtp: '1025' is not HOST:PORT, such as 127.0.0.1:1025"),
        ({"http": "host:99999"}, "http: 'host:99999' is not HOST:PORT"),
        ({"api_key": "k" * 15}, "api_key: a key needs 16 characters or more"),
        ({"max_recipients": 0}, "max_recipients: "),
        ({"keep_days": 99_999_999}, "keep_days: "),
        ({"max_recipients": "many"}, "max_recipients: "),
        ({"catch_all": "perhaps"}, "catch_all: "),
        ({"smtp_users": "[" * 5_000}, "smtp_users: write it as JSON"),
        ({"smtp_users": "ann:secret"}, "smtp_users: write it as JSON"),
        ({"log_format": "xml"}, "log_format: "),
        ({"domain": ""}, "domain: '' is no domain, such as mail.example.com"),
        ({"domain": "foo bar"}, "domain: 'foo bar' is no domain"),
        ({"domain": "a..example"}, "domain: 'a..example' is no domain"),
        ({"domain": "ann@x.org"}, "domain: 'ann@x.org' is no domain"),
        ({"reply_domain": "foo bar"}, "reply_domain: 'foo bar' is no domain"),
        ({"hostname": "a b"}, "hostname: 'a b' is no name of a host, such as mx.example.com"),
        ({"hostname": ""}, "hostname: '' is no name"),
        ({"provider": ""}, "provider: one or more, such as memory, smtp or mailgun"),
        ({"dns_servers": "bad host"}, "dns_servers: 'bad' is no IP address, such as 192.0.2.53"),
        ({"dns_servers": "ns.example:53"}, "dns_servers: 'ns.example:53' is no IP address"),
        ({"options": "x"}, "options: "),
        ({"options": {"mailgun": "x"}}, "options.mailgun: "),
        ({"colour": "red", "max_recipients": 0}, "; "),
    ],
    ids=str,
)
def test_a_wrong_value_names_its_key(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        checked(values)
    assert str(raised.value).startswith("settings: ")
    assert says in str(raised.value)


def test_names_and_addresses_of_every_form_are_taken() -> None:
    servers = ("192.0.2.53", "192.0.2.53:5353", "::1", "[::1]", "[::1]:53", "https://dns.example/q")
    asked = checked(
        {"dns_servers": " ".join(servers), "domain": "MÜNCHEN.example", "provider": "x"}
    )
    assert (asked.dns_servers, asked.domain, asked.reply_domain) == (servers, "münchen.example", "")
    for name in ("localhost", "x_y.example", "xn--mnchen-3ya.example"):
        assert checked({"domain": name, "reply_domain": name, "hostname": name}).domain == name


@pytest.mark.parametrize("name", ["api_key", "tls_key", "smtp_users", "options"])
def test_a_secret_is_in_no_error_and_no_repr(name: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        checked({name: ["canary"]})
    assert "canary" not in str(raised.value)
    right: dict[str, Any] = {
        "api_key": "canary" * 3,
        "smtp_users": {"ann": "canary"},
        "options": {"mailgun": {"domain": "canary"}},
    }
    assert "canary" not in repr(checked({name: right.get(name, "canary")}))


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nosuch\.toml does not exist"):
        load(environ={}, file=tmp_path / "nosuch.toml")


BROKEN = {
    "toml": b"[domain",
    "utf8": b"domain = 'caf\xe9'",
    "a long number": b"keep_days = " + b"9" * 5_000,
    "deep": b"provider = " + b"[" * 5_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"broken\.toml: "):
        load(environ={}, file=path)


@pytest.mark.parametrize(
    ("bind", "host", "port"),
    [
        ("127.0.0.1:1025", "127.0.0.1", 1025),
        (":0", "127.0.0.1", 0),
        ("[::1]:25", "::1", 25),
        ("mx.example.com:25", "mx.example.com", 25),
    ],
)
def test_host_and_port(bind: str, host: str, port: int) -> None:
    assert host_port(bind) == (host, port)


@pytest.mark.parametrize("bind", ["", "1025", "host:", "host:port", "host:-1", "host:65536"])
def test_what_is_no_host_and_port(bind: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        host_port(bind)


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("mx.example.com", False),
        ("127.evil.example", False),
    ],
)
def test_what_only_this_machine_reaches(host: str, answer: bool) -> None:
    assert is_loopback(host) is answer


def test_masked_shows_which_secrets_are_set() -> None:
    options = {"mailgun": {"api_key": "x", "domain": "mg.example"}}
    given = checked({"api_key": "x" * 16, "smtp_users": {"ann": "x"}, "options": options})
    shown = masked(given)
    assert (shown["api_key"], shown["smtp_users"]) == ("***", {"ann": "***"})
    assert shown["options"] == {"mailgun": {"api_key": "***", "domain": "mg.example"}}
    assert masked(Settings())["api_key"] == ""
    assert shown.keys() == Settings.model_fields.keys()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///inboxkit.db", "sqlite:///inboxkit.db"),
        ("postgresql://ann:p@ss:w@host:5432/db", "postgresql://ann:***@host:5432/db"),
        ("postgresql://ann@host/db", "postgresql://ann@host/db"),
        (
            "postgresql://host/db?user=a&password=p&x=y",
            "postgresql://host/db?user=a&password=***&x=y",
        ),
        ("postgresql://ann:a\nb@host/db", "postgresql://ann:***@host/db"),
        (
            "postgresql://host/db?sslPassword=p&SSLKEY=k",
            "postgresql://host/db?sslPassword=***&SSLKEY=***",
        ),
        ("postgresql://host/db?p%61ssword=p&x=y", "postgresql://host/db?p%61ssword=***&x=y"),
        ("s3://ID:SE/CR+ET@bucket/raw", "s3://ID:***@bucket/raw"),
        (
            "s3://bucket/raw?x-secret-key=s&sig=t#end",
            "s3://bucket/raw?x-secret-key=***&sig=***#end",
        ),
        ("s3:/ID:SECRET@bucket", "s3:/ID:***@bucket"),
        ("ann:secret@host/db", "ann:***@host/db"),
        ("s3://bucket/raw", "s3://bucket/raw"),
    ],
)
def test_no_secret_of_a_url_is_shown(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_settings_are_shown_without_the_secrets_of_urls() -> None:
    given = Settings(
        database="postgresql://ann@host/db?password=hidden",
        object_store="s3://ID:hidden@bucket",
        options={"object_store": {"proxy_url": "http://ann:hidden@proxy"}},
    )

    shown = masked(given)

    assert "hidden" not in str(shown)
    assert shown["object_store"] == "s3://ID:***@bucket"
    assert shown["options"]["object_store"]["proxy_url"] == "http://ann:***@proxy"
    assert "hidden" not in repr(given)


def test_a_providers_name_of_two_words_is_one_name_in_a_variable() -> None:
    settings = load(environ={"INBOXKIT_UNISENDER_GO_API_KEY": "k"})

    assert settings.provider_options("unisender_go") == {"api_key": "k"}
    assert {name for name in PROVIDERS if "_" in name} == set(TWO_WORDS)

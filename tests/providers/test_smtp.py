from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inboxkit.errors import ConfigurationError, SendError, UnsupportedFeature
from inboxkit.providers.base import (
    HttpResponse,
    Refused,
    Retry,
    Sent,
    SmtpRequest,
    SmtpResponse,
    Unknown,
    Unverified,
    WebhookRequest,
)
from inboxkit.providers.smtp import Smtp

if TYPE_CHECKING:
    from inboxkit.models import Message
    from inboxkit.values import Draft

from . import hostile
from .vendor import NOW, SECRETS, cases, outgoing

PROVIDER = Smtp()
OPTIONS = {"host": "smtp.example.com", "username": "support", "password": "password-secret-3"}
CONFIG = PROVIDER.configure(OPTIONS)
ANN, BEN, EVE = outgoing().rcpt_to


def test_a_message_becomes_a_session() -> None:
    message = outgoing()

    assert PROVIDER.build_send(message, CONFIG, NOW) == SmtpRequest(
        host="smtp.example.com",
        port=587,
        mail_from="support@shop.example",
        rcpt_to=(ANN, BEN, EVE),
        mime=message.mime,
        username="support",
        password="password-secret-3",
        tls="starttls",
    )


@pytest.mark.parametrize(
    ("options", "port", "tls"),
    cases(
        {
            "submission": ({"host": "smtp.example.com"}, 587, "starttls"),
            "implicit TLS": ({"host": "smtp.example.com", "tls": "tls"}, 465, "tls"),
            "a relay next door": ({"host": "127.0.0.1"}, 25, "none"),
            "its own port": ({"host": "mailpit", "port": "1025"}, 1025, "none"),
        }
    ),
)
def test_port_and_tls_have_sensible_defaults(options: Any, port: int, tls: str) -> None:
    config = PROVIDER.configure(options)
    assert (config.port, config.tls) == (port, tls)


@pytest.mark.parametrize(
    ("options", "key"),
    cases(
        {
            "no host": ({}, "host"),
            "no password": ({"host": "a.example", "username": "a"}, "password"),
            "no username": ({"host": "a.example", "password": "a"}, "username"),
            "a password in clear": ({**OPTIONS, "tls": "none"}, "tls"),
            "an unknown tls": ({**OPTIONS, "tls": "ssl3"}, "tls"),
            "port 0": ({**OPTIONS, "port": "0"}, "port"),
            "a misspelt key": ({**OPTIONS, "user": "a"}, "user"),
        }
    ),
)
def test_a_wrong_setting_is_named(options: Any, key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"provider smtp: {key} "):
        PROVIDER.configure(options)


@pytest.mark.parametrize("changes", [{"send_at": NOW}, {"template": "a"}, {"track_opens": True}])
def test_what_smtp_has_no_place_for_is_refused(changes: Any) -> None:
    with pytest.raises(UnsupportedFeature, match="smtp cannot send msg_1"):
        PROVIDER.build_send(outgoing(**changes), CONFIG, NOW)


@settings(deadline=None)
@given(hostile.SENDS)
def test_no_text_of_a_mail_becomes_a_field_or_a_command(
    send: tuple[Draft, Message | None, str],
) -> None:
    try:
        request = PROVIDER.build_send(hostile.composed(*send, provider=PROVIDER), CONFIG, NOW)
    except (SendError, ValueError):
        return
    assert hostile.injected(request) == []
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", request.mime)
    assert all(re.fullmatch(r"[!-;=?-~]+", path) for path in (request.mail_from, *request.rcpt_to))


FULL, GONE, LATER = (552, "5.2.2 full"), (550, "5.1.1 no such user"), (450, "4.2.0 greylisted")


@pytest.mark.parametrize(
    ("response", "expected"),
    cases(
        {
            "taken": (SmtpResponse(250, "2.0.0 queued as A1"), Sent("<order-42.1@shop.example>")),
            "busy": (SmtpResponse(451, "4.3.0 later"), Retry(reason="451 4.3.0 later")),
            "closing": (SmtpResponse(421, "bye"), Retry(reason="421 bye")),
            "content": (
                SmtpResponse(554, "5.6.0 malformed"),
                Refused("554 5.6.0 malformed", "message"),
            ),
            "no such user": (
                SmtpResponse(550, "5.1.1 no such user"),
                Refused("550 5.1.1 no such user", "recipient"),
            ),
            "wrong password": (
                SmtpResponse(535, "5.7.8 bad credentials"),
                Refused("535 5.7.8 bad credentials", "credentials"),
            ),
            "some refused": (
                SmtpResponse(250, "ok", {BEN: GONE, EVE: LATER}),
                Sent(
                    "<order-42.1@shop.example>",
                    recipients={BEN: "550 5.1.1 no such user"},
                    deferred={EVE: "450 4.2.0 greylisted"},
                ),
            ),
            "all refused": (
                SmtpResponse(0, "", {ANN: GONE, BEN: GONE, EVE: FULL}),
                Refused("550 5.1.1 no such user; 552 5.2.2 full", "recipient"),
            ),
            "all refused, one for now": (
                SmtpResponse(0, "", {ANN: GONE, BEN: LATER, EVE: FULL}),
                Retry(reason="450 4.2.0 greylisted"),
            ),
            "nonsense": (SmtpResponse(0), Unknown("0")),
            "an HTTP answer": (HttpResponse(200), Unknown("an HTTP answer to an SMTP session")),
        }
    ),
)
def test_replies_are_classified(response: Any, expected: object) -> None:
    assert PROVIDER.parse_send(response, outgoing(), CONFIG) == expected


@settings(deadline=None)
@given(
    st.integers(-1, 999),
    st.text(),
    st.dictionaries(st.sampled_from([ANN, BEN, EVE]), st.tuples(st.integers(-1, 999), st.text())),
)
def test_no_reply_raises_or_is_sent_without_a_2xx(code: int, text: str, refused: Any) -> None:
    outcome = PROVIDER.parse_send(SmtpResponse(code, text, refused), outgoing(), CONFIG)
    assert isinstance(outcome, Sent) == (200 <= code < 300 and len(refused) < 3)


def test_a_connection_lost_after_the_final_dot_leaves_it_unknown() -> None:
    assert isinstance(PROVIDER.transport_error(request_sent=True, reason="reset"), Unknown)
    assert isinstance(PROVIDER.transport_error(request_sent=False, reason="refused"), Retry)


def test_there_are_no_webhooks() -> None:
    verdict = PROVIDER.verify(WebhookRequest(), CONFIG, NOW)

    assert isinstance(verdict, Unverified)
    assert verdict.status == 404
    assert PROVIDER.parse_events(WebhookRequest(), CONFIG) == ()
    assert PROVIDER.parse_inbound(WebhookRequest(), CONFIG) == ()


def test_the_password_is_in_no_repr() -> None:
    shown = repr(CONFIG) + repr(PROVIDER.build_send(outgoing(), CONFIG, NOW))
    assert not [secret for secret in SECRETS if secret in shown]

from __future__ import annotations

import pytest

from inboxkit.smtp.replies import SmtpRefused, with_status


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        pytest.param("502 EXPN not implemented", "502 5.5.1 EXPN not implemented", id="known"),
        pytest.param("250 OK", "250 2.0.0 OK", id="success"),
        pytest.param("451 Later", "451 4.0.0 Later", id="class-only"),
        pytest.param("501 5.7.0 Auth aborted", "501 5.7.0 Auth aborted", id="has-one"),
        pytest.param("334 VXNlcg==", "334 VXNlcg==", id="a-question-has-none"),
        pytest.param("220 Ready to start TLS", "220 2.0.0 Ready to start TLS", id="starttls"),
    ],
)
def test_every_reply_of_aiosmtpd_gets_an_enhanced_code(line: str, reply: str) -> None:
    assert with_status(line) == reply.encode() + b"\r\n"


def test_the_text_of_a_refusal_cannot_end_the_reply() -> None:
    reply = SmtpRefused(550, "5.1.1", "no\r\n250 2.0.0 yes\x00é" + "x" * 600).reply
    assert reply.startswith(b"550 5.1.1 no?250 2.0.0 yes?xxx")
    assert (reply.count(b"\r\n"), len(reply) <= 512) == (1, True)

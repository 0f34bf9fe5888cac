"""mail-parser's view, and nothing that it can break."""

from __future__ import annotations

import json
import logging

import pytest

from inboxkit.parsing.forensics import forensics

from .corpus import NAMES, sample

ROUTED = (
    b"Received: from mx.example.org (mx.example.org [198.51.100.7]) by in.example.net"
    b" with ESMTP id 2; Tue, 14 May 2024 09:12:05 +0000\r\n"
    b"Received: from home (unknown [8.8.8.8]) by mx.example.org with ESMTP id 1;"
    b" Tue, 14 May 2024 09:12:01 +0000\r\n"
    b"From: a@example.com\r\nSubject: x\r\n\r\nx\r\n"
)


def test_hops_come_oldest_first_and_the_trusted_one_gives_the_address() -> None:
    found = forensics(ROUTED, server="mx.example.org")

    assert [hop["by"] for hop in found["received"]][:1] == ["mx.example.org"]
    assert found["sender_ip"] == "8.8.8.8"


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_gives_what_json_can_hold(name: str) -> None:
    found = forensics(sample(name))

    assert json.loads(json.dumps(found)) == found


def test_defects_of_the_structure_are_named() -> None:
    assert "StartBoundaryNotFoundDefect" in json.dumps(forensics(sample("wrong-boundary")))


def test_what_mail_parser_cannot_bear_is_a_defect() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain;"
    raw += b'charset="' + b"a;" * 50_000 + b"\r\n\r\nx\r\n--b--\r\n"

    assert forensics(raw)["defects"][0] == {"limit": "content_field_bytes"}


def test_words_of_a_mail_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        forensics(b"Subject: =?utf-8?b?SECRETSECRE?=\r\n\r\nx")

    assert "SECRET" not in caplog.text

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.smtp import SMTP

from inboxkit.smtp.paths import forward_path, reverse_path
from inboxkit.smtp.replies import SmtpRefused

if TYPE_CHECKING:
    from inboxkit.smtp.paths import OddParser


class Reader(SMTP):
    """aiosmtpd, for its slow parser of addresses."""

    def odd(self) -> OddParser:
        return self._getaddr


@pytest.fixture
async def odd() -> OddParser:
    return Reader(None, hostname="test", loop=asyncio.get_running_loop()).odd()


@pytest.mark.parametrize(
    ("text", "address", "parameters"),
    [
        pytest.param("<Ann@EXAMPLE.com>", "Ann@example.com", "", id="local-part-as-written"),
        pytest.param("<ann@example.com> SIZE=1 X", "ann@example.com", "SIZE=1 X", id="parameters"),
        pytest.param("ann@example.com BODY=7BIT", "ann@example.com", "BODY=7BIT", id="naked"),
        pytest.param("<a.b+tag=x@example.com>", "a.b+tag=x@example.com", "", id="plus-tag"),
        pytest.param("<.a..b.@example.com>", ".a..b.@example.com", "", id="dots-that-are-in-use"),
        pytest.param('<"ann b"@example.com>', '"ann b"@example.com', "", id="quoted"),
        pytest.param('<"a\\"> b"@example.com>', '"a\\"> b"@example.com', "", id="quoted-pair"),
        pytest.param('<"ann"@example.com>', "ann@example.com", "", id="quotes-without-need"),
        pytest.param("<ann@[192.0.2.1]>", "ann@[192.0.2.1]", "", id="literal"),
        pytest.param("<ann@[IPv6:2001:db8::1]>", "ann@[ipv6:2001:db8::1]", "", id="literal-v6"),
        pytest.param("<änn@bücher.example>", "änn@bücher.example", "", id="beyond-ascii"),
        pytest.param("< ann@example.com >", "ann@example.com", "", id="odd-spaces"),
        pytest.param("<ann@example.com(x)> SIZE=1", "ann@example.com", "SIZE=1", id="odd-comment"),
    ],
)
def test_paths(text: str, address: str, parameters: str, odd: OddParser) -> None:
    assert forward_path(text, odd, hostname="us") == (address, parameters)
    assert reverse_path(text, odd) == (address, parameters)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("<>", "", id="bounce"),
        pytest.param("<root>", "root", id="local-user"),
        pytest.param("<a%b!c@example.com>", "a%b!c@example.com", id="percent-is-no-relay"),
    ],
)
def test_senders(text: str, address: str, odd: OddParser) -> None:
    assert reverse_path(text, odd) == (address, "")


def test_postmaster_needs_no_domain(odd: OddParser) -> None:
    assert forward_path("<PostMaster>", odd, hostname="us") == ("PostMaster@us", "")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<ann%other.example@us>", id="percent"),
        pytest.param("<other.example!ann@us>", id="bang"),
        pytest.param("<us!ann>", id="bang-alone"),
        pytest.param("<@us:ann@other.example>", id="source-route"),
        pytest.param("@us:ann@other.example", id="source-route-naked"),
        pytest.param("<@us,@them:ann@other.example>", id="source-route-long"),
        pytest.param('<"ann@other.example"@us>', id="quoted-address"),
        pytest.param('<"ann%other.example"@us>', id="quoted-percent"),
        pytest.param('<"a>b@other.example"@us>', id="quoted-bracket"),
    ],
)
def test_a_request_to_relay_is_refused(text: str, odd: OddParser) -> None:
    with pytest.raises(SmtpRefused, match=r"550 5\.7\.1"):
        forward_path(text, odd, hostname="us")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("<", id="open"),
        pytest.param("<>", id="no-recipient"),
        pytest.param("<ann>", id="no-domain"),
        pytest.param("<ann@>", id="empty-domain"),
        pytest.param("<ann@a..b>", id="empty-label"),
        pytest.param("<ann@-a.b>", id="hyphen-in-front"),
        pytest.param("<ann@example.com", id="not-closed"),
        pytest.param("<ann@exa mple.com>", id="space"),
        pytest.param("<ann@example.com>x", id="no-space-before-parameters"),
        pytest.param('<"ann@example.com>', id="open-quote"),
        pytest.param(f"<ann@{'a' * 330}>", id="too-long"),
        pytest.param("<ann@example.com>\u0085X", id="unicode-newline"),
        pytest.param("<a@[", id="breaks-the-standard-library"),
    ],
)
def test_a_malformed_recipient_is_refused(text: str, odd: OddParser) -> None:
    with pytest.raises(SmtpRefused, match=r"553 5\.1\.3"):
        forward_path(text, odd, hostname="us")


@pytest.mark.parametrize("unit", ['"', "(", "(a)", "a.", "\\", '"a"', "@", "<", "a ", '"\\'])
def test_hostile_paths_take_no_time(unit: str, odd: OddParser) -> None:
    began = time.process_time()
    for text in (
        f"<{unit * 1000}>",
        f"<{unit * 100}>",
        f"<{unit * 100}@a%>",
        f'<"{unit * 999}"@a>',
    ):
        with suppress(SmtpRefused):
            forward_path(text, odd, hostname="us")
    assert time.process_time() - began < 1

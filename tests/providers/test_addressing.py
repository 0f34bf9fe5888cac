from __future__ import annotations

from typing import Any

import pytest

from inboxkit.errors import UnsupportedFeature
from inboxkit.providers.addressing import (
    Named,
    html,
    named,
    one_reply_to,
    people,
    subject,
    template_number,
    variables,
)
from inboxkit.values import Address

from .vendor import cases, outgoing

ANN, BEN = Address("ann@example.com", "Ann Lee"), Address("ben@example.com")
EVE, ZOE = Address("eve@example.com"), Address("zoe@example.com")
NOBODY: dict[str, tuple[Address, ...]] = dict.fromkeys(("to", "cc", "bcc"), ())


def _named(*recipients: Address, **fields: Any) -> tuple[Named, ...]:
    return named(outgoing(rcpt_to=tuple(a.email for a in recipients), **{**NOBODY, **fields}))


@pytest.mark.parametrize(
    ("mails", "expected"),
    cases(
        {
            "everybody is named": (
                _named(ANN, BEN, EVE, to=(ANN,), cc=(BEN,), bcc=(EVE,)),
                (Named((ANN,), (BEN,), (EVE,)),),
            ),
            "who is not named gets a blind copy": (
                _named(ANN, ZOE, to=(ANN,)),
                (Named((ANN,), (), (ZOE,)),),
            ),
            "copies alone are addressed": (
                _named(BEN, EVE, cc=(BEN,), bcc=(EVE,)),
                (Named((BEN,), (), (EVE,)),),
            ),
            "blind copies alone see nobody": (
                _named(EVE, ZOE, bcc=(EVE,)),
                (Named((EVE,)), Named((ZOE,))),
            ),
            "each stands in one field": (
                _named(ANN, to=(ANN,), cc=(Address("ANN@example.com"),), bcc=(ANN,)),
                (Named((ANN,)),),
            ),
            "case makes nobody another": (
                _named(Address("Ann@Example.com"), to=(ANN,)),
                (Named((ANN,)),),
            ),
            "variables part people": (
                _named(ANN, BEN, to=(ANN,), cc=(BEN,), recipient_variables={BEN.email: {"a": "b"}}),
                (Named((ANN,)), Named((BEN,))),
            ),
        }
    ),
)
def test_everybody_is_in_one_field_of_one_mail(mails: object, expected: object) -> None:
    assert mails == expected


def test_own_variables_win_over_those_of_the_message() -> None:
    own = {ANN.email: {"name": "Ann"}}
    message = outgoing(variables={"name": "you", "shop": "S"}, recipient_variables=own)

    assert variables(message, Named((ANN,))) == {"name": "Ann", "shop": "S"}
    assert variables(message, Named((BEN,))) == {"name": "you", "shop": "S"}


def test_fields_without_anybody_are_left_out() -> None:
    assert people(Named((ANN,), (BEN,))) == {
        "to": [{"email": "ann@example.com", "name": "Ann Lee"}],
        "cc": [{"email": "ben@example.com"}],
    }


def test_a_mail_always_has_a_subject_but_for_a_templates() -> None:
    assert subject(outgoing(subject="Size")) == "Size"
    assert subject(outgoing(subject="")) == "(no subject)"
    assert subject(outgoing(subject="", template="t1")) == ""


@pytest.mark.parametrize("blank", ["", " \r\n"])
def test_a_mail_that_says_nothing_has_a_body_of_which_nothing_is_seen(blank: str) -> None:
    assert html(outgoing(text=blank, html=blank)) == "<br>"
    assert html(outgoing(text="Size 42", html="")) == ""
    assert html(outgoing(text="", html="<p>42</p>")) == "<p>42</p>"
    assert html(outgoing(text="", html="", template="t1")) == ""


def test_one_reply_to_is_taken_and_no_more() -> None:
    assert one_reply_to("x", outgoing(reply_to=())) is None
    assert one_reply_to("x", outgoing(reply_to=(ANN,))) == ANN
    with pytest.raises(UnsupportedFeature, match="x takes one"):
        one_reply_to("x", outgoing(reply_to=(ANN, BEN)))


@pytest.mark.parametrize("name", ["welcome", "-1", "²", "1.0"])
def test_a_template_is_a_number(name: str) -> None:
    assert [template_number("x", outgoing(template=t)) for t in ("", "12")] == [0, 12]
    with pytest.raises(UnsupportedFeature):
        template_number("x", outgoing(template=name))

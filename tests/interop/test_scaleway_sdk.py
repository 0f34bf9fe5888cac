"""Scaleway's own Python client against our Fake."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.parsing import parse
from inboxkit.providers.fakes.scaleway import ScalewayFake
from inboxkit.providers.scaleway import Scaleway

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

core: Any = import_module("scaleway")
tem: Any = import_module("scaleway.tem.v1alpha1")

KEY, PROJECT = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
CONFIG = Scaleway().configure(
    {"secret_key": KEY, "project_id": PROJECT, "webhook_password": "password"}
)


@pytest.fixture
def fake() -> ScalewayFake:
    return ScalewayFake(CONFIG, lambda: datetime.now(UTC))


@pytest.fixture
def api(fake: ScalewayFake) -> Iterator[Any]:
    with serving(fake) as url:
        yield tem.TemV1Alpha1API(
            core.Client(
                access_key="SCWXXXXXXXXXXXXXXXXX",
                secret_key=KEY,
                default_project_id=PROJECT,
                default_region="fr-par",
                api_url=url,
            )
        )


def _person(email: str, name: str | None = None) -> Any:
    return tem.CreateEmailRequestAddress(email=email, name=name)


def test_it_sends_text_html_and_a_file(api: Any, fake: ScalewayFake) -> None:
    content = base64.b64encode(b"%PDF\x00\xff").decode()

    answer = api.create_email(
        from_=_person("support@shop.example", "Shop"),
        to=[_person("ann@example.com", "Ann")],
        bcc=[_person("eve@example.com")],
        subject="Größe",
        text="Which size? 尺码",
        html="<p>Which size?</p>",
        attachments=[
            tem.CreateEmailRequestAttachment(name="a.pdf", type_="application/pdf", content=content)
        ],
        additional_headers=[tem.CreateEmailRequestHeader(key="Reply-To", value="r@shop.example")],
    )

    [caught] = fake.caught
    mail = parse(caught.mime)
    assert [email.mail_rcpt for email in answer.emails] == ["ann@example.com", "eve@example.com"]
    assert {f"<{email.message_id}>" for email in answer.emails} == {caught.message_id}
    assert (mail.subject, mail.text.strip()) == ("Größe", "Which size? 尺码")
    assert (mail.senders[0].name, mail.reply_to[0].email) == ("Shop", "r@shop.example")
    assert [(a.filename, a.data) for a in mail.attachments] == [("a.pdf", b"%PDF\x00\xff")]


def test_it_reads_our_refusals(api: Any, fake: ScalewayFake) -> None:
    with pytest.raises(core.ScalewayException, match="to is required"):
        api.create_email(
            from_=_person("support@shop.example"), to=[], subject="s", text="t", html=""
        )
    assert not fake.caught

"""What a send asks of its provider: handed to it, refused before it is stored, or left out."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from inboxkit import Address, File, KeyReused, ProviderOptions, SendError, UnsupportedFeature
from inboxkit.pipeline.configured import Configured
from inboxkit.providers.base import Feature, Outgoing
from inboxkit.providers.registry import provider
from inboxkit.store.tables import message
from inboxkit.testing import Sandbox
from inboxkit.testing.runner import Runner
from inboxkit.testing.vendors import VENDORS

from .sending import SENDER, Sending

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from inboxkit.testing import Fakes

ANN, BEN = "ann@example.com", "Ben@example.com"
OPENS = ProviderOptions(track_opens=True)
ASKED = {
    Feature.TRACKING: OPENS,
    Feature.TEMPLATES: ProviderOptions(template="12", variables={"name": "Ann"}),
    Feature.MERGE: ProviderOptions(template="12", recipient_variables={ANN: {"name": "Ann"}}),
}


@asynccontextmanager
async def sending(
    name: str, fakes: Fakes | None, *others: str, **settings: Any
) -> AsyncGenerator[Sending]:
    """Run a sandbox that sends through vendors' Fakes, or through what needs none."""
    names = (name, *others)
    options = {} if fakes is None else {each: fakes(each).options for each in names}
    runner = Runner(
        provider=names, domain="shop.example", any_recipient=True, options=options, **settings
    )
    await asyncio.to_thread(runner.start)
    try:
        yield Sending(runner, Sandbox(runner))
    finally:
        await asyncio.to_thread(runner.stop)


async def outcome(opened: Sending, options: ProviderOptions) -> str:
    """Return the state a send comes to, or that it was refused."""
    try:
        return await opened.state(await opened.send(ANN, options=options))
    except UnsupportedFeature:
        return "unsupported"


@pytest.mark.parametrize("name", sorted(VENDORS))
async def test_what_a_vendor_has_is_asked_for_and_what_it_lacks_is_refused(
    fake_provider: Fakes, name: str
) -> None:
    has = provider(name).capabilities
    wanted = {f: "accepted" if f in has else "unsupported" for f in ASKED}
    async with sending(name, fake_provider) as opened:
        came = {f: await outcome(opened, options) for f, options in ASKED.items()}
    assert came == wanted
    assert len(fake_provider(name).sent) == list(wanted.values()).count("accepted")


async def test_what_is_larger_than_the_vendor_takes_is_refused_before_it_is_stored(
    fake_provider: Fakes,
) -> None:
    allowed, large = (File("a.bin", b"x" * (size * 1024**2)) for size in (9, 12))
    async with sending("postmark", fake_provider) as opened:
        await opened.send(ANN, attachments=[allowed])
        with pytest.raises(SendError, match=r"postmark takes messages of at most 10485760 bytes"):
            await opened.send(ANN, attachments=[large])
        assert len(await opened.rows(select(message))) == 1
    assert len(fake_provider("postmark").sent) == 1


LARGE = File("a.bin", b"x" * 12 * 1024**2)


async def test_what_is_too_large_for_the_first_goes_through_the_next(fake_provider: Fakes) -> None:
    async with sending("postmark", fake_provider, "mailgun") as opened:
        sent = await opened.send(ANN, attachments=[LARGE])
        assert await opened.state(sent) == "accepted"
    assert [len(fake_provider(n).sent) for n in ("postmark", "mailgun")] == [0, 1]


async def test_what_is_too_large_for_the_next_waits_for_the_first(fake_provider: Fakes) -> None:
    async with sending("mailgun", fake_provider, "postmark") as opened:
        fake_provider("mailgun").fail_next(503)
        sent = await opened.send(ANN, attachments=[LARGE])
        assert (await opened.state(sent), fake_provider("postmark").requests) == ("queued", ())
        await opened.sandbox.advance(timedelta(minutes=2))
        assert await opened.state(sent) == "accepted"


async def test_all_that_was_asked_for_is_on_the_vendors_wire(fake_provider: Fakes) -> None:
    async with sending("sparkpost", fake_provider) as opened:
        await opened.send(ANN, options=ProviderOptions(track_opens=True, track_clicks=False))
    [caught] = fake_provider("sparkpost").sent
    assert (caught.options["open_tracking"], caught.options["click_tracking"]) == ("true", "false")


async def test_variables_go_to_those_who_get_the_mail_however_they_are_written(
    fake_provider: Fakes,
) -> None:
    named = {"ben@EXAMPLE.com": {"name": "Ben"}, "eve@example.com": {"name": "Eve"}}
    async with sending("mailersend", fake_provider) as opened:
        await opened.send(ANN, BEN, options=ProviderOptions(recipient_variables=named))
    said = [sent.options["personalization"] for sent in fake_provider("mailersend").sent]
    assert [json.loads(one)[0]["data"] for one in said] == [{}, {"name": "Ben"}]


async def test_nothing_is_asked_for_unless_somebody_does(fake_provider: Fakes) -> None:
    async with sending("mailgun", fake_provider) as opened:
        await opened.send(ANN)
        await opened.send(ANN, options=OPENS)
    quiet, loud = fake_provider("mailgun").sent
    assert not [name for name in quiet.options if name.startswith("o:tracking")]
    assert loud.options["o:tracking-opens"] == "yes"


async def test_an_answer_asks_as_well(fake_provider: Fakes) -> None:
    async with sending("mailgun", fake_provider) as opened:
        await opened.sandbox.inbox(SENDER)
        question = await opened.sandbox.person(ANN).send(SENDER, "Size", "Which?")
        await question.reply("M", options=OPENS)
        await question.forward("ben@example.com", options=OPENS)
        thread = await question.thread()
        await thread.send("L", options=OPENS)
        await opened.sandbox.settle()
    asked = [sent.options["o:tracking-opens"] for sent in fake_provider("mailgun").sent]
    assert asked == ["yes"] * 3


async def test_what_is_lacking_is_left_out_where_the_setting_says_so(
    fake_provider: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    async with sending("mailersend", fake_provider, unsupported="drop") as opened:
        sent = await opened.send(ANN, headers={"X-Order": "42"})
        assert await opened.state(sent) == "accepted"
    [caught] = fake_provider("mailersend").sent
    assert b"X-Order" not in caught.mime
    line = f"send {sent.id}: leaves without headers, which mailersend lacks"
    assert line in [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    "options",
    [ASKED[Feature.TEMPLATES], ProviderOptions(recipient_variables={ANN: {"name": "Ann"}})],
    ids=["template", "by recipient"],
)
async def test_words_are_never_left_out(fake_provider: Fakes, options: ProviderOptions) -> None:
    async with sending("scaleway", fake_provider, unsupported="drop") as opened:
        assert await outcome(opened, options) == "unsupported"
        assert await outcome(opened, OPENS) == "accepted"


@pytest.mark.parametrize(("opens", "kept"), [(False, None), (True, True)], ids=["off", "on"])
def test_smtp_need_not_be_told_to_track_nothing(opens: bool, kept: bool | None) -> None:
    message = Outgoing(
        id="msg_1",
        message_id="<1@shop.example>",
        idempotency_key="1",
        sender=Address(SENDER),
        mail_from=SENDER,
        rcpt_to=(ANN,),
        mime=b"",
        track_opens=opens,
    )
    fitted, left_out = Configured(provider("smtp"), None).fitted(message)
    assert (fitted.track_opens, left_out) == (kept, frozenset())


async def test_other_options_under_the_same_key_are_another_send() -> None:
    async with sending("memory", None) as opened:
        first = await opened.send(ANN, key="k", options=OPENS)
        assert (await opened.send(ANN, key="k", options=OPENS)).id == first.id
        with pytest.raises(KeyReused):
            await opened.send(ANN, key="k")

"""Messages as they are read: whole, or brief for lists, whatever their size."""

from __future__ import annotations

from dataclasses import replace
from email.message import EmailMessage
from typing import TYPE_CHECKING

from inboxkit.store import records
from inboxkit.tokens import row_id
from tests.mails import ANN, DESK, arrive

if TYPE_CHECKING:
    from inboxkit import InboxKit, Message

LONG = "Over the hills and far away.\n" * 1_000


async def read(kit: InboxKit, came: Message, *, brief: bool) -> Message:
    (found,) = await kit.runtime.store.read(
        records.messages, [row_id("msg", came.id)], kit.runtime.actions, brief=brief
    )
    return found


async def test_a_brief_message_has_the_beginnings_of_its_texts_and_no_html(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = ANN, DESK, "Song"
    made["Message-ID"] = "<song@example.com>"
    made.set_content(LONG)
    made.add_alternative(f"<p>{LONG}</p>", subtype="html")
    raw = made.as_bytes().replace(b"\n", b"\r\n")
    came = await kit.receive(raw, mail_from=ANN, rcpt_to=[DESK])
    whole, brief = [await read(kit, came, brief=one) for one in (False, True)]
    assert len(whole.text) > records.BRIEF_CHARACTERS and LONG in whole.html
    texts = ("text", "reply_text", "visible_text", "signature")
    begun = {name: getattr(whole, name)[: records.BRIEF_CHARACTERS] for name in texts}
    assert brief == replace(whole, html="", **begun)


async def test_a_short_message_is_brief_as_it_is(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    came = await arrive(kit, "Gr\u00fc\u00dfe \U0001f600", headers={"In-Reply-To": "<a@b.cc>"})
    assert await read(kit, came, brief=True) == await read(kit, came, brief=False)

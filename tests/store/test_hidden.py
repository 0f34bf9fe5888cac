"""What searches leave out: mail with a label such as spam, unless they ask for that label."""

from __future__ import annotations

import pytest

from inboxkit import EventType, InboxKit
from inboxkit.store.reach import HIDDEN_LABELS
from tests.mails import ANN, DESK, happened, mail


@pytest.mark.parametrize("label", ["spam", "blocked", "unauthenticated", "trash"])
async def test_what_is_hidden_is_found_by_its_label_alone(database: str, label: str) -> None:
    async def subjects(query: str) -> list[str]:
        return [m.subject async for m in kit.search(query)]

    async with InboxKit(database=database) as kit:
        await kit.inbox(DESK)
        for subject in ("Seen", "Hidden"):
            await kit.receive(mail(subject=subject), mail_from=ANN, rcpt_to=[DESK])
        await happened(kit, EventType.RECEIVED, times=2)
        [last] = [m async for m in kit.search(limit=1)]
        await last.label(add=[label])
        unwanted = " ".join(f"-label:{name}" for name in HIDDEN_LABELS if name != label)
        wanted = ("", "is:inbound", f"from:{ANN}", f"-label:{label}", unwanted, "label:unread")
        for query in wanted:
            assert await subjects(query) == ["Seen"]
        for query in (f"label:{label}", f"label:{label} from:{ANN}"):
            assert await subjects(query) == ["Hidden"]

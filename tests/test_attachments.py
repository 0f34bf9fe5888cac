"""What can be asked of an attachment: its words, a picture's size, the message that it is."""

from __future__ import annotations

import sys

import pytest

from inboxkit import ConfigurationError, InboxKit
from inboxkit.parsing import parse
from inboxkit.parsing.extraction import FileReader

from .mails import DESK, arrive, mail
from .parsing.files import docx, paragraph, pdf, png

WORDS = {
    "lid.pdf": (pdf("The lid", "Page two"), "The lid\n\nPage two"),
    "lid.docx": (docx(paragraph("The lid")), "The lid"),
    "lid.csv": (b"name,price\nlid,4\n", "name,price\nlid,4"),
    "lid.html": (b"<p>The <b>lid</b></p><p hidden>x</p>", "The lid"),
    "lid.zip": (b"PK\3\4 no archive", None),
    "lid.png": (png(3, 2), None),
}


async def test_words_of_each_kind_of_file(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    got = await arrive(kit, files={name: data for name, (data, _) in WORDS.items()})
    found = {part.filename: await part.text() for part in got.attachments}
    assert found == {name: words for name, (_, words) in WORDS.items()}


async def test_no_more_words_than_asked_for(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    got = await arrive(kit, files={"lid.txt": b"The lid"})
    assert await got.attachments[0].text(limit=3) == "The"


async def test_a_file_that_takes_too_long_has_no_words() -> None:
    late = await FileReader(seconds=0.01).words(pdf("The lid"), "application/pdf")
    assert late is None


async def test_a_missing_library_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(ConfigurationError, match=r"pypdf: pip install inboxkit\[docs\]"):
        await FileReader().words(pdf("The lid"), "application/pdf")


async def test_size_of_a_picture(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    got = await arrive(kit, files={"a.png": png(640, 480), "a.txt": b"text"})
    assert [await part.dimensions() for part in got.attachments] == [(640, 480), None]


async def test_a_forwarded_message_reads_as_a_message(kit: InboxKit) -> None:
    await kit.inbox(DESK)
    inner = mail("Where is it?", subject="The lid")
    got = await arrive(kit, files={"the lid.eml": inner, "other.bin": inner})
    first, second = [await part.parsed() for part in got.attachments]
    assert first is not None and first == parse(inner)
    assert (first.subject, first.text.strip()) == ("The lid", "Where is it?")
    assert second is None

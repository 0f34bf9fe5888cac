"""Large messages in a bucket: written before their row, read in pieces, deleted, swept."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import smtplib
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from inboxkit import ConfigurationError, File, InboxKit, Settings
from inboxkit.clock import Clock
from inboxkit.errors import StoreError
from inboxkit.pipeline.janitor import Janitor
from inboxkit.store import purge
from inboxkit.store.blobs import INLINE_BYTES, Blobs, Packed, Unreadable
from inboxkit.store.objects import Objects
from inboxkit.store.store import Store
from inboxkit.store.tables import job, raw
from inboxkit.tokens import row_id
from tests import bucket as buckets
from tests.bucket import URL, Bucket
from tests.mails import ANN, DESK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOISE = random.Random(7).randbytes(300_000)  # what zstd cannot make smaller
BOUNDARY = "----plans"
KEY = "the-signing-key-of-this-test"
FORM_HEADERS = {"content-type": "application/x-www-form-urlencoded"}
WEATHER = {"silent": buckets.silent, "failing": buckets.failing}


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with buckets.serving() as running:
        yield running


@pytest.fixture
def bucket(server: Bucket) -> Iterator[Bucket]:
    """A bucket that is empty; whoever breaks it need not mend it."""
    server.empty()
    server.make()
    yield server


def objects(bucket: Bucket, secret: bytes = b"one") -> Objects:
    opened = Objects(URL, bucket.options)
    opened.belong_to(secret)
    return opened


def names(bucket: Bucket) -> list[str]:
    """Return the objects that are there."""
    found = objects(bucket)
    found.belong_to(b"")
    return [meta["path"] for page in found.pages() for meta in page]


def settings(bucket: Bucket, database: str) -> Settings:
    mailgun = {"api_key": "unused", "domain": "inbox.example", "signing_key": KEY}
    options = {"object_store": bucket.options, "mailgun": mailgun}
    return Settings.model_validate({"database": database, "object_store": URL, "options": options})


def letter(data: bytes = NOISE) -> bytes:
    """Return a mail whose attachment does not fit in a row."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = ANN, DESK, "Plans"
    mail["Message-ID"] = "<plans@example.com>"
    mail.set_content("Attached.")
    mail.add_attachment(data, maintype="application", subtype="pdf", filename="plans.pdf")
    mail.set_boundary(BOUNDARY)
    return mail.as_bytes().replace(b"\n", b"\r\n")


# the bucket by itself


@pytest.mark.parametrize("size", [INLINE_BYTES + 1, 11_000_000], ids=["one request", "in parts"])
def test_what_is_packed_is_read_again(bucket: Bucket, tmp_path: Path, size: int) -> None:
    data = random.Random(1).randbytes(size)
    (tmp_path / "mail").write_bytes(data)
    blobs = Blobs(None, objects(bucket))
    with (tmp_path / "mail").open("rb") as file:
        packed = blobs.pack(file)
    assert packed.data is None
    assert blobs.unpack(packed) == data
    assert max(len(piece) for piece in blobs.stream(packed)) <= 1024 * 1024


def test_what_is_small_stays_in_the_row(bucket: Bucket) -> None:
    packed = Blobs(None, objects(bucket)).pack(b"Hello " * 1_000)
    assert (packed.location, names(bucket)) == ("", [])


def test_a_compressed_page_of_zeros_is_read_in_pieces(bucket: Bucket) -> None:
    noise_and_zeros = NOISE + bytes(30_000_000)
    blobs = Blobs(None, objects(bucket))
    sizes = [len(piece) for piece in blobs.stream(blobs.pack(noise_and_zeros))]
    assert sum(sizes) == len(noise_and_zeros)
    assert max(sizes) <= 1024 * 1024


def test_files_from_before_the_bucket_are_still_read(bucket: Bucket, tmp_path: Path) -> None:
    packed = Blobs(tmp_path).pack(NOISE)
    blobs = Blobs(tmp_path, objects(bucket))
    assert blobs.unpack(packed) == NOISE
    blobs.remove([packed.location])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_object_that_is_gone_is_unreadable(bucket: Bucket) -> None:
    opened = objects(bucket)
    blobs = Blobs(None, opened)
    packed = blobs.pack(NOISE)
    blobs.remove([packed.location])
    opened.close()
    assert names(bucket) == []
    with pytest.raises(Unreadable, match="no object"):
        blobs.unpack(packed)


def test_an_object_that_is_cut_off_is_unreadable(bucket: Bucket) -> None:
    opened = objects(bucket)
    location = opened.write(iter([b"\x28\xb5\x2f\xfd"]))
    with pytest.raises(Unreadable, match="cut off"):
        Blobs(None, opened).unpack(Packed(None, location))


def test_a_bucket_that_is_gone_is_no_message_that_is_gone(bucket: Bucket) -> None:
    blobs = Blobs(None, objects(bucket))
    packed = blobs.pack(NOISE)
    bucket.empty()
    with pytest.raises(StoreError) as raised:
        blobs.unpack(packed)
    assert not isinstance(raised.value, Unreadable)
    with pytest.raises(StoreError, match="takes no message"):
        blobs.pack(NOISE)


def test_without_the_setting_an_object_is_asked_for_by_name(bucket: Bucket) -> None:
    packed = Blobs(None, objects(bucket)).pack(NOISE)
    with pytest.raises(StoreError, match="set object_store") as raised:
        Blobs(None).unpack(packed)
    assert not isinstance(raised.value, Unreadable)


@pytest.mark.parametrize("kind", WEATHER)
def test_a_bucket_that_does_not_answer_is_an_error_in_time(kind: str) -> None:
    with WEATHER[kind]() as bucket:
        blobs = Blobs(None, objects(bucket))
        with pytest.raises(StoreError, match=r"s3://mail/raw takes no message") as raised:
            blobs.pack(NOISE)
        assert "test" not in str(raised.value)
        with pytest.raises(StoreError, match="failed a moment ago"):
            blobs.pack(NOISE)


def test_only_orphans_a_day_old_and_of_this_database_are_swept(bucket: Bucket) -> None:
    mine, other = objects(bucket), objects(bucket, b"other")
    kept, orphan, foreign = (
        one.write(iter([NOISE])).partition(":")[2] for one in (mine, mine, other)
    )
    assert mine.sweep({f"object:{kept}"}) == 0
    later = Objects(URL, bucket.options, lambda: datetime.now(UTC) + timedelta(hours=25))
    later.belong_to(b"one")
    assert later.sweep({f"object:{kept}"}) == 1
    assert sorted(names(bucket)) == sorted([kept, foreign])
    assert orphan not in names(bucket)


@pytest.mark.parametrize(
    ("url", "options", "says"),
    [
        ("file:///var/mail", {}, "'file:///var/mail' is no bucket"),
        ("memory:///", {}, "is no bucket"),
        ("s3://", {}, "is no bucket"),
        ("mail", {}, "is no bucket"),
        (URL, {"colour": "red"}, "'colour' is not valid"),
        (URL, {"access_key_id": "canary"}, "Missing SecretAccessKey"),
    ],
)
def test_a_wrong_setting_stops_the_start(url: str, options: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError, match="object_store: ") as raised:
        Objects(url, options)
    assert says in str(raised.value)
    assert "canary" not in str(raised.value)


@pytest.mark.sqlite
def test_without_the_library_the_start_says_what_to_install(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, Objects.__module__)
    with pytest.raises(ConfigurationError, match=r"pip install 'inboxkit\[s3\]'"):
        Store(database, Clock(), bucket=URL)


READS_A_FILE = """
import json, sys
from pathlib import Path
from inboxkit.pipeline import spooling
from inboxkit.store.blobs import Blobs, Packed
from inboxkit.store.objects import Objects

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

def read(location, size, sha256):
    with spooling.part(blobs.stream(Packed(None, location)), size, sha256) as file:
        assert len(file.read(1024)) == 1024

given = json.load(sys.stdin)
blobs = Blobs(None, Objects("s3://mail/raw", given["options"]))
read(*given["small"])
before = peak()
read(*given["large"])
print((peak() - before) // 1024)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux for the peak")
def test_a_file_of_25_mb_is_read_with_less_than_10(bucket: Bucket) -> None:
    blobs = Blobs(None, objects(bucket))
    given: dict[str, Any] = {"options": bucket.options}
    for name, size in (("small", 200_000), ("large", 25_000_000)):
        data = random.Random(size).randbytes(size)
        location = blobs.pack(letter(data)).location
        given[name] = (location, size, hashlib.sha256(data).hexdigest())
    command = [sys.executable, "-c", READS_A_FILE]
    done = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) <= 10


# the way of a message


def rows(connection: Any) -> list[Any]:
    return list(connection.execute(select(raw.c.message_id, raw.c.data, raw.c.location)))


async def test_a_mail_with_its_answer_lies_in_the_bucket_and_leaves_with_its_rows(
    bucket: Bucket, database: str
) -> None:
    async with InboxKit(settings=settings(bucket, database)) as kit:
        await kit.inbox(DESK)
        came = await kit.receive(letter(), mail_from=ANN, rcpt_to=[DESK])
        assert await came.raw() == letter()
        assert await came.attachments[0].read() == NOISE
        answer = await came.reply("And yours.", attachments=[File("plan.bin", NOISE)])
        assert NOISE in [await a.read() for a in answer.attachments]
        store = kit.runtime.store
        stored = await store.read(rows)
        assert sorted(names(bucket)) == sorted(r.location.removeprefix("object:") for r in stored)
        ids = [row_id("msg", m.id) for m in (came, answer)]
        store.blobs.remove(await store.write(purge.messages, ids))
    assert names(bucket) == []


@pytest.mark.sqlite
@pytest.mark.parametrize("kind", ["away", "silent", "failing", "no bucket"])
async def test_mail_that_the_bucket_does_not_take_gets_451_and_no_row(
    server: Bucket, database: str, kind: str
) -> None:
    with WEATHER[kind]() if kind in WEATHER else buckets.elsewhere(server, kind) as bucket:
        kit = InboxKit(settings=settings(bucket, database))
        async with kit:
            await kit.inbox(DESK)
            await kit.runtime.edges.open(smtp="127.0.0.1:0", http="")
            code = await asyncio.to_thread(hand_in, kit.smtp_address[1], letter())
            assert code == 451
            assert await asyncio.to_thread(hand_in, kit.smtp_address[1], letter(b"small")) == 250
            assert [row.location for row in await kit.runtime.store.read(rows)] == [""]


def hand_in(port: int, mail: bytes) -> int:
    """Send a mail; return the answer to its data."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as smtp:
        try:
            smtp.sendmail(ANN, [DESK], mail)
        except smtplib.SMTPDataError as error:
            return error.smtp_code
    return 250


@pytest.mark.sqlite
async def test_mail_waits_unread_while_the_bucket_is_away(bucket: Bucket, database: str) -> None:
    taking = InboxKit(settings=settings(bucket, database))
    taking.only_look()
    async with taking:
        await taking.inbox(DESK)
        await taking.runtime.accept.mail(letter(), mail_from=ANN, rcpt_to=[DESK])
    gone = settings(buckets.away(), database)
    async with InboxKit(settings=gone) as kit:
        await asyncio.wait_for(refused(kit), 30)
        assert [m.state async for m in kit.search()] == ["stored"]
    async with InboxKit(settings=settings(bucket, database)) as kit:
        inbox = await kit.inbox(DESK, since=datetime(2000, 1, 1, tzinfo=UTC))
        assert (await inbox.wait_for_message(timeout=30)).attachments[0].size == len(NOISE)


@pytest.mark.sqlite
async def test_a_webhooks_mail_waits_in_the_database_while_the_bucket_is_away(
    bucket: Bucket, database: str
) -> None:
    form = mailgun_form(letter())
    async with InboxKit(settings=settings(buckets.away(), database)) as kit:
        await kit.inbox(DESK)
        answer = await kit.webhook("mailgun", "POST", FORM_HEADERS, "", form)
        assert answer.status == 200
        await asyncio.wait_for(refused(kit, "webhook"), 30)
        assert await kit.runtime.store.read(rows) == []
    later = Clock()
    later.advance(timedelta(hours=1))
    async with InboxKit(settings=settings(bucket, database), clock=later) as kit:
        inbox = await kit.inbox(DESK, since=datetime(2000, 1, 1, tzinfo=UTC))
        assert (await inbox.wait_for_message(timeout=30)).attachments[0].size == len(NOISE)


def mailgun_form(mail: bytes) -> bytes:
    """Return what a Mailgun route posts (documentation: Receive, forward and store messages)."""
    now, token = str(int(time.time())), "0123456789" * 5
    signature = hmac.new(KEY.encode(), (now + token).encode(), hashlib.sha256).hexdigest()
    signed = {"timestamp": now, "token": token, "signature": signature}
    return urlencode({**signed, "recipient": DESK, "sender": ANN, "body-mime": mail}).encode()


async def refused(kit: InboxKit, step: str = "read") -> None:
    """Return when the message was tried, and put back."""
    query = select(job.c.error).where(job.c.kind == step, job.c.error != "")
    while not await kit.runtime.store.read(lambda connection: connection.execute(query).first()):
        await kit.runtime.store.bell.wait("read", kit.runtime.store.bell.count("read"), timeout=0.1)


@pytest.mark.sqlite
async def test_a_mail_that_no_row_took_leaves_no_object(bucket: Bucket, database: str) -> None:
    async with InboxKit(settings=settings(bucket, database)) as kit:
        await kit.inbox(DESK)
        for _ in range(2):  # the sender tries again
            await kit.runtime.accept.mail(letter(), mail_from=ANN, rcpt_to=[DESK])
    assert len(names(bucket)) == 1


@pytest.mark.sqlite
async def test_the_janitor_sweeps_the_bucket(bucket: Bucket, database: str) -> None:
    async with InboxKit(settings=settings(bucket, database)) as kit:
        store = kit.runtime.store
        await asyncio.to_thread(store.blobs.pack, NOISE)
        assert await Janitor(store, kit.settings).sweep() == 0
        assert len(names(bucket)) == 1


@pytest.mark.parametrize("url", ["s3://ID:SECRET@", "s3:/ID:SECRET@mail", "ftp://ID:SECRET@mail"])
def test_what_is_no_bucket_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(ConfigurationError, match="object_store") as refused:
        Objects(url, {})
    assert "SECRET" not in str(refused.value)


def test_a_bucket_that_fails_is_named_without_its_secrets() -> None:
    options = {"endpoint": "http://ID:SECRET@127.0.0.1:9", "region": "x", "skip_signature": "true"}
    bucket = Objects("s3://ID:SECRET@mail", options)
    with pytest.raises(StoreError, match=r"s3://ID:\*\*\*@mail takes no object") as failed:
        bucket.probe()
    bucket.close()
    assert "SECRET" not in str(failed.value)

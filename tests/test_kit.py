"""InboxKit: what it opens, what it refuses, how it starts and stops."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trio

from inboxkit import (
    ConfigurationError,
    EventType,
    InboxKit,
    InboxKitError,
    Message,
    NotFound,
    Router,
    Settings,
)

from .mails import DESK, arrive, happened

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path


async def nothing(message: Message) -> None:
    """Handle a message by doing nothing."""


async def nothing_either(message: Message) -> None:
    """Handle a message by doing nothing."""


def routers(first: str, second: str) -> tuple[Router[[]], Router[[]]]:
    one, two = Router(), Router()
    one.on_message(to=first)(nothing)
    two.on_message(to=second)(nothing_either)
    return one, two


async def test_no_port_is_open_unless_it_was_asked_for(database: str) -> None:
    settings = Settings(database=database, smtp="127.0.0.1:0", http="127.0.0.1:0")
    async with InboxKit(settings=settings) as kit:
        with pytest.raises(ConfigurationError, match=r"smtp=.*serve\(\) opens .*127\.0\.0\.1:0"):
            _ = kit.smtp_address
        with pytest.raises(ConfigurationError, match=r"http=.*serve\(\) opens .*127\.0\.0\.1:0"):
            _ = kit.url


async def test_ports_may_be_given_beside_settings_and_are_open_at_once(database: str) -> None:
    settings = Settings(database=database, smtp="127.0.0.1:1", http="127.0.0.1:1")
    async with InboxKit(settings=settings, smtp="127.0.0.1:0", http="127.0.0.1:0") as kit:
        assert kit.smtp_address[1] > 1
        assert kit.url.startswith("http://127.0.0.1:")
        assert (kit.settings.database, kit.settings.http) == (database, "127.0.0.1:0")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"domain": "a.example", "http": "127.0.0.1:0"}, "settings= and domain= are both given"),
        ({"http": "8025"}, "http: '8025' is not HOST:PORT"),
    ],
)
def test_what_contradicts_settings_or_is_no_port_is_refused(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        InboxKit(settings=Settings(), **given)


def test_settings_that_are_none_are_refused() -> None:
    given: Any = {"domain": "a.example"}
    with pytest.raises(ConfigurationError, match=r"settings=dict: write Settings\(\.\.\.\)"):
        InboxKit(settings=given)


async def test_a_kit_that_only_reads_leaves_sends_to_others(database: str) -> None:
    reader = InboxKit(database=database)
    reader.only_read()
    async with reader:
        desk = await reader.inbox(DESK)
        sent = await desk.send("ann@example.com", "Hi")
        assert (await arrive(reader)).state == "parsed"
        assert (await reader.message(sent.id)).state == "queued"
    async with InboxKit(database=database) as kit:
        await happened(kit, EventType.ACCEPTED)


async def test_the_ports_that_were_asked_for_are_open(database: str) -> None:
    async with InboxKit(database=database, smtp="127.0.0.1:0", http="127.0.0.1:0") as kit:
        reader, writer = await asyncio.open_connection(*kit.smtp_address)
        assert (await reader.readline()).startswith(b"220 ")
        writer.close()
        await writer.wait_closed()
        assert kit.url.startswith("http://127.0.0.1:")


async def test_serve_opens_the_configured_ports_until_stopped(database: str) -> None:
    settings = Settings(database=database, smtp="127.0.0.1:0", http="127.0.0.1:0")
    async with InboxKit(settings=settings) as kit:
        kit.stop()
        await asyncio.wait_for(kit.serve(), 30)
        assert kit.is_stopping
        assert kit.smtp_address[1] > 0
        assert kit.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("edge", ["smtp", "http"])
async def test_a_taken_port_stops_the_start(database: str, edge: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        given: dict[str, Any] = {edge: bind}
        kit = InboxKit(database=database, **given)
        with pytest.raises(ConfigurationError, match=f"{edge}:? cannot listen on {bind}"):
            await kit.__aenter__()
    async with kit:  # what had been started was stopped; now the port is free
        assert not kit.is_stopping


def test_trio_is_refused_with_the_way_out(database: str) -> None:
    async def enter() -> None:
        async with InboxKit(database=database):
            pass

    with pytest.raises(ConfigurationError, match=r"Client.*sandbox"):
        trio.run(enter)


def test_trio_as_a_guest_of_asyncio_is_refused(database: str) -> None:
    async def enter() -> None:
        async with InboxKit(database=database):
            pass

    async def host() -> None:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[Any] = loop.create_future()
        trio.lowlevel.start_guest_run(
            enter, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=over.set_result
        )
        (await over).unwrap()

    with pytest.raises(ConfigurationError, match="asyncio"):
        asyncio.run(host())


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"database": "mysql://host/name"}, "database"),
        ({"database": "sqlite://"}, "database"),
        ({"smtp": "1025"}, "smtp"),
        ({"http": "localhost:port"}, "http"),
        ({"provider": "pigeon"}, "provider"),
        ({"domain": 5}, "domain"),
    ],
)
async def test_a_wrong_setting_stops_the_start_and_is_named(
    tmp_path: Path, given: dict[str, Any], key: str
) -> None:
    given = {"database": f"sqlite:///{tmp_path}/test.db"} | given
    with pytest.raises(ConfigurationError, match=key):
        async with InboxKit(**given):
            pass


async def test_a_database_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InboxKitError, match="database"):
        async with InboxKit(database=f"sqlite:///{tmp_path}/file/test.db"):
            pass


async def test_the_example_domain_is_refused_for_a_real_provider(database: str) -> None:
    options = {"smtp": {"host": "mail.example"}}
    kit = InboxKit(settings=Settings(database=database, provider=("smtp",), options=options))
    with pytest.raises(ConfigurationError, match=r"inbox\.example.*smtp.*INBOXKIT_DOMAIN"):
        await kit.__aenter__()


async def test_equal_patterns_of_two_routers_stop_the_start(database: str) -> None:
    kit = InboxKit(*routers("help@*", "help@*"), database=database)
    with pytest.raises(ConfigurationError, match="nothing_either take the same messages"):
        await kit.__aenter__()


async def test_overlapping_patterns_of_two_routers_do_not(database: str) -> None:
    async with InboxKit(*routers("help@*", "*"), database=database) as kit:
        assert len(kit.runtime.handlers.routers) == 2


async def test_routers_and_what_is_served_are_given_before_the_start_only(kit: InboxKit) -> None:
    with pytest.raises(ConfigurationError, match="include before"):
        kit.include(Router())
    with pytest.raises(ConfigurationError, match="mount before"):
        kit.mount("/here", lambda _: None)


async def test_what_needs_the_runtime_says_so_before_the_start(database: str) -> None:
    with pytest.raises(ConfigurationError, match="async with"):
        await InboxKit(database=database).inbox()


async def test_a_running_kit_is_not_entered_twice(kit: InboxKit) -> None:
    with pytest.raises(ConfigurationError, match="running already"):
        await kit.__aenter__()
    await kit.inbox(DESK)


async def test_a_kit_may_be_entered_again_after_it_was_left(database: str) -> None:
    kit = InboxKit(database=database)
    async with kit:
        await kit.inbox(DESK)
        await arrive(kit, "kept")
    async with kit:
        assert [m.text.strip() async for m in kit.search()] == ["kept"]


@asynccontextmanager
async def opened_scope() -> AsyncGenerator[list[str]]:
    """A resource with a task group: it must be left in the task that entered it."""
    async with anyio.create_task_group() as tasks:
        yield ["open"]
        tasks.cancel_scope.cancel()


async def test_entering_and_leaving_in_different_tasks(database: str) -> None:
    router, seen = Router(resource=opened_scope), list[str]()

    @router.on_message()
    async def note(message: Message, things: list[str]) -> None:
        seen.extend(things)

    kit = InboxKit(router, database=database)
    await asyncio.create_task(kit.__aenter__())
    inbox = await kit.inbox(DESK)
    await arrive(kit)
    assert await inbox.wait_for_message(timeout=30)
    await asyncio.create_task(kit.__aexit__())
    assert kit.is_stopping


@pytest.fixture
async def yielded(database: str) -> AsyncIterator[InboxKit]:
    router = Router(resource=opened_scope)
    async with InboxKit(router, database=database) as running:
        yield running


async def test_a_kit_lives_in_a_fixture(yielded: InboxKit) -> None:
    await yielded.inbox(DESK)
    assert (await arrive(yielded)).state == "parsed"


async def test_a_resource_that_does_not_open_stops_the_start(database: str) -> None:
    @asynccontextmanager
    async def broken() -> AsyncGenerator[None]:
        raise OSError("no such server")
        yield

    kit = InboxKit(Router(resource=broken), database=database)
    with pytest.raises(OSError, match="no such server"):
        await kit.__aenter__()


async def test_no_signal_handler_is_installed_and_no_loop_replaced(database: str) -> None:
    def handlers() -> list[object]:
        return [signal.getsignal(number) for number in signal.valid_signals()]

    before, loop = handlers(), asyncio.get_running_loop()
    async with InboxKit(database=database, smtp="127.0.0.1:0", http="127.0.0.1:0"):
        assert handlers() == before
        assert asyncio.get_running_loop() is loop
    assert handlers() == before


async def test_an_event_that_is_none_is_not_found(kit: InboxKit) -> None:
    with pytest.raises(NotFound, match="no event nonsense"):
        await anext(kit.events(after="nonsense"))


@pytest.mark.parametrize("name", ["message", "thread"])
async def test_an_id_that_is_none_is_not_found(kit: InboxKit, name: str) -> None:
    find: Callable[[str], Any] = getattr(kit, name)
    for id in ("nonsense", "", "msg_0000000000001", "thd_0000000000001"):
        with pytest.raises(NotFound):
            await find(id)


SCRIPT = """
import asyncio, sys
from inboxkit import InboxKit

print("loaded")

async def main() -> None:
    async with InboxKit(database="sqlite:///script.db") as kit:
        await kit.inbox("desk@inbox.example")
        raw = b"From: ann@example.com\\r\\nSubject: Long\\r\\n\\r\\n" + b"word word\\r\\n" * 30_000
        got = await kit.receive(raw, mail_from="ann@example.com", rcpt_to=["desk@inbox.example"])
        print(got.state, len(raw) > 256 * 1024, got.size == len(raw))

asyncio.run(main())
"""


@pytest.mark.long
def test_a_script_without_a_guard_runs_once_though_a_parser_process_is_used(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (ran.stdout.splitlines(), ran.stderr) == (["loaded", "parsed True True"], "")


@pytest.mark.parametrize("timeout", ["5", None, float("nan")])
async def test_a_timeout_that_is_no_number_is_refused(kit: InboxKit, timeout: Any) -> None:
    inbox = await kit.inbox(DESK)
    for wait in (inbox.wait_for_message, inbox.wait_for_otp, inbox.wait_for_link):
        with pytest.raises(ConfigurationError, match=r"timeout=.* is no number of seconds"):
            await wait(timeout=timeout)


async def test_an_id_that_is_none_names_nothing(kit: InboxKit) -> None:
    nobody: Any = None
    with pytest.raises(NotFound, match="no message None"):
        await kit.message(nobody)
    with pytest.raises(NotFound, match="no thread None"):
        await kit.thread(nobody)


@pytest.mark.parametrize("raw", ["Subject: x\r\n\r\ny", None, 5])
async def test_a_mail_that_is_no_bytes_is_refused(kit: InboxKit, raw: Any) -> None:
    inbox = await kit.inbox(DESK)
    with pytest.raises(ConfigurationError, match="receive: raw: bytes are wanted, not "):
        await kit.receive(raw, mail_from="ann@example.com", rcpt_to=inbox.address)


def test_what_is_no_router_is_refused_at_once() -> None:
    folder: Any = "handlers"
    with pytest.raises(ConfigurationError, match="'handlers' is no Router"):
        InboxKit(folder)
    with pytest.raises(ConfigurationError, match="'handlers' is no Router"):
        InboxKit().include(folder)

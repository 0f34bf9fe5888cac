"""The real runtime under a crash harness: one replying handler, and what the harness asks for.

    python -m tests.crash.server --db URL --smtp HOST:PORT --http HOST:PORT [--workers 2]

``GET /_test/state`` tells what is stored and handled, ``GET /_test/process`` who answers, ``POST
/_test/webhook`` takes a webhook in the harness's form, ``$HARNESS_PROVIDER_URL/send`` the replies.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import logging
import os
import signal
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aiohttp import web
from sqlalchemy import select

from inboxkit.providers import registry

from .provider import HarnessProvider

# A vendor of the test's own; whoever imports the table after this line finds it there.
registry.PROVIDERS = MappingProxyType({**registry.PROVIDERS, "harness": HarnessProvider()})

from inboxkit import InboxKit, Message, Router, Settings  # noqa: E402
from inboxkit.cli.opening import run as run_async  # noqa: E402
from inboxkit.cli.serving import first, say_ready, smtp_bind, stop_signals, supervise  # noqa: E402
from inboxkit.cli.supervising import Channel, channel  # noqa: E402
from inboxkit.store.blobs import Packed  # noqa: E402
from inboxkit.store.tables import message, raw, run  # noqa: E402

if TYPE_CHECKING:
    from socket import socket

    from sqlalchemy import Connection

BOT = "bot@inbox.example"
DRAIN_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1  # prctl(2)
router = Router()


@router.on_message(to="bot@*")
async def answer(message: Message) -> None:
    await message.reply("Here you are.")


class TestRoutes:
    """What only the harness asks for."""

    def __init__(self, kit: InboxKit) -> None:
        self._kit = kit

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/_test/state", self.state)
        app.router.add_get("/_test/process", self.process)
        app.router.add_post("/_test/webhook", self.webhook)
        return app

    async def process(self, _request: web.Request) -> web.Response:
        return web.json_response(os.getpid())

    async def state(self, _request: web.Request) -> web.Response:
        return web.json_response(await self._kit.runtime.store.read(self._look))

    def _look(self, connection: Connection) -> dict[str, dict[str, Any]]:
        query = (
            select(message.c.message_id, raw.c.data, raw.c.location, run.c.state, run.c.attempts)
            .join(raw, raw.c.message_id == message.c.id)
            .join(run, run.c.message_id == message.c.id, isouter=True)
            .where(message.c.direction == "inbound")
        )
        found: dict[str, dict[str, Any]] = {}
        for row in connection.execute(query):
            data = self._kit.runtime.store.blobs.unpack(Packed(row.data, row.location))
            body = data.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
            mail = found.setdefault(row.message_id, {"stored": 0, "handled": 0})
            mail["stored"] += 1
            mail["handled"] += row.attempts if row.state == "done" else 0
            mail["sha256"] = hashlib.sha256(body).hexdigest()
        return found

    async def webhook(self, request: web.Request) -> web.Response:
        body = await request.read()
        answer = await self._kit.webhook("harness", "POST", dict(request.headers), "", body)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


def settings(arguments: argparse.Namespace) -> Settings:
    """Return the settings; caps are out of reach, as one sender writes all the mail."""
    database = arguments.db if "://" in arguments.db else f"sqlite:///{arguments.db}"
    return Settings(
        database=database,
        domain="harness.example",
        provider=("harness",),
        smtp=arguments.smtp,
        workers=arguments.workers,
        auto_replies_per_thread_hour=1_000_000,
        auto_replies_per_correspondent_hour=1_000_000,
        auto_replies_per_inbox_hour=1_000_000,
        options={"harness": {"url": os.environ.get("HARNESS_PROVIDER_URL", "http://127.0.0.1:9")}},
    )


async def serve(arguments: argparse.Namespace, joined: Channel | None) -> None:
    """Run until told to stop, or until the supervisor is gone."""
    kit = InboxKit(router, settings=settings(arguments))
    shared = joined.shared if joined else None
    with stop_signals(supervised=joined is not None) as told:
        async with kit:
            await kit.inbox(BOT)
            runner = web.AppRunner(TestRoutes(kit).app(), access_log=None)
            await runner.setup()
            await site(runner, arguments.http, shared.http if shared else None).start()
            await kit.runtime.edges.open(smtp=arguments.smtp, http="", shared=shared)
            host, port = runner.addresses[0][:2]
            joined.ready() if joined else say_ready(smtp_bind(kit), f"{host}:{port}")
            await first(told.wait, kit.serve, *((joined.closed,) if joined else ()))
            await kit.runtime.drain(DRAIN_SECONDS)
            await runner.cleanup()


def site(runner: web.AppRunner, http: str, listening: socket | None) -> web.BaseSite:
    """Return where the test's own routes are served."""
    if listening is not None:
        return web.SockSite(runner, listening)
    host, _, port = http.rpartition(":")
    return web.TCPSite(runner, host, int(port))


def die_together() -> None:
    """Have the system kill this worker with its supervisor: the harness knows only that one.

    Elsewhere than on Linux the worker ends as those of ``inboxkit run`` do, when it has finished.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description="the runtime under a crash harness")
    parser.add_argument("--db", default="sqlite:///crash.db", help="URL, or file of SQLite")
    parser.add_argument("--smtp", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("--http", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the ports")
    parser.add_argument(
        "--orphans", action="store_true", help="workers finish when the supervisor is killed"
    )
    arguments = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    joined = channel()
    if joined is None and arguments.workers > 1:
        chosen = settings(arguments).model_copy(update={"http": arguments.http})
        sys.exit(run_async(supervise(chosen, "tests.crash.server")))
    if joined is not None and not arguments.orphans:
        die_together()
    run_async(serve(arguments, joined))


if __name__ == "__main__":
    main()

"""The real runtime under a crash harness: one replying handler, and what the harness asks for.

    python -m tests.crash.server --db URL --smtp HOST:PORT --http HOST:PORT

``GET /_test/state`` tells what is stored and handled, ``POST /_test/webhook`` takes the harness's
form of an inbound webhook, and replies go to ``$HARNESS_PROVIDER_URL/send`` under their key.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import os
import sys
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aiohttp import web
from sqlalchemy import select

from inboxkit.providers import registry

from .provider import HarnessProvider

# A vendor of the test's own; whoever imports the table after this line finds it there.
registry.PROVIDERS = MappingProxyType({**registry.PROVIDERS, "harness": HarnessProvider()})

from inboxkit import InboxKit, Message, Router, Settings  # noqa: E402
from inboxkit.cli.serving import first, stop_signals  # noqa: E402
from inboxkit.store.blobs import Packed  # noqa: E402
from inboxkit.store.tables import message, raw, run  # noqa: E402

if TYPE_CHECKING:
    from sqlalchemy import Connection

BOT = "bot@inbox.example"
DRAIN_SECONDS = 10.0
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
        app.router.add_post("/_test/webhook", self.webhook)
        return app

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
        auto_replies_per_thread_hour=1_000_000,
        auto_replies_per_correspondent_hour=1_000_000,
        auto_replies_per_inbox_hour=1_000_000,
        options={"harness": {"url": os.environ.get("HARNESS_PROVIDER_URL", "http://127.0.0.1:9")}},
    )


async def serve(arguments: argparse.Namespace) -> None:
    """Run until told to stop."""
    kit = InboxKit(router, settings=settings(arguments))
    host, _, port = arguments.http.rpartition(":")
    with stop_signals() as told:
        async with kit:
            await kit.inbox(BOT)
            runner = web.AppRunner(TestRoutes(kit).app(), access_log=None)
            await runner.setup()
            await web.TCPSite(runner, host, int(port)).start()
            await kit.runtime.edges.open(smtp=arguments.smtp, http="")
            ports = f"ready {kit.smtp_address[1]} {runner.addresses[0][1]}"
            sys.stdout.write(ports + "\n")
            sys.stdout.flush()
            await first(told.wait, kit.serve)
            await kit.runtime.drain(DRAIN_SECONDS)
            await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description="the runtime under a crash harness")
    parser.add_argument("--db", default="sqlite:///crash.db", help="URL, or file of SQLite")
    parser.add_argument("--smtp", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("--http", default="127.0.0.1:0", metavar="HOST:PORT")
    arguments = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    if find_spec("uvloop"):
        import uvloop

        uvloop.run(serve(arguments))
    else:
        asyncio.run(serve(arguments))


if __name__ == "__main__":
    main()

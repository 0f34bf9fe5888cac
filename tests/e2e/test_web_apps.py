"""inboxkit inside other people's web frameworks: the FastAPI and the Django example, by ASGI."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

from examples import fastapi_app
from inboxkit import InboxKit, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from inboxkit import Router

Said: TypeAlias = dict[str, Any]
Application: TypeAlias = Callable[
    [Said, Callable[[], Awaitable[Said]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]
KEY = "the-signing-key-of-this-test"


def kit_for(router: Router[...], database: str) -> InboxKit:
    options = {"mailgun": {"api_key": "unused", "domain": "inbox.example", "signing_key": KEY}}
    settings = Settings(database=database, options=options)
    return InboxKit(router, settings=settings)


@asynccontextmanager
async def served(app: Application) -> AsyncGenerator[None]:
    """Start and stop the application by the lifespan protocol, as a server does."""
    told, heard = asyncio.Queue[Said](), asyncio.Queue[Said]()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(_called(app, {"type": "lifespan"}, told, heard))
        told.put_nowait({"type": "lifespan.startup"})
        assert (await heard.get())["type"] == "lifespan.startup.complete"
        yield
        told.put_nowait({"type": "lifespan.shutdown"})
        assert (await heard.get())["type"] == "lifespan.shutdown.complete"


async def post(app: Application, path: str, *, query: str = "", body: bytes = b"") -> Said:
    """Send one request; return the status and the body of the answer."""
    form = (b"content-type", b"application/x-www-form-urlencoded")
    scope: Said = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"host", b"app.example"), (b"content-length", b"%d" % len(body)), form],
    }
    told, heard = asyncio.Queue[Said](), asyncio.Queue[Said]()
    told.put_nowait({"type": "http.request", "body": body})
    await _called(app, scope, told, heard)
    return {"status": heard.get_nowait()["status"], "body": heard.get_nowait()["body"]}


async def _called(
    app: Application, scope: Said, told: asyncio.Queue[Said], heard: asyncio.Queue[Said]
) -> None:
    await app({"asgi": {"version": "3.0"}, **scope}, told.get, heard.put)


def mailgun_form(to: str, *, key: str) -> bytes:
    """Return what a Mailgun route posts (documentation: Receive, forward and store messages)."""
    now, token = str(int(time.time())), "0123456789" * 5
    fields = {
        "timestamp": now,
        "token": token,
        "signature": hmac.new(key.encode(), (now + token).encode(), hashlib.sha256).hexdigest(),
        "recipient": to,
        "sender": "ann@example.com",
        "body-mime": f"From: ann@example.com\r\nTo: {to}\r\nSubject: Order\r\n\r\nOne lamp.\r\n",
    }
    return urlencode(fields).encode()


async def test_fastapi_invites_and_welcomes_who_answers(database: str) -> None:
    kit = kit_for(fastapi_app.router, database)
    app = fastapi_app.create_app(kit)
    async with served(app):
        ann = await kit.inbox("ann@inbox.example")
        answer = await post(app, "/invitations", query="email=ann@inbox.example")
        assert answer["status"] == 200
        invitation = await ann.wait_for_message(timeout=30)
        assert json.loads(answer["body"])["id"].startswith("msg_")
        await invitation.reply("I would love to.")
        assert "Welcome aboard!" in (await ann.wait_for_message(timeout=30)).text


async def test_fastapi_route_takes_only_signed_webhooks(database: str) -> None:
    app = fastapi_app.create_app(kit := kit_for(fastapi_app.router, database))
    async with served(app):
        inbox = await kit.inbox("team@inbox.example")
        for key, status in (("another", 401), (KEY, 200)):
            body = mailgun_form(inbox.address, key=key)
            assert (await post(app, "/mail/mailgun", body=body))["status"] == status
        assert (await inbox.wait_for_message(timeout=30)).subject == "Order"
        assert [message.subject async for message in inbox.search()] == ["Order"]


async def test_django_view_takes_webhooks_and_the_kit_answers(database: str) -> None:
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.test import override_settings

    from examples import django_webhook

    kit = kit_for(django_webhook.router, database)
    if not settings.configured:  # which a process may do once
        settings.configure(ALLOWED_HOSTS=["*"])
    app = django_webhook.with_kit(kit, get_asgi_application())
    with override_settings(ROOT_URLCONF=tuple(django_webhook.routes(kit))):
        async with served(app):
            await order(app, kit)


async def order(app: Application, kit: InboxKit) -> None:
    """Order by a webhook that is not signed and by one that is; only that one is confirmed."""
    ann = await kit.inbox("ann@example.com")
    await kit.inbox("orders@inbox.example")
    for key, status in (("", 401), (KEY, 200)):
        body = mailgun_form("orders@inbox.example", key=key)
        assert (await post(app, "/mail/mailgun", body=body))["status"] == status
    assert "Thank you" in (await ann.wait_for_message(timeout=30)).text

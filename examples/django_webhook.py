"""inboxkit beside Django: one view takes the provider's webhooks, the kit runs in the same process.

Serve Django by ASGI, with a server that speaks lifespan (uvicorn, hypercorn):
``urlpatterns += routes(kit)`` in urls.py, ``application = with_kit(kit, application)`` in asgi.py.
Under WSGI no event loop lasts: start ``inboxkit run`` beside it, and use
``inboxkit.client.Client`` from the views.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt

from inboxkit import InboxKit, Message, Router

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

router = Router()


@router.on_message(to="orders@*")
async def confirm(message: Message) -> None:
    """Answer each order by mail."""
    await message.reply("Thank you for your order.")


def routes(kit: InboxKit) -> list[URLPattern]:
    """Return the URL to give to the provider: https://.../mail/mailgun."""

    @csrf_exempt  # the provider signs its requests; kit.webhook checks that
    async def webhook(request: HttpRequest, provider: str) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        answer = await kit.webhook(
            provider, request.method or "", request.headers, query, request.body
        )
        return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))

    return [path("mail/<str:provider>", webhook)]


def with_kit(kit: InboxKit, django: Application) -> Application:
    """Return an ASGI application that starts the kit before Django serves and stops it after."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(kit, receive, send)
        else:
            await django(scope, receive, send)

    return application


async def lifespan(kit: InboxKit, receive: Receive, send: Send) -> None:
    """Speak the ASGI lifespan protocol, which Django leaves to others."""
    await receive()
    async with kit:
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})

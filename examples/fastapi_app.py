"""inboxkit inside a FastAPI app: it starts and stops with the app, and mail comes in by webhook.

Run it with ``uvicorn --factory examples.fastapi_app:create_app``.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from inboxkit import InboxKit, Message, Router

router = Router()


@router.on_reply(tag="invite")
async def accepted(message: Message) -> None:
    """Welcome whoever answers an invitation."""
    await message.reply("Welcome aboard!")


def create_app(kit: InboxKit | None = None) -> FastAPI:
    """Return the app; settings come from INBOXKIT_* and inboxkit.toml unless a kit is given."""
    mail = kit or InboxKit(router)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with mail:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/invitations")
    async def invite(email: str) -> dict[str, str]:
        inbox = await mail.inbox("team@inbox.example")
        sent = await inbox.send(email, "Join us", "Answer this message to join.", tag="invite")
        return {"id": sent.id}

    @app.post("/mail/{provider}")
    async def webhook(provider: str, request: Request) -> Response:
        answer = await mail.webhook(
            provider, request.method, request.headers, request.url.query, await request.body()
        )
        return Response(answer.body, answer.status, dict(answer.headers))

    return app

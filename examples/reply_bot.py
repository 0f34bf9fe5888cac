"""A bot that answers questions about opening hours and greets everybody else.

Copy it into ``handlers/`` of a project (``inboxkit init``) and start ``inboxkit dev``.
"""

from inboxkit import Message, Router

router = Router()


@router.on_message(to="hello@*", subject="*hours*")
async def opening_hours(message: Message) -> None:
    """Answer what the first handler that matches is asked; the second never sees it."""
    await message.reply("We are open Monday to Friday, 9 to 17.")


@router.on_message(to="hello@*")
async def greet(message: Message) -> None:
    """Answer everything else that is written to hello@."""
    await message.reply(f"Hello {message.sender.name}, you wrote: {message.reply_text}")

"""Ask, wait for days, remind twice. Survives restarts: the timer is a row, nothing is awaited.

Copy it into ``handlers/`` of a project and start ``inboxkit dev``.
"""

from datetime import timedelta

from inboxkit import Message, Router, Thread

router = Router()


@router.on_message(to="offers@*")
async def ask(message: Message) -> None:
    """Ask the question; its tag joins the two handlers below to it."""
    await message.reply("Which size do you need?", tag="size")


@router.on_reply(tag="size")
async def answered(message: Message) -> None:
    """Answers to the question come here rather than to ``ask``."""
    await message.reply(f"Thanks, {message.reply_text} it is.")


@router.on_no_reply(tag="size", after=timedelta(days=3), repeat=2)
async def remind(thread: Thread) -> None:
    """Called after three days without an answer, and once more three days later."""
    await thread.send("Are you still interested? Which size do you need?", tag="size")

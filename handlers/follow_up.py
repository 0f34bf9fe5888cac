"""follow-up@...: asks a question, waits for days, reminds twice, and keeps the answer.

Nothing waits in memory: the question's tag joins the three handlers, the timer is a row, and what
was answered is in the thread's state. A restart or a deploy in between changes nothing.
"""

from datetime import timedelta

from inboxkit import Message, Router, Thread

TAG = "follow-up"
QUESTION = "Thank you for writing. On which day may we call you back?"

router = Router()


@router.on_message(to="follow-up@*")
async def ask(message: Message) -> None:
    """Ask once a thread; what else is written there is kept and shown, and not answered."""
    await message.reply(QUESTION, tag=TAG, key=f"follow-up-{message.thread_id}")


@router.on_reply(tag=TAG)
async def answered(message: Message) -> None:
    """Keep the first answer and confirm it; the reply has ended the timer."""
    thread = await message.thread()
    if "answer" not in thread.state:
        await thread.update(answer=message.reply_text)
        await message.reply("Thank you, we have noted that.")


@router.on_no_reply(tag=TAG, after=timedelta(days=3), repeat=2)
async def remind(thread: Thread) -> None:
    """Ask again, under the same tag, so that an answer to the reminder is an answer too."""
    await thread.send(f"A friendly reminder. {QUESTION}", tag=TAG)

"""echo@...: answers with what was understood of a message, to try out a set-up by hand."""

from inboxkit import Message, Router

LIMIT = 4_000  # characters: the sender may be forged, so an answer never grows large

router = Router()


@router.on_message(to="echo@*")
async def echo(message: Message) -> None:
    """Answer once, however often the Run is retried or replayed."""
    await message.reply(report(message), tag="echo", key=f"echo-{message.id}")


def report(message: Message) -> str:
    """Return the words of the message as a quote, and what was read from it."""
    words = (message.reply_text or message.visible_text).strip()
    quote = "\n".join(f"> {line}" for line in words[:LIMIT].splitlines())
    if len(words) > LIMIT:
        quote += f"\n> (and {len(words) - LIMIT} characters more)"
    return f"You wrote:\n\n{quote or '> (nothing)'}\n\n{facts(message)}\n"


def facts(message: Message) -> str:
    """Return one line for each thing that a handler can rely on."""
    auth = message.auth
    files = [f"{a.filename[:100]} ({a.content_type}, {a.size} bytes)" for a in message.attachments]
    return "\n".join(
        (
            f"Sender: {message.sender.email}",
            f"Checks: spf={auth.spf} dkim={auth.dkim} dmarc={auth.dmarc}",
            f"Thread: {message.thread_id} ({message.thread_reason or 'new'})",
            f"Attachments: {', '.join(files[:20]) or 'none'}",
        )
    )

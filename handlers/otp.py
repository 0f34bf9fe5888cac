"""codes@...: keeps the last one-time codes of each sender in the thread's state.

Read them with ``inboxkit thread ID --json``. To wait for one code, ``inboxkit otp ADDRESS`` is
shorter, and needs no handler.
"""

from inboxkit import Otp, Router

KEPT = 5  # codes of one sender in one thread; an older one has expired anyway

router = Router()


@router.on_otp(to="codes@*")
async def keep(otp: Otp) -> None:
    """Add the code to ``thread.state["codes"][sender]``, newest last, and label the message."""
    message = otp.message
    sender = message.sender.email
    thread = await message.thread()
    codes: dict[str, list[dict[str, str]]] = dict(thread.state.get("codes", {}))
    # A replay comes with a message that is known: its code is moved to the end, not doubled.
    others = [code for code in codes.get(sender, []) if code["message"] != message.id]
    new = {"code": str(otp), "message": message.id, "at": message.received_at.isoformat()}
    codes[sender] = [*others, new][-KEPT:]
    await thread.update(codes=codes)
    await message.label(add=["code"])

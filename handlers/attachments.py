"""files@...: saves what is attached in the folder that INBOXKIT_FILES names (default: files).

Names come from the content, so the same file is stored once and no sender chooses a path. Nothing
is opened or run; whoever does should look at ``sniffed_type``, not at the name.
"""

import os
from pathlib import Path

from inboxkit import Attachment, Reject, Router

LARGEST = 20 * 1024 * 1024  # bytes

router = Router()


@router.on_attachment(to="files@*")
async def save(attachment: Attachment) -> None:
    """Save one file; a retry writes the same path again. Reject what is empty or too large."""
    if not 0 < attachment.size <= LARGEST:
        raise Reject(f"{attachment.safe_name}: {attachment.size} bytes, not 1 to {LARGEST}")
    await attachment.save(Path(os.environ.get("INBOXKIT_FILES", "files")))
    await attachment.message.label(add=["saved"])

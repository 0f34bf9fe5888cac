"""Locks on files, which the system takes back from a process that is gone."""

from __future__ import annotations

import errno
import os
from typing import IO

_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


def try_lock(file: IO[bytes]) -> bool:
    """Lock a file for this opening of it; False when another holds it.

    Raise OSError where files cannot be locked, as on some shares.
    """
    try:
        if os.name == "nt":
            import msvcrt  # exists on Windows only

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl  # exists on Unix only

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise
    return True


def unlock(file: IO[bytes]) -> None:
    """Let others have it."""
    if os.name == "nt":
        import msvcrt  # exists on Windows only

        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl  # exists on Unix only

        fcntl.flock(file.fileno(), fcntl.LOCK_UN)

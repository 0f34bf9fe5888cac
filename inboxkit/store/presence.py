"""Whether the SQLite file is still where it was opened.

Where a file can be deleted or replaced under a process, the process goes on with what has no name
any more: mail would get its 250 and be gone with the last connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


class Presence:
    """Looks at the file before each change; for the one writer thread."""

    def __init__(self, file: Path) -> None:
        self._file = file.absolute()  # as a handler may change the working directory
        self._known: int | None = None

    def check(self) -> None:
        """Raise StoreError when the path leads no more to what it led to at the first look."""
        try:
            found = self._file.stat().st_ino  # by which SQLite itself knows a file that was moved
        except FileNotFoundError as error:
            raise StoreError(self._told(f"it is not there ({error.strerror})")) from error
        except OSError as error:
            raise StoreError(
                f"database: {self._file} cannot be reached: {error.strerror}; nothing is stored "
                "until it can. May this process look into all folders that lead there?"
            ) from error
        if self._known is None:
            self._known = found
        if found != self._known:
            raise StoreError(self._told("another has taken its place"))

    def _told(self, why: str) -> str:
        return (
            f"database: {self._file} is not the file any more that this process has opened: {why}; "
            "nothing more is stored in the old one. Put that back, or stop each process that has "
            "it open and start again"
        )

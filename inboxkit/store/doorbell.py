"""Wake-ups between processes on one SQLite file: a datagram to each neighbour after a commit.

Unix datagram sockets in a private folder of the temporary directory; loopback UDP on Windows and
where that folder's path is too long, with the port as the file's name. A lost datagram costs a
heartbeat's delay, no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import socket
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger("inboxkit.doorbell")
_UNIX = hasattr(socket, "AF_UNIX") and os.name != "nt"
_LISTING_SECONDS = 0.5
_TRIES = 100
_LONGEST_FOLDER = 80  # an address has room for 104 bytes, a name of ours takes 20


class Doorbell:
    """Rings the other processes that have the same database open, and hears them."""

    def __init__(self, file: Path, name: str) -> None:
        digest = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:16]
        owner = os.getuid() if hasattr(os, "getuid") else 0
        self._folder = Path(tempfile.gettempdir()) / f"inboxkit-{owner}" / digest
        self._unix = _UNIX and len(os.fsencode(self._folder)) <= _LONGEST_FOLDER
        self._socket, self._entry = self._move_in(name)
        self._neighbours: list[str] = []
        self._listed_at = 0.0

    def _move_in(self, name: str) -> tuple[socket.socket, Path]:
        """Bind in the folder; whoever left as the last may take it away in between."""
        for _ in range(_TRIES):
            with contextlib.suppress(FileNotFoundError):
                for folder in (self._folder.parent, self._folder):
                    _make_private(folder)
                return self._bind(name)
        raise ConfigurationError(f"{self._folder} is deleted again and again; set TMPDIR")

    def _bind(self, name: str) -> tuple[socket.socket, Path]:
        sock = socket.socket(socket.AF_UNIX if self._unix else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            if self._unix:
                entry = self._folder / name
                sock.bind(str(entry))
            else:
                sock.bind(("127.0.0.1", 0))
                entry = self._folder / str(sock.getsockname()[1])
                entry.touch()
        except OSError:
            sock.close()
            raise
        sock.setblocking(False)
        return sock, entry

    def listen(self, heard: Callable[[list[str]], None]) -> None:
        """Call ``heard`` with the topics of each ring, in the running event loop."""
        asyncio.get_running_loop().add_reader(self._socket, self._receive, heard)
        self.ring([])  # nothing happened, but the neighbours are to know this door

    def _receive(self, heard: Callable[[list[str]], None]) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                topics = self._socket.recv(4096).decode("ascii", "replace").split()
                if not topics:
                    self._listed_at = 0.0
                heard(topics)

    def ring(self, topics: Iterable[str]) -> None:
        """Tell every neighbour; one that is gone is forgotten."""
        payload = " ".join(sorted(topics)).encode()
        for name in self._others():
            target = str(self._folder / name) if self._unix else ("127.0.0.1", int(name))
            try:
                self._socket.sendto(payload, target)
            except (ConnectionRefusedError, FileNotFoundError):
                with contextlib.suppress(OSError):
                    (self._folder / name).unlink()
                self._listed_at = 0.0
            except BlockingIOError:
                continue  # its buffer is full of rings already
            except OSError as error:  # the commit stands; the heartbeat makes up for the ring
                log.warning("doorbell %s: %s", name, error)

    def _others(self) -> list[str]:
        now = time.monotonic()
        if now - self._listed_at > _LISTING_SECONDS:
            self._neighbours = [e for e in self._entries() if e != self._entry.name]
            self._listed_at = now
        return self._neighbours

    def _entries(self) -> list[str]:
        try:
            return os.listdir(self._folder)
        except OSError:  # somebody has cleaned the temporary directory
            return []

    def close(self) -> None:
        """Stop listening and take our entry away, and the folder with the last one."""
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._entry.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others are in it
            self._folder.rmdir()


def _make_private(folder: Path) -> None:
    """Make a folder that we alone use; raise ConfigurationError when somebody else has made it.

    The temporary directory is everybody's, and entries of this folder that do not answer are
    deleted: a link there would lead to other files of ours.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True, mode=0o700)
    if os.name == "nt":
        return
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ConfigurationError(
            f"{folder} is not a folder of this user; delete it, or set TMPDIR to another place"
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)

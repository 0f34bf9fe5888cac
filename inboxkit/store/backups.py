"""A copy of an SQLite database and the files of large mail that it names, while others write."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..tokens import public_id
from .blobs import OBJECT, Blobs, Packed, Unreadable, sync_folder
from .tables import raw

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMED = f"SELECT location, message_id FROM {raw.name} WHERE location <> ''"


@dataclass(frozen=True, slots=True)
class Backup:
    """What was copied; messages by their ids where their files are lost, or went meanwhile."""

    file: Path
    files: int = 0
    objects: int = 0  # that lie in a bucket, and stay there
    deleted: int = 0
    damaged: Mapping[str, str] = field(default_factory=dict[str, str])


def make(source: Path, folder: Path) -> Backup:
    """Copy a database with its files into a new folder, which gets its name when all is there.

    The database goes first: a file is on the disk before the row that names it. Raise StoreError
    when the copy cannot be made or is not whole; then there is no folder.
    """
    begun = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        begun = Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
        copy_database(source, begun / source.name)
        done = copy_files(source, begun / source.name)
        _sync_folders(begun)
        begun.rename(folder)
        sync_folder(folder.parent)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{folder}: no backup was made: {error}") from error
    finally:
        if begun is not None:
            shutil.rmtree(begun, ignore_errors=True)
    return Backup(folder / source.name, *done)


def _opened(file: Path) -> closing[sqlite3.Connection]:
    # Not mode=ro: such a connection leaves the log and the shared memory behind when it closes.
    uri = f"{file.absolute().as_uri()}?mode=rw"
    return closing(sqlite3.connect(uri, uri=True, isolation_level=None))


def copy_database(source: Path, target: Path) -> None:
    """Copy it as it is at one moment, in one step: in several, each change begins it anew."""
    with _opened(source) as old, closing(sqlite3.connect(target, isolation_level=None)) as new:
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE").close()  # one file, whoever reads it
        (found,) = new.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreError(f"{source}: no backup was made: SQLite finds it damaged: {found}")
    target.chmod(0o600)
    _sync_file(target)


def copy_files(source: Path, target: Path) -> tuple[int, int, int, Mapping[str, str]]:
    """Copy the files that rows of the copy name; return the figures of a ``Backup``.

    What was deleted since the database was copied is no loss; what its rows still name is one.
    """
    named = _named(target)
    in_bucket = {where for where in named if where.startswith(OBJECT)}
    amiss: dict[str, str] = {}
    for where in named.keys() - in_bucket:
        with suppress(FileNotFoundError, Unreadable):
            _copy_file(_files(source), _files(target), where)
            continue
        amiss[where] = "gone" if not (_files(source) / where).exists() else "damaged"
    still = _named(source).keys() if amiss else amiss.keys()
    lost = {public_id("msg", named[where]): why for where, why in amiss.items() if where in still}
    copied = len(named) - len(in_bucket) - len(amiss)
    return copied, len(in_bucket), len(amiss) - len(lost), lost


def _named(file: Path) -> dict[str, int]:
    with _opened(file) as connection:
        return dict(connection.execute(_NAMED).fetchall())


def _files(file: Path) -> Path:
    return file.with_name(file.name + ".files")


def _copy_file(old: Path, new: Path, where: str) -> None:
    """Copy a file and read the copy to its end; a damaged one is copied all the same."""
    (new / where).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(old / where, new / where)
    _sync_file(new / where)
    for _ in Blobs(new).stream(Packed(None, where)):
        pass


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folders(folder: Path) -> None:
    for path, _, _ in os.walk(folder):
        sync_folder(Path(path))

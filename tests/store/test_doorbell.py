"""The folder of a doorbell is ours alone, in a directory where everybody may make one."""

from __future__ import annotations

import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from stat import S_IMODE
from typing import TYPE_CHECKING

import pytest

from inboxkit.errors import ConfigurationError
from inboxkit.store.doorbell import Doorbell

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary directory of all users of a machine."""
    folder = tmp_path / "tmp"
    folder.mkdir(mode=0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@contextmanager
def ringing(database: Path, name: str = "1") -> Generator[Path]:
    """Ring others, and give the folder in which they are."""
    with closing(Doorbell(database, name)) as bell:
        bell.ring(["read"])
        [ours] = Path(tempfile.gettempdir()).iterdir()
        [folder] = ours.iterdir()
        yield folder


def test_its_folders_are_private(shared: Path, tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        (shared / f"inboxkit-{os.getuid()}").mkdir()  # as an earlier version made it
        with ringing(tmp_path / "mail.db") as folder:
            assert {S_IMODE(path.stat().st_mode) for path in (folder.parent, folder)} == {0o700}
    finally:
        os.umask(before)


def test_whoever_leaves_as_the_last_takes_the_folder_away(shared: Path, tmp_path: Path) -> None:
    with ringing(tmp_path / "mail.db", "1") as folder:
        with ringing(tmp_path / "mail.db", "2"):
            pass
        assert folder.is_dir()
    assert not folder.exists()


def test_who_comes_as_the_last_one_leaves_makes_the_folder_anew(
    shared: Path, tmp_path: Path
) -> None:
    def come_and_go() -> None:
        for _ in range(300):
            Doorbell(tmp_path / "mail.db", f"{threading.get_ident()}").close()

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(come_and_go) for _ in range(4)]:
            done.result(timeout=60)


@pytest.mark.parametrize("depth", [0, 1])
def test_a_link_of_somebody_else_leads_to_no_files_of_ours(
    shared: Path, tmp_path: Path, depth: int
) -> None:
    database, precious = tmp_path / "mail.db", tmp_path / "precious"
    with ringing(database) as folder:
        pass
    place = (folder.parent, folder)[depth]
    target = (precious / folder.name, precious)[depth]
    target.mkdir(parents=True)
    (target / "letter").write_text("Dear")
    if depth == 0:
        folder.parent.rmdir()
    place.symlink_to(precious)

    with pytest.raises(ConfigurationError, match="TMPDIR"):
        Doorbell(database, "1")
    assert (target / "letter").read_text() == "Dear"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_a_folder_of_somebody_else_is_not_used(shared: Path, tmp_path: Path) -> None:
    theirs = shared / f"inboxkit-{os.getuid()}"
    theirs.mkdir()
    os.chown(theirs, 12_345, 12_345)
    with pytest.raises(ConfigurationError, match="not a folder of this user"):
        Doorbell(tmp_path / "mail.db", "1")

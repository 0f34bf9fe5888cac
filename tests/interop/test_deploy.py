"""The Dockerfile's steps without Docker: its files alone, its install, its start and its check."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
KEY = "k" * 20
_LIMIT_SECONDS = 60


def steps(word: str) -> list[str]:
    """Return what follows an instruction of the Dockerfile, each time that it is there."""
    return re.findall(rf"^\s*{word} +(.*)$", DOCKERFILE, re.MULTILINE)


def listed(text: str) -> list[str]:
    """Return the JSON list in an instruction: the exec form."""
    words: list[str] = json.loads(text[text.index("[") :])
    return words


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs after the build's steps, on a copy of what the build is given."""
    folder = tmp_path_factory.mktemp("image")
    for line in steps("COPY"):
        *sources, target = line.split()
        for path in [ROOT / source for source in sources if "--from=build" not in line]:
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, folder / target)
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (wanted,) = re.findall(r'pip install .*"(\.\[.*\])"', DOCKERFILE)
    # As .ci/run does: the environment that runs the tests has no pip of its own.
    pip = ["python3", "-m", "pip", "--python", str(venv), "install", "-q", wanted]
    done = subprocess.run(pip, cwd=folder, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    return venv / "bin"


@pytest.fixture
def port() -> Iterator[int]:
    """A free port, held so that nobody else is given it."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def environment(folder: Path, bin: Path, port: int) -> Mapping[str, str]:
    """Return the image's variables, with free ports and a folder of the test's own."""
    given = dict(re.findall(r'(INBOXKIT_\w+)="([^"]*)"', DOCKERFILE))
    given["INBOXKIT_DATABASE"] = given["INBOXKIT_DATABASE"].replace("/data", str(folder))
    given |= {"INBOXKIT_SMTP": "127.0.0.1:0", "INBOXKIT_HTTP": f"0.0.0.0:{port}"}
    clean = {k: v for k, v in os.environ.items() if not k.startswith("INBOXKIT_")}
    return clean | given | {"PATH": f"{bin}:{os.environ['PATH']}"}


@pytest.mark.timeout(500)
def test_the_image_starts_is_healthy_and_stops(installed: Path, tmp_path: Path, port: int) -> None:
    variables = environment(tmp_path, installed, port)
    (command,) = map(listed, steps("CMD"))
    (check,) = [listed(line.replace("8025", str(port))) for line in steps("HEALTHCHECK")]

    refused = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, timeout=60)
    assert refused.returncode == 2 and b"INBOXKIT_API_KEY" in refused.stderr

    secret = {**variables, "INBOXKIT_API_KEY": KEY}
    with subprocess.Popen(command, cwd=tmp_path, env=secret, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None and b"ready " in running.stdout.readline()
        healthy = subprocess.run(check, cwd=tmp_path, env=variables, timeout=_LIMIT_SECONDS)
        assert healthy.returncode == 0
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v0/inboxes")
        request.add_header("Authorization", f"Bearer {KEY}")
        with urllib.request.urlopen(request, timeout=_LIMIT_SECONDS) as answer:
            assert json.load(answer)["inboxes"] == []
        running.send_signal(signal.SIGTERM)
        assert running.wait(_LIMIT_SECONDS) == 0
    assert (tmp_path / "inboxkit.db").exists()


def test_the_extras_of_the_image_are_there(installed: Path) -> None:
    modules = "uvloop, psycopg, obstore, dkim, spf, cryptography, pypdf"
    command = [installed / "python", "-c", f"import {modules}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS)
    assert (done.returncode, done.stderr) == (0, "")

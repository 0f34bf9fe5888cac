"""The whole way at full load: mail accepted by SMTP, read, threaded, indexed, its handler done.

    python bench/whole.py [--messages 20000] [--workers 1,2] [--database URL] [--steps]

``inboxkit run`` is a process of its own with a handler that does nothing; ten sessions send 5 kB
mails in lockstep, each in a thread of its own. The database is looked at meanwhile: how many mails
are accepted and how many handled, so the backlog. Bare aiosmtpd, which stores nothing, is measured
in turns; maildev, and smtp-sink with smtp-source, where they are installed. ``--steps`` counts the
CPU time of each step inside the server (which costs some itself).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import peers
from ingest import running
from metering import FOLDER
from running import serving
from smtp_load import RECIPIENT, SESSIONS
from sqlalchemy import func, select

from inboxkit.store import schema
from inboxkit.store.database import open_database
from inboxkit.store.tables import message, run

if TYPE_CHECKING:
    from collections.abc import Generator

    from running import Served
    from sqlalchemy import Connection

SIZE = 5_000
_PEER_SECONDS = 2.0
_LOOK_SECONDS = 0.25
_LONGEST_SECONDS = 600.0
_STEPS = {
    "commit": "accepting, commits, the rest of the writer",
    "record": "the rest of what is recorded",
    "event loop": "event loop: listener, hand-overs, planning, calls",
    "readers": "readers: rows, unpacking",
}
_HANDLER = """\
import os
import sys

from inboxkit import Message, Router

router = Router(ordered=False)
if os.environ.get("BENCH_METER_FOLDER"):
    sys.path.insert(0, {bench!r})
    import metering

    metering.begin()


@router.on_message(to="bench@*")
async def nothing(message: Message) -> None: ...
"""


@dataclass
class Course:
    """What was seen of one run: seconds since its begin, mails accepted, mails handled."""

    looks: list[tuple[float, int, int]] = field(default_factory=list[tuple[float, int, int]])
    cpu_ms: float = 0.0
    client_us: float = 0.0
    accept_seconds: float = 0.0
    bytes: float = 0.0  # on the disk for each mail
    steps: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def handled(self) -> int:
        return self.looks[-1][2]

    @property
    def rate(self) -> float:
        """Mails a second from the first one sent until the last one handled."""
        return self.handled / self.looks[-1][0]

    def tell(self) -> None:
        """Print when each tenth of the mails was accepted and handled, and the backlog then."""
        print(f"  {'mails':>8}{'accepted at':>13}{'handled at':>12}{'backlog then':>14}")
        for part in range(1, 11):
            wanted = self.handled * part // 10
            taken = next(at for at, accepted, _ in self.looks if accepted >= wanted)
            at, accepted, done = next(look for look in self.looks if look[2] >= wanted)
            print(f"  {wanted:>8,}{taken:>11.1f} s{at:>10.1f} s{accepted - done:>14,}")


def load(port: int, seconds: float, messages: int = 0) -> subprocess.Popen[str]:
    """Begin to send, for so many seconds or so many messages."""
    script = str(Path(__file__).with_name("smtp_load.py"))
    command = [sys.executable, script, str(port), str(SIZE), "kept", str(seconds)]
    command += [str(messages)] if messages else []
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def rate(port: int) -> float:
    """Return how many mails a second a server accepts."""
    said, _ = load(port, _PEER_SECONDS).communicate()
    accepted, took = (float(word) for word in said.split())
    return accepted / took


def course(server: Served, database: str, messages: int) -> Course:
    """Send all mails and look on until the last one is handled."""
    seen = Course()
    opened = open_database(database)
    used, begun = server.cpu_seconds(), time.perf_counter()
    before = _ended_children()
    with load(server.smtp, _LONGEST_SECONDS, messages) as sending:
        while not seen.looks or seen.handled < messages:
            time.sleep(_LOOK_SECONDS)
            with opened.reader.connect() as connection:
                accepted, handled = _counts(connection)
            seen.looks.append((time.perf_counter() - begun, accepted, handled))
            if seen.looks[-1][0] > _LONGEST_SECONDS:
                raise SystemExit(f"only {handled} of {accepted} were handled in time")
        assert sending.stdout is not None
        seen.accept_seconds = float(sending.stdout.read().split()[1])
    seen.client_us = (_ended_children() - before) * 1e6 / messages
    seen.cpu_ms = (server.cpu_seconds() - used) * 1000 / messages
    opened.close()
    return seen


def _ended_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _counts(connection: Connection) -> tuple[int, int]:
    def count(query: Any) -> int:
        return int(connection.execute(query).scalar_one())

    done = select(func.count()).select_from(run).where(run.c.state == "done")
    return count(select(func.count()).select_from(message)), count(done)


def whole(options: argparse.Namespace, workers: int) -> Course:
    """Run ours once, on an empty database, and print what it cost."""
    with tempfile.TemporaryDirectory(prefix="inboxkit-bench-") as name:
        folder = Path(name)
        (folder / "handlers").mkdir()
        bench = str(Path(__file__).parent)
        (folder / "handlers" / "nothing.py").write_text(_HANDLER.format(bench=bench))
        given = ["--workers", str(workers)] if workers > 1 else []
        environ = {FOLDER: name} if options.steps or options.costs else {}
        with database(options.database, folder) as url:
            command = [sys.executable, "-m", "inboxkit", "--database", url]
            subprocess.run(
                [*command, "inbox", "create", RECIPIENT], check=True, stdout=subprocess.DEVNULL
            )
            with serving(folder, *given, database=url, environ=environ) as server:
                found = course(server, url, options.messages)
        print(f"\n{workers} process{'es' * (workers > 1)}: {found.handled:,} mails,", end=" ")
        print(f"{found.rate:,.0f}/s the whole way, {found.cpu_ms:.2f} ms of CPU each,", end=" ")
        print(f"accepted at {found.handled / found.accept_seconds:,.0f}/s", flush=True)
        found.tell()
        found.bytes = _size(folder) / found.handled
        if options.steps or options.costs:
            found.steps = tell_steps(folder, found.handled)
    return found


def _size(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.glob("bench.db") if f.is_file())


def tell_steps(folder: Path, messages: int) -> dict[str, float]:
    """Print and return the CPU time of each step in us, as the server's processes wrote it down."""
    steps: dict[str, float] = {}
    for file in folder.glob("*.json"):
        for name, seconds in json.loads(file.read_text()).items():
            steps[name] = steps.get(name, 0.0) + seconds * 1e6 / messages
    for name, microseconds in steps.items():
        print(f"    {_STEPS.get(name, name):50}{microseconds:8.0f} us")
    return steps


@contextlib.contextmanager
def database(url: str, folder: Path) -> Generator[str]:
    """Give a database for one run: a new file, or the tables of a server, emptied before."""
    if not url:
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    opened = open_database(url)
    with opened.writer.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS inboxkit CASCADE")
    schema.upgrade(opened)
    opened.close()
    yield url


def measure_peers() -> None:
    """Measure what is installed of the others."""
    for name, started in peers.PEERS.items():
        if peers.installed(name):
            with started() as peer:
                print(f"{name}: {rate(peer.port):,.0f}/s accepted ({peers.DOES[name]})")


def main() -> None:
    """Measure in turns and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--workers", default="1,2", help="numbers of processes to measure")
    parser.add_argument("--database", default="", metavar="URL", help="of PostgreSQL; is emptied")
    parser.add_argument("--steps", action="store_true", help="CPU time by step")
    parser.add_argument("--costs", type=Path, metavar="FILE", help="write them for simulate.py")
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    bare: list[float] = []
    found: dict[int, Course] = {}
    with running("aiosmtpd") as server, running("listener") as listener:
        bare.append(rate(server.port))
        for workers in (int(word) for word in options.workers.split(",")):
            found[workers] = whole(options, workers)
            bare.append(rate(server.port))
        used = listener.cpu_seconds()
        nothing = rate(listener.port)
        cpu = (listener.cpu_seconds() - used) / (nothing * _PEER_SECONDS)
    print(
        f"\nbare aiosmtpd {statistics.median(bare):,.0f}/s, nothing stored by our listener", end=""
    )
    print(f" {nothing:,.0f}/s at {cpu * 1e6:.0f} us of CPU ({SESSIONS} sessions)")
    for workers, course_ in found.items():
        ratio = course_.rate / statistics.median(bare)
        goal = 0.8 if workers == 1 else 1.3
        verdict = "ok" if ratio >= goal else "MISSED"
        print(f"{workers} process(es) / bare aiosmtpd: {ratio:.2f}, goal {goal}: {verdict}")
    if options.costs:
        options.costs.write_text(json.dumps(costs(found, cpu * 1e6), indent=2))
    if not options.no_peers:
        measure_peers()


def costs(found: dict[int, Course], listener: float) -> dict[str, Any]:
    """Return what a mail costs one process in us, as ``simulate.py`` reads it.

    With the rates, and how much dearer a mail is where more processes share the cores.
    """
    one = found[1]
    recorded = sum(
        one.steps[n] for n in ("take jobs", "record", "thread", "index", "plan", "dispatch")
    )
    return {
        "client": one.client_us,
        "listener": listener,
        "accept": one.steps["commit"],
        "handle": one.steps["parse"] + one.steps["readers"] + one.steps["event loop"] - listener,
        "record": recorded,
        "fsync": _fsync_us(),
        "bytes": one.bytes,
        "dearer": {str(workers): c.cpu_ms / one.cpu_ms for workers, c in found.items()},
        "measured": {str(workers): course_.rate for workers, course_ in found.items()},
    }


def _fsync_us() -> float:
    """Return what an fsync of a mail takes where the databases were: the median of many."""
    taken: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(200):
            file.write(bytes(SIZE))
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6


if __name__ == "__main__":
    main()

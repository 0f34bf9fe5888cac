"""The benches run, each to its end, with as little as it takes. Their figures are not asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COMMANDS = {
    "ingest": ("--seconds", "0.3", "--rounds", "1"),
    "latency": ("--samples", "3", "--waits", "5", "--flood", "1"),
    "processes": ("--messages", "60", "--rounds", "1"),
    "outbox": ("--sends", "20", "--rounds", "1"),
    "growth": ("--messages", "500", "--samples", "2", "--ingest", "20", "--mails", "0"),
}

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]


def ran(folder: Path, name: str, *arguments: str) -> str:
    """Run a bench in a folder; return what it prints. It exits with 1 where a goal is missed."""
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / f"{name}.py", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert (done.returncode in (0, 1), "Traceback" in done.stderr) == (True, False), done.stderr
    return done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_bench_runs_to_its_end(tmp_path: Path, name: str) -> None:
    assert ran(tmp_path, name, *COMMANDS[name])


def test_the_simulation_takes_the_costs_of_the_whole_way(tmp_path: Path) -> None:
    asked = ("--messages", "60", "--workers", "1", "--no-peers", "--costs", "costs.json")
    ran(tmp_path, "whole", *asked)
    assert ran(tmp_path, "simulate", "costs.json", "--rate", "10")

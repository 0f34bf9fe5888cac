"""CPU time by step, counted inside a server: loaded as a handler module, written down at its end.

Each step is a plain function that runs in one thread; what it costs there is added up. The rest of
a thread's time is its own: of the event loop the listener and all hand-overs, of readers the rows.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = "BENCH_METER_FOLDER"
STEPS = {  # where a function is looked up when it is called
    "commit": ("inboxkit.store.writer.Writer", "_commit"),
    "take jobs": ("inboxkit.store.jobs", "take"),
    "parse": ("inboxkit.pipeline.read", "parse"),
    "record": ("inboxkit.store.readings", "record"),
    "thread": ("inboxkit.store.placing", "place"),
    "index": ("inboxkit.store.search", "index"),
    "plan": ("inboxkit.pipeline.plan.Plan", "_commit"),
    "dispatch": ("inboxkit.pipeline.dispatch.Dispatch", "_end"),
}
_INSIDE = {  # steps that hold others
    "commit": ("take jobs", "record", "plan", "dispatch"),
    "record": ("thread", "index"),
}
_seconds: defaultdict[str, float] = defaultdict(float)


def begin() -> None:
    """Count from now on."""
    for step, (place, name) in STEPS.items():
        owner = _owner(place)
        setattr(owner, name, _counted(step, getattr(owner, name)))
    atexit.register(_write, time.thread_time(), time.process_time())


def _owner(place: str) -> Any:
    module, _, rest = place, "", ""
    while module not in sys.modules:
        module, _, last = module.rpartition(".")
        rest = f"{last}.{rest}" if rest else last
    found: Any = sys.modules[module]
    for name in filter(None, rest.split(".")):
        found = getattr(found, name)
    return found


def _counted(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        begun = time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            _seconds[step] += time.thread_time() - begun

    return counted


def _write(loop: float, everything: float) -> None:
    steps = dict(_seconds)
    for outer, inner in _INSIDE.items():
        steps[outer] = steps.get(outer, 0.0) - sum(_seconds[name] for name in inner)
    loop = time.thread_time() - loop
    everything = time.process_time() - everything
    steps["event loop"] = loop
    steps["readers"] = everything - loop - _seconds["commit"] - _seconds["parse"]
    Path(os.environ[FOLDER], f"{os.getpid()}.json").write_text(json.dumps(steps))

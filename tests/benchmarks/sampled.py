"""The tool in this process, looked at every few milliseconds of CPU time: which part of it is at work?

`python -m tests.benchmarks.sampled TARGET ARGUMENT…` runs `bulk-import ARGUMENT…` and writes to TARGET one JSON object: CPU
seconds by stage. At each look every thread's CPU time since the last one, by its own clock, goes to the stage of its innermost
frame that belongs to one; so it is told apart which thread was at work and which only waited. A profiler that is called at
every call would tell of itself most of all.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

EVERY = 0.003
"""Seconds of CPU time from look to look."""

LOADING, REST = "start: imports, options", "event loop, tasks, channels"

STAGES = (
    ("/importlib/", "", LOADING),
    ("<frozen importlib", "", LOADING),
    ("/bulk_import/ledger/claims.py", "", "claim"),
    ("/bulk_import/ledger/owning.py", "", "claim"),
    ("/bulk_import/ledger/believing.py", "", "settle"),
    ("/bulk_import/ledger/settling.py", "", "settle"),
    ("/bulk_import/ledger/keeping.py", "", "settle"),
    ("/bulk_import/ledger/sampling.py", "", "settle"),
    ("/bulk_import/ledger/writing.py", "", "commit"),
    ("/bulk_import/ledger/database.py", "", "commit"),
    ("/bulk_import/ledger/opening.py", "", "commit"),
    ("/bulk_import/ledger/chunks.py", "", ""),
    ("/bulk_import/ledger/", "", "dedupe"),
    ("/bulk_import/dedupe.py", "", "dedupe"),
    ("/bulk_import/existing/", "", "dedupe"),
    ("/bulk_import/reading/", "", "read"),
    ("/bulk_import/prepare/", "", "map and validate"),
    ("/bulk_import/mapping/", "", "map and validate"),
    ("/bulk_import/customer/", "", "map and validate"),
    ("/bulk_import/pace/", "", "gate"),
    ("/aiolimiter/", "", "gate"),
    ("/bulk_import/stripe_api/", "", "send"),
    ("/stripe/", "", "send"),
    ("/aiohttp/", "", "send"),
    ("/bulk_import/settle.py", "", "judge"),
    ("/bulk_import/cli/progress.py", "", "progress"),
    ("/bulk_import/cli/standing.py", "", "progress"),
    ("/tqdm/", "", "progress"),
    ("/asyncio/runners.py", "", REST),
    ("/threading.py", "_bootstrap", REST),
)
"""Parts of a file's name and of a function's, and the stage that they belong to, none if it is its caller's; the first that fits."""

PRE_FLIGHT = "/bulk_import/survey.py"
"""Whatever it calls is read, mapped and validated before the first request, and told apart."""

_known: dict[tuple[str, str], str | None] = {}


def stage_of(frame: FrameType | None) -> str:
    """The stage that a thread is in."""
    found = ""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.endswith(PRE_FLIGHT):
            return "pre-flight"
        found = found or stage(code.co_filename, code.co_name) or ""
        frame = frame.f_back
    return found or LOADING


def stage(file: str, function: str) -> str | None:
    """The stage of a function of a file, "" or None where it is its caller's."""
    key = (file, function)
    if key not in _known:
        _known[key] = next((stage for part, verb, stage in STAGES if part in file and verb in function), None)
    return _known[key]


class Watch:
    """Counts CPU seconds by stage, thread by thread."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._seen: dict[int, float] = {}

    def look(self, _number: int, current: FrameType | None) -> None:
        """What each thread has used since the last look goes to the stage it is in."""
        frames = sys._current_frames()  # the one way to see other threads
        frames[threading.get_ident()] = current  # type: ignore[assignment]  # not this function's own
        for thread, frame in frames.items():
            used = time.clock_gettime(time.pthread_getcpuclockid(thread))
            self.seconds[stage_of(frame)] += used - self._seen.get(thread, 0.0)
            self._seen[thread] = used

    def begin(self) -> None:
        """Look from now on."""
        signal.signal(signal.SIGPROF, self.look)
        signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)

    def forget(self) -> None:
        """Leave out what was used so far; without this, a process is counted from its start."""
        self.look(0, None)
        self.seconds.clear()

    def end(self) -> dict[str, float]:
        """CPU seconds by stage."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        self.look(0, sys._getframe())
        return dict(self.seconds)


def main(target: str, arguments: list[str]) -> int:
    """Run the tool under the watch."""
    watch = Watch()
    watch.begin()
    from bulk_import.cli.ending import run_program

    code = run_program(arguments)
    stages = watch.end()
    stages["threads that are gone"] = time.process_time() - sum(stages.values())
    Path(target).write_text(json.dumps(stages))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

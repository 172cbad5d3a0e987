"""Where the CPU of a row goes: the whole import without a cap, looked at while it runs (see `sampled`)."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bulk_import.model import Created, Settled
from tests.benchmarks.figures import Figure
from tests.benchmarks.running import people, ran, served
from tests.benchmarks.sampled import Watch
from tests.ledger_samples import claim, ledger, purpose

ROWS = 20_000
LEDGER = ("claim", "settle", "commit")
"""Stages of the ledger's own thread: seen from the main one, it is nearly always in a commit."""

BATCH = 100
"""Rows that the import claims at a time, and about as many as it settles at a time."""


def measure(scale: float) -> Iterator[Figure]:
    """Milliseconds of CPU a row for each stage, the costliest first, and their sum."""
    rows = max(200, int(ROWS * scale))
    with tempfile.TemporaryDirectory() as folder:
        found = watched(Path(folder), rows)
        alone = by_itself(Path(folder), rows)
    thread = sum(found.pop(stage, 0.0) for stage in LEDGER)
    shares = {stage: thread * alone[stage] / sum(alone[s] for s in LEDGER) for stage in LEDGER}
    for stage, seconds in sorted((found | shares).items(), key=lambda item: -item[1]):
        yield Figure(stage, 1000 * seconds / rows, "ms")
    yield Figure(f"everything, {rows:,} rows", 1000 * (sum(found.values()) + thread) / rows, "ms")


def by_itself(folder: Path, rows: int) -> dict[str, float]:
    """CPU seconds by stage of a ledger that is written from this thread alone, which shows how its work divides."""
    watch = Watch()
    with ledger(folder / "alone.db", purpose(rows=rows)) as (writer, _):
        claims = [claim(n) for n in range(1, rows + 1)]
        settled = [Settled(n, Created(f"cus_{n:014d}", f"req_{n:014d}"), attempts=1) for n in range(1, rows + 1)]
        watch.forget()
        watch.begin()
        for first in range(0, rows + BATCH, BATCH):
            writer.write(claims[first : first + BATCH], settled[max(0, first - BATCH) : first])
        watch.end()
    return watch.seconds


def watched(folder: Path, rows: int) -> dict[str, float]:
    """CPU seconds by stage of one import."""
    source, target = people(folder / "people.csv", rows), folder / "stages.json"
    with served() as url:
        ran(
            sys.executable, "-m", "tests.benchmarks.sampled", target, "run", source, "--api-base", url, "--ledger",
            folder / "ledger.db", "--key", "user_id", "--rate", "none", "--concurrency", "64",
        )  # fmt: skip
    stages: dict[str, float] = json.loads(target.read_text())
    return stages

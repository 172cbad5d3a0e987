"""Whether a row costs more, in CPU and memory, when a million others are in the ledger already.

`memory` sends a million rows to show it; this sends 20,000 into an empty ledger, and the last 20,000 of a million.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.ledgers import mostly_settled
from tests.benchmarks.running import Ran, counts, people, served
from tests.benchmarks.uncapped import imported

MANY = 1_000_000
ROWS = 20_000


def measure(scale: float) -> Iterator[Figure]:
    """Milliseconds of CPU a row while rows are created, and the peaks."""
    rows, many = max(200, int(ROWS * scale)), max(10_000, int(MANY * scale))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, near = _imported(people(folder / "few.csv", rows), folder / "few.db")
        yield Figure(f"{rows:,} rows into an empty ledger: CPU a row", near, "ms")
        yield Figure(f"{rows:,} rows into an empty ledger: peak", few.peak, "MiB", at_most=150)
        source, ledger = mostly_settled(folder, many, lambda row: row > many - rows)
        deep, far = _imported(source, ledger)
    yield Figure(f"the last {rows:,} of {many:,} rows: CPU a row", far, "ms")
    yield Figure(f"the last {rows:,} of {many:,} rows: peak", deep.peak, "MiB", at_most=150)
    yield Figure("CPU a row, the last against the first", far / near, "×", at_most=1.1)
    yield Figure("more memory", deep.peak - few.peak, "MiB", at_most=20)


def _imported(source: Path, ledger: Path) -> tuple[Ran, float]:
    """The import, and milliseconds of CPU a row between its first create and its last."""
    with served() as url:
        ran = imported(source, url, ledger)
        held = counts(url)
    first, last = ran.cpu_at(held["first_create"]), ran.cpu_at(held["last_create"])
    if first is None or last is None:
        raise SystemExit("this system does not tell the CPU time of other processes while they run")
    return ran, 1000 * (last - first) / held["made"]

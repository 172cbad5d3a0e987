"""Whether a row costs more, in CPU and memory, when a million others are in the ledger already.

`memory` sends a million rows to show it; this sends 20,000 into an empty ledger, and the last 20,000 of a million, three times
over in turn; the ratio is taken within each round.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import Figure
from tests.benchmarks.ledgers import mostly_settled
from tests.benchmarks.running import Ran, counts, people, served
from tests.benchmarks.uncapped import imported

MANY = 1_000_000
ROWS = 20_000
ROUNDS = 3


def measure(scale: float) -> Iterator[Figure]:
    """Milliseconds of CPU a row while rows are created, and the peaks; medians of all rounds."""
    rows, many = max(200, int(ROWS * scale)), max(10_000, int(MANY * scale))
    near: list[tuple[Ran, float]] = []
    far: list[tuple[Ran, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = people(folder / "few.csv", rows)
        source, grown = mostly_settled(folder, many, lambda row: row > many - rows)
        for turn in range(ROUNDS if scale >= 1 else 1):
            near.append(_imported(few, folder / f"few{turn}.db"))
            ledger = folder / f"{turn}.db"
            shutil.copyfile(grown, ledger)
            far.append(_imported(source, ledger))
            ledger.unlink()
    for what, each in ((f"{rows:,} rows into an empty ledger", near), (f"the last {rows:,} of {many:,} rows", far)):
        yield Figure(f"{what}: CPU a row", median(cost for _, cost in each), "ms")
        yield Figure(f"{what}: peak", median(ran.peak for ran, _ in each), "MiB", at_most=150)
    pairs = list(zip(near, far, strict=True))
    yield Figure("CPU a row, the last against the first", median(b / a for (_, a), (_, b) in pairs), "×", at_most=1.1)
    yield Figure("more memory", median(b.peak - a.peak for (a, _), (b, _) in pairs), "MiB", at_most=20)


def _imported(source: Path, ledger: Path) -> tuple[Ran, float]:
    """The import, and milliseconds of CPU a row between its first create and its last."""
    with served() as url:
        ran = imported(source, url, ledger)
        held = counts(url)
    first, last = ran.cpu_at(held["first_create"]), ran.cpu_at(held["last_create"])
    if first is None or last is None:
        raise SystemExit("this system does not tell the CPU time of other processes while they run")
    return ran, 1000 * (last - first) / held["made"]

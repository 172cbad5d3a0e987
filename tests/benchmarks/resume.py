"""Going on with an import of a million rows of which a thousand are left, at the end or scattered; and looking at it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import Figure
from tests.benchmarks.ledgers import mostly_settled
from tests.benchmarks.running import counts, served, tool

ROWS = 1_000_000
LEFT = 1_000


def measure(scale: float) -> Iterator[Figure]:
    """Seconds from the start of the command to its first create, of `status`, and rows a second of `export`."""
    rows = max(2 * LEFT, int(ROWS * scale))
    left: dict[str, Callable[[int], bool]] = {
        "at the end": lambda row: row > rows - LEFT,
        "scattered": lambda row: row % (rows // LEFT) == 0,
    }
    with tempfile.TemporaryDirectory() as folder:
        for where, is_left in left.items():
            place = Path(folder, where.replace(" ", "-"))
            place.mkdir()
            source, ledger = mostly_settled(place, rows, is_left)
            seconds = _first_create(source, ledger)
            yield Figure(f"first create, {LEFT:,} of {rows:,} rows left {where}", seconds, "s", at_most=4)
        status = median(tool("status", ledger).seconds for _ in range(5))
        yield Figure(f"status of {rows:,} rows", status, "s", at_most=0.5)
        for what in ("map", "all"):
            seconds = median(_exported(ledger, what) for _ in range(3))
            yield Figure(f"export --what {what}", rows / seconds, "rows/s", at_least=200_000)


def _first_create(source: Path, ledger: Path) -> float:
    with served() as url:
        began = time.time()
        tool("run", source, "--api-base", url, "--ledger", ledger, "--key", "user_id", "--rate", "none")
        return counts(url)["first_create"] - began


def _exported(ledger: Path, what: str) -> float:
    target = ledger.with_name(what)
    done = tool("export", ledger, "--what", what, "--output", target)
    target.unlink()
    return done.seconds

"""Peak memory of going on with an import that left very many rows in doubt, whose customers are looked for first."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.ledgers import at_rest
from tests.benchmarks.running import served, tool

SIZES = (10_000, 100_000)


def measure(scale: float) -> Iterator[Figure]:
    """MiB with a few rows at rest and with many, and how much more the latter takes."""
    peaks: list[float] = []
    for rows in (max(100, int(size * scale)) for size in SIZES):
        with tempfile.TemporaryDirectory() as folder, served() as url:
            source, ledger = at_rest(Path(folder), rows, url)
            ran = tool("run", source, "--api-base", url, "--ledger", ledger, "--key", "user_id", "--rate", "none")
            peaks.append(ran.peak)
            yield Figure(f"going on with {rows:,} rows at rest: peak", ran.peak, "MiB", at_most=150)
    yield Figure("growth of the peak", peaks[-1] - peaks[0], "MiB", at_most=20)

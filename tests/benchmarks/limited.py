"""What a cap far above the account's real limit costs, for each kind of limiter: time over the ideal, and refusals."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.capped import imported
from tests.benchmarks.figures import Figure

ALLOWED = 25
ROWS = 1500
RATES = ((100, 0.05), (500, 0.20))
"""What is asked for, and how much of it may be answered 429."""

SHAPES = (("sliding", 1.08), ("bucket", 1.08), ("calendar", 1.12))
"""How the account counts a second, and how much longer than the ideal an import may take."""


def measure(scale: float) -> Iterator[Figure]:
    """Refusals and time over the ideal for each kind of limiter."""
    with tempfile.TemporaryDirectory() as folder:
        for shape, slower in SHAPES:
            for rate, most in RATES:
                yield from above_the_limit(Path(folder), shape, rate, slower, most, scale)


def above_the_limit(folder: Path, shape: str, rate: int, slower: float, most: float, scale: float) -> list[Figure]:
    """An account that allows a quarter or a twentieth of what was asked for."""
    rows = math.ceil(ROWS * scale)
    limits = ("--rate-limit", "none", "--endpoint-rate-limit", str(ALLOWED), "--limiter", shape)
    arrivals, done = imported(folder, rows, rate, *limits)
    creates = [a for a in arrivals if a["endpoint"] == "create"]
    times = [a["t"] for a in creates]
    refused = sum(a["status"] == 429 for a in arrivals) / len(arrivals)
    made = {a["idempotency_key"] for a in creates if a["status"] == 200}
    name = f"--rate {rate} of {ALLOWED} allowed, {shape}"
    return [
        Figure(f"{name}: time over the ideal", (times[-1] - times[0]) / (rows / ALLOWED), "×", at_most=slower),
        Figure(f"{name}: answered 429", 100 * refused, "%", at_most=100 * most),
        Figure(f"{name}: rows lost", rows - len(made) + failed(done), "", at_most=0),
    ]


def failed(output: str) -> int:
    """How many rows the closing table calls failed."""
    found = re.search(r"^ *failed +([0-9,]+)", output, re.MULTILINE)
    return int(found[1].replace(",", "")) if found else 0

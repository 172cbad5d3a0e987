"""How much of a cap is used and whether it is kept, and what a cap far above the account's real limit costs.

The tool runs from the command line against the simulator at 250 ms ± 80 ms; what counts is when requests reached it.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure
from tests.benchmarks.running import people, tool
from tests.promises import worst_second
from tests.rig import simulated

SECONDS = 25.0
LATENCY = ("--latency", "250ms", "--jitter", "80ms")
CAPS = ((25, 0.96), (100, 0.98), (500, 0.98))
LIMITED = ((100, 0.05), (500, 0.20))
SHAPES = (("sliding", 1.08), ("bucket", 1.08), ("calendar", 1.12))
ALLOWED = 25
LIMITED_ROWS = 1500


def measure(scale: float) -> Iterator[Figure]:
    """Shares of each cap and the worst second, then refusals and time over the ideal for each kind of limiter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rate, least in CAPS:
            yield from at_the_cap(folder, rate, least, scale)
        for shape, slower in SHAPES:
            for rate, most in LIMITED:
                yield from above_the_limit(folder, shape, rate, slower, most, scale)


def at_the_cap(folder: Path, rate: int, least: float, scale: float) -> list[Figure]:
    """An account that allows what was asked for."""
    rows = math.ceil(rate * SECONDS * scale)
    arrivals, _ = imported(folder, rows, rate, "--rate-limit", "none", "--endpoint-rate-limit", "none")
    creates = [a["t"] for a in arrivals if a["endpoint"] == "create"]
    per_second = (len(creates) - 1) / (creates[-1] - creates[0])
    everything = sorted(a["t"] for a in arrivals)
    most = most_in_flight(arrivals)
    return [
        Figure(f"--rate {rate}: creates a second", per_second, "", at_least=least * rate),
        Figure(f"--rate {rate}: worst second at the server", worst_second(everything), "", at_most=rate * 1.05),
        Figure(f"--rate {rate}: answered 429", sum(a["status"] == 429 for a in arrivals), "", at_most=0),
        Figure(f"--rate {rate}: most requests in flight at the server", most, ""),
        Figure(f"--rate {rate}: connections opened", len({a["connection"] for a in arrivals}), "", at_most=most),
        Figure(f"--rate {rate}: longest gap between creates", max(b - a for a, b in pairwise(creates)), "s"),
    ]


def above_the_limit(folder: Path, shape: str, rate: int, slower: float, most: float, scale: float) -> list[Figure]:
    """An account that allows a quarter or a twentieth of what was asked for."""
    rows = math.ceil(LIMITED_ROWS * scale)
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


def imported(folder: Path, rows: int, rate: int, *simulator: str) -> tuple[list[dict[str, Any]], str]:
    """Run the tool over so many people and fetch what reached the simulator, in order."""
    source = people(folder / "people.csv", rows)
    ledger = folder / "people.db"
    for left in folder.glob("people.db*"):
        left.unlink()
    with simulated(*LATENCY, *simulator) as server:
        done = tool(
            "run", source, "--api-base", server.url, "--ledger", ledger, "--rate", str(rate),
            "--endpoint-rate", f"create={rate}",
        )  # fmt: skip
        return server.arrivals(), done.output


def most_in_flight(arrivals: list[dict[str, Any]]) -> int:
    """How many requests the server had at one time, between their arrival and their answer."""
    changes = [(a["t"], 1) for a in arrivals] + [(a["answered"], -1) for a in arrivals if a["answered"] is not None]
    return max(accumulate(change for _, change in sorted(changes)))


def failed(output: str) -> int:
    """How many rows the closing table calls failed."""
    found = re.search(r"^ *failed +([0-9,]+)", output, re.MULTILINE)
    return int(found[1].replace(",", "")) if found else 0

"""How much of a cap is used, whether it is kept, and how many connections that takes.

The tool runs from the command line against the simulator at 250 ms ± 80 ms; what counts is when requests reached it.
"""

from __future__ import annotations

import math
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
WAY = 0.001
"""Seconds that a request and its answer are on their way on this machine, each: in flight, though the server does not see it."""


def measure(scale: float) -> Iterator[Figure]:
    """Shares of each cap, the worst second, refusals and connections."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rate, least in CAPS:
            yield from at_the_cap(folder, rate, least, scale)


def at_the_cap(folder: Path, rate: int, least: float, scale: float) -> list[Figure]:
    """An account that allows what was asked for."""
    rows = math.ceil(rate * SECONDS * scale)
    arrivals, _ = imported(folder, rows, rate, "--rate-limit", "none", "--endpoint-rate-limit", "none")
    creates = [a["t"] for a in arrivals if a["endpoint"] == "create"]
    per_second = (len(creates) - 1) / (creates[-1] - creates[0])
    everything = sorted(a["t"] for a in arrivals)
    return [
        Figure(f"--rate {rate}: creates a second", per_second, "", at_least=least * rate),
        Figure(f"--rate {rate}: worst second at the server", worst_second(everything), "", at_most=rate * 1.05),
        Figure(f"--rate {rate}: answered 429", sum(a["status"] == 429 for a in arrivals), "", at_most=0),
        Figure(f"--rate {rate}: most requests in flight at the server", most_in_flight(arrivals), ""),
        Figure(
            f"--rate {rate}: connections opened",
            len({a["connection"] for a in arrivals}),
            "",
            at_most=most_in_flight(arrivals, WAY),
        ),
        Figure(f"--rate {rate}: longest gap between creates", max(b - a for a, b in pairwise(creates)), "s"),
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


def most_in_flight(arrivals: list[dict[str, Any]], way: float = 0.0) -> int:
    """How many requests the server had at one time, between their arrival and their answer, *way* seconds more at each end."""
    changes = [(a["t"] - way, 1) for a in arrivals]
    changes += [(a["answered"] + way, -1) for a in arrivals if a["answered"] is not None]
    return max(accumulate(change for _, change in sorted(changes)))

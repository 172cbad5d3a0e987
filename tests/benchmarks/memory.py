"""Peak memory and CPU a row of `check` and `run`, from a file and from a pipe, as the file grows a hundredfold.

At full size this makes two million requests and takes most of an hour; `--scale 0.1` stops at 100,000 rows.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.running import Ran, people, served, tool

SIZES = (10_000, 100_000, 1_000_000)


def measure(scale: float) -> list[Figure]:
    """MiB at each size, and how much the largest takes more than the smallest."""
    sizes = [max(100, int(rows * scale)) for rows in SIZES]
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, go in (("check", _check), ("run", _run)):
            for way in ("file", "pipe"):
                found = {rows: go(people(Path(folder, f"{rows}.csv"), rows), way) for rows in sizes}
                figures += _told(f"{name} from a {way}", found, most=150 if name == "run" else None)
    return figures


def _told(name: str, found: dict[int, Ran], most: float | None) -> list[Figure]:
    peaks = [ran.peak for ran in found.values()]
    costs = [1000 * ran.cpu / rows for rows, ran in found.items()]
    figures = [Figure(f"{name}, {rows:,} rows: peak", ran.peak, "MiB", at_most=most) for rows, ran in found.items()]
    return [
        *figures,
        Figure(f"{name}: growth", max(peaks) - peaks[0], "MiB", at_most=20),
        Figure(f"{name}: CPU a row, largest", costs[-1], "ms"),
        Figure(f"{name}: CPU a row, largest against smallest", costs[-1] / costs[0], "×", at_most=1.1),
    ]


def _check(source: Path, way: str) -> Ran:
    if way == "file":
        return tool("check", source)
    with source.open("rb") as file:
        return tool("check", "-", stdin=file)


def _run(source: Path, way: str) -> Ran:
    ledger = source.with_name(f"{source.name}.{way}.db")
    with served() as url:
        settings = ("--api-base", url, "--ledger", ledger, "--key", "user_id", "--rate", "none", "--concurrency", "64")
        if way == "file":
            done = tool("run", source, *settings)
        else:
            with source.open("rb") as file:
                done = tool("run", "-", *settings, stdin=file)
    ledger.unlink()
    return done

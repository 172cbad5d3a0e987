"""Peak memory and CPU a row of `check` and `run`, from a file and from a pipe, as the file grows a hundredfold.

At full size this makes two million requests and takes most of an hour; `--scale 0.1` stops at 100,000 rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.running import Ran, people, served, tool

SIZES = (10_000, 100_000, 1_000_000)


def measure(scale: float) -> Iterator[Figure]:
    """MiB at each size, and how much the largest takes more than the smallest."""
    sizes = [max(100, int(rows * scale)) for rows in SIZES]
    with tempfile.TemporaryDirectory() as folder:
        for name, go, most in (("check", _check, None), ("run", _run, 150)):
            for way in ("file", "pipe"):
                found: dict[int, Ran] = {}
                for rows in sizes:
                    ran = found[rows] = go(people(Path(folder, f"{rows}.csv"), rows), way)
                    yield Figure(f"{name} from a {way}, {rows:,} rows: peak", ran.peak, "MiB", at_most=most)
                    yield Figure(f"{name} from a {way}, {rows:,} rows: CPU a row", 1000 * ran.cpu / rows, "ms")
                yield from _growth(f"{name} from a {way}", found)


def _growth(name: str, found: dict[int, Ran]) -> Iterator[Figure]:
    """How the largest compares with the smallest; CPU without what a process takes for itself, as two sizes show it."""
    (few, small), *_, (many, large) = found.items()
    yield Figure(f"{name}: growth of the peak", max(ran.peak for ran in found.values()) - small.peak, "MiB", at_most=20)
    costs = [ran.cpu / rows for rows, ran in found.items()]
    yield Figure(f"{name}: CPU a row, largest against smallest", costs[-1] / costs[0], "×", at_most=1.1)
    middle = sorted(found)[len(found) // 2]
    before = (found[middle].cpu - small.cpu) / (middle - few)
    after = (large.cpu - found[middle].cpu) / (many - middle)
    yield Figure(f"{name}: CPU of a later row against an earlier one", after / before, "×", at_most=1.1)


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

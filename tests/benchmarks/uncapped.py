"""Throughput without a cap, end to end, against what people would write instead.

CSV in, ledger on disk with every commit synced, 64 requests in flight on every side, counted between the first and the last
row that is settled. Every contender has a server of its own, and all of them run in turn, five times over; a ratio is taken
within each round.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import Figure
from tests.benchmarks.running import Ran, counts, peer, people, say, served, settled_per_second, tool

ROWS = 20_000
ROUNDS = 5
SLOW_ROWS = 2_000
"""Enough for the slowest contender, whose pace does not depend on their number."""

CONTENDERS = {
    "httpx": ("stripe-python, default httpx client", 5),
    "aiohttp": ("stripe-python, AIOHTTPClient", 1),
    "bare": ("bare aiohttp POSTs", 0.4),
}
"""What we are compared with, and how many times as fast we are to be at least."""


@dataclass(frozen=True, slots=True)
class Ours:
    """One import: rows a second, and milliseconds of CPU a row while rows are created, before that, and over all."""

    per_second: float
    creating: float | None
    before: float | None
    overall: float


def measure(scale: float) -> Iterator[Figure]:
    """Rows a second of each, the ratios between them, and what a row of ours costs."""
    rows = max(200, int(ROWS * scale))
    ours: list[Ours] = []
    theirs: dict[str, list[float]] = {kind: [] for kind in CONTENDERS}
    with tempfile.TemporaryDirectory() as folder:
        source = people(Path(folder, "people.csv"), rows)
        few = people(Path(folder, "few.csv"), min(rows, SLOW_ROWS))
        for turn in range(1, (ROUNDS if scale >= 1 else 1) + 1):
            ours.append(_ours(source, Path(folder, f"{turn}.db"), rows))
            say(f"round {turn}: bulk-import {ours[-1].per_second:,.0f} rows/s, {ours[-1].overall:.3f} ms of CPU a row")
            for kind, found in theirs.items():
                with served() as url:
                    found.append(peer(kind, url, few if kind == "httpx" else source)["rows_per_second"])
                say(f"round {turn}: {CONTENDERS[kind][0]} {found[-1]:,.0f} rows/s")
    yield Figure(f"bulk-import, {rows:,} rows", median(one.per_second for one in ours), "rows/s")
    for kind, (name, _) in CONTENDERS.items():
        size = min(rows, SLOW_ROWS) if kind == "httpx" else rows
        yield Figure(f"{name}, {size:,} rows", median(theirs[kind]), "rows/s")
    for kind, (name, least) in CONTENDERS.items():
        ratio = median(one.per_second / other for one, other in zip(ours, theirs[kind], strict=True))
        yield Figure(f"against {name}", ratio, "×", at_least=least)
    yield from _costs(ours)


def _costs(ours: list[Ours]) -> Iterator[Figure]:
    creating = [one.creating for one in ours if one.creating is not None]
    before = [one.before for one in ours if one.before is not None]
    if creating and before:
        yield Figure("CPU a row, between first and last row", median(creating), "ms", at_most=0.4)
        yield Figure("start and pre-flight, shared among the rows", median(before), "ms")
    yield Figure("CPU a row, over the whole process", median(one.overall for one in ours), "ms")


def _ours(source: Path, ledger: Path, rows: int) -> Ours:
    with served() as url:
        ran = imported(source, url, ledger)
        held = counts(url)
    first, last = ran.cpu_at(held["first_create"]), ran.cpu_at(held["last_create"])
    # The slower of what the ledger and what the server saw.
    seen = (held["made"] - 1) / (held["last_create"] - held["first_create"])
    per_second = min(settled_per_second(ledger), seen)
    if first is None or last is None:
        return Ours(per_second, None, None, 1000 * ran.cpu / rows)
    return Ours(per_second, 1000 * (last - first) / rows, 1000 * first / rows, 1000 * ran.cpu / rows)


def imported(source: Path, url: str, ledger: Path, *options: str) -> Ran:
    """The import with everything on, as fast as it goes."""
    return tool(
        "run", source, "--api-base", url, "--ledger", ledger, "--key", "user_id",
        "--rate", "none", "--concurrency", "64", *options,
    )  # fmt: skip

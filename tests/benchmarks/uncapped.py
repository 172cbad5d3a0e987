"""Throughput without a cap, end to end, against what people would write instead.

CSV in, ledger on disk with every commit synced, 64 requests in flight on every side, counted between the first and the last
settled row. Every contender has a server of its own, and all of them run in turn, three times over.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import Figure
from tests.benchmarks.running import Ran, peer, people, served, settled_per_second, tool

ROWS = 20_000
ROUNDS = 3
SLOW_ROWS = 3_000
"""Enough for the slowest contender, whose pace does not depend on their number."""


def measure(scale: float) -> list[Figure]:
    """Rows a second of each, the ratios between them, and what a row of ours costs."""
    rows = max(200, int(ROWS * scale))
    ours: list[float] = []
    costs: list[float] = []
    theirs: dict[str, list[float]] = {"httpx": [], "aiohttp": [], "bare": []}
    with tempfile.TemporaryDirectory() as folder:
        source = people(Path(folder, "people.csv"), rows)
        few = people(Path(folder, "few.csv"), min(rows, SLOW_ROWS))
        for turn in range(ROUNDS if scale >= 1 else 1):
            ledger = Path(folder, f"{turn}.db")
            with served() as url:
                ran = imported(source, url, ledger)
            ours.append(settled_per_second(ledger))
            costs.append(1000 * ran.cpu / rows)
            for kind, found in theirs.items():
                with served() as url:
                    found.append(peer(kind, url, few if kind == "httpx" else source)["rows_per_second"])
    rate = median(ours)
    httpx, aiohttp, bare = (median(found) for found in theirs.values())
    return [
        Figure("bulk-import", rate, "rows/s"),
        Figure("stripe-python, default httpx client", httpx, "rows/s"),
        Figure("stripe-python, AIOHTTPClient", aiohttp, "rows/s"),
        Figure("bare aiohttp POSTs", bare, "rows/s"),
        Figure("against stripe-python over httpx", rate / httpx, "×", at_least=5),
        Figure("against stripe-python over aiohttp", rate / aiohttp, "×", at_least=1),
        Figure("against bare aiohttp", rate / bare, "×", at_least=0.4),
        Figure("CPU a row, start and pre-flight included", median(costs), "ms", at_most=0.4),
    ]


def imported(source: Path, url: str, ledger: Path, *options: str) -> Ran:
    """The import with everything on, as fast as it goes."""
    return tool(
        "run", source, "--api-base", url, "--ledger", ledger, "--key", "user_id",
        "--rate", "none", "--concurrency", "64", *options,
    )  # fmt: skip

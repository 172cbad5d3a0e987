"""At 100 a second against 250 ms ± 80 ms: the tool, and the recipe that looks each e-mail up and creates, twenty at a time.

Also whether the tool opens more connections than it has requests in flight.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.running import counts, peer, people, served, settled_per_second, tool

ROWS = 2_000
RATE = 100


def measure(scale: float) -> Iterable[Figure]:
    """Rows a second of both, and the connections of ours."""
    with tempfile.TemporaryDirectory() as folder:
        source = people(Path(folder, "people.csv"), max(200, int(ROWS * scale)))
        few = people(Path(folder, "few.csv"), max(100, int(ROWS * scale / 4)))
        ledger = Path(folder, "ledger.db")
        with served(0.25, 0.08) as url:
            tool("run", source, "--api-base", url, "--ledger", ledger, "--key", "user_id", "--rate", str(RATE))
            held = counts(url)
        with served(0.25, 0.08) as url:
            recipe = peer("recipe", url, few)["rows_per_second"]
        ours = settled_per_second(ledger)
    connections = held["connections"] - 1  # one is that of the count itself
    return [
        Figure(f"bulk-import --rate {RATE}", ours, "rows/s"),
        Figure("look up, then create, twenty at a time", recipe, "rows/s"),
        Figure("against the recipe", ours / recipe, "×"),
        Figure("connections opened for each request in flight", connections / held["most_flying"], "", at_most=1.0),
    ]

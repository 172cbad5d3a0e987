"""What it costs to learn who is in Stripe already, from the command line against the simulator at 250 ms ± 80 ms.

And each strategy against accounts of three sizes, without a latency and a cap: requests, and seconds of tool and simulator. What
they take at Stripe's own limits is the requests over the cap, which is told beside them.
"""

from __future__ import annotations

import csv
import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure
from tests.benchmarks.running import people, tool
from tests.rig import Simulated, simulated

EXISTING = 20_000
ROWS = 5_000
LARGE = 1_000_000
FEW = 50
SIZES = (10_000, 100_000, 1_000_000)
STRATEGIES = ("snapshot", "search", "lookup", "auto")
OLD = 50
LATENCY = ("--latency", "250ms", "--jitter", "80ms", "--rate-limit", "none")


def measure(scale: float) -> Iterator[Figure]:
    """Half of a file is there in another letter case; then a few rows against a very large account; then each strategy."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from half_there(folder, scale)
        yield from few_of_many(folder)
        for size in SIZES:
            yield from each_strategy(folder, max(1_000, int(size * scale)))


def half_there(folder: Path, scale: float) -> list[Figure]:
    """Right ids for all of them, and hardly a request more than creates and pages."""
    existing, rows = int(EXISTING * scale), int(ROWS * scale)
    with simulated(*LATENCY, "--endpoint-rate-limit", "none", "--existing", str(existing)) as server:
        there = {c["email"].lower(): c["id"] for c in server.customers()}
        source = _mixed(folder / "mixed.csv", sorted(there), rows)
        ledger = folder / "mixed.db"
        tool("run", source, "--api-base", server.url, "--ledger", ledger, "--rate", "200", "--endpoint-rate", "list=25")
        arrivals = server.arrivals()
        wrong = _wrong(server, ledger, there)
    creates = sum(a["endpoint"] == "create" for a in arrivals)
    pages = _snapshot(arrivals, existing)
    ideal = rows - rows // 2 + existing / 100
    return [
        Figure("rows of a customer who was there", rows - creates, ""),
        Figure("wrong ids and twins", wrong, "", at_most=0),
        Figure("requests over creates and pages", len(arrivals) / ideal, "×", at_most=1.05),
        Figure("pages of the snapshot a second, cap 25", (len(pages) - 1) / (pages[-1] - pages[0]), "", at_least=20),
    ]


def few_of_many(folder: Path) -> list[Figure]:
    """A very large account is searched, not listed."""
    with simulated(*LATENCY, "--existing", str(LARGE)) as server:
        source = people(folder / "few.csv", FEW)
        done = tool("run", source, "--api-base", server.url, "--ledger", folder / "few.db")
        reads = Counter(a["endpoint"] for a in server.arrivals() if a["method"] == "GET")
    return [
        Figure(f"{FEW} rows against {LARGE:,} customers: reads", reads.total(), "", at_most=59),
        Figure("of these, searches", reads["search"], "", at_least=FEW / 10),
        Figure("search was chosen", "search:" in done.output, "", at_least=1),
    ]


def each_strategy(folder: Path, existing: int) -> Iterator[Figure]:
    """A hundred rows, every other one of somebody who is there, learnt in each way in turn."""
    with simulated("--rate-limit", "none", "--endpoint-rate-limit", "none", "--existing", str(existing)) as server:
        for turn, strategy in enumerate(STRATEGIES):
            source = _every_other(folder / f"{strategy}.csv", existing, turn)
            ledger = folder / f"{existing}.{strategy}.db"
            server.ask("/_simulator/reset-log", {})
            ran = tool(
                "run", source, "--api-base", server.url, "--ledger", ledger, "--rate", "none", "--dedupe", strategy,
            )  # fmt: skip
            reads = Counter(a["endpoint"] for a in server.arrivals() if a["method"] == "GET")
            found = tool("status", ledger, "--json").output
            name = f"{existing:,} there, {strategy}"
            yield Figure(f"{name}: reads", reads.total(), "")
            yield Figure(f"{name}: seconds", ran.seconds, "s")
            yield Figure(f"{name}: at 25 reads a second, searches 20", _at_the_limits(reads), "s")
            missed = OLD - json.loads(found)["existing"]
            # A look-up sees letter case, which Stripe's list keeps apart: the people it misses are told, not promised.
            yield Figure(f"{name}: people missed", missed, "", at_most=None if strategy == "lookup" else 0)


def _every_other(path: Path, existing: int, turn: int) -> Path:
    """New people and people who are there, others for each strategy."""
    step = existing // (OLD * len(STRATEGIES))
    numbers = [(n * len(STRATEGIES) + turn) * step + n % 4 + 1 for n in range(OLD)]  # each letter case there is
    old = [f"existing.{number:06d}@example.com" for number in numbers]
    new = [f"new.{turn}.{n}@example.com" for n in range(OLD)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["email"], *([email] for pair in zip(old, new, strict=True) for email in pair)])
    return path


def _at_the_limits(reads: Counter[str]) -> float:
    return reads["search"] / 20 + (reads.total() - reads["search"]) / 25


def _mixed(path: Path, there: list[str], rows: int) -> Path:
    """Half new people and half who are there, shuffled, their letter case changed."""
    dice = random.Random(1)  # noqa: S311 - the same file every time, guards nothing
    old = [email.upper() if n % 2 else email.title() for n, email in enumerate(dice.sample(there, rows // 2))]
    emails = old + [f"new.{n}@example.com" for n in range(rows - len(old))]
    dice.shuffle(emails)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["email", "name"], *([email, f"Person {n}"] for n, email in enumerate(emails))])
    return path


def _snapshot(arrivals: list[dict[str, Any]], existing: int) -> list[float]:
    """When the pages of the first reading were asked for: every list before the first create."""
    first = min(a["t"] for a in arrivals if a["endpoint"] == "create")
    return [a["t"] for a in arrivals if a["endpoint"] == "list" and a["t"] < first][: existing // 80]


def _wrong(server: Simulated, ledger: Path, there: dict[str, str]) -> int:
    """Rows mapped to anybody but the person's customer, and people with two."""
    exported = tool("export", ledger, "--what", "map")
    customers = {c["id"]: c["email"].lower() for c in server.customers()}
    lines = list(csv.DictReader(exported.output.splitlines()))
    wrong: int = sum(customers.get(line["customer_id"]) != line["email"].lower() for line in lines)
    wrong += sum(there.get(line["email"].lower(), line["customer_id"]) != line["customer_id"] for line in lines)
    return wrong + len(customers) - len(set(customers.values()))

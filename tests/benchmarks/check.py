"""`check` against bare `csv.DictReader` over the same file of ten columns, by CPU seconds, and how flat its memory is."""

from __future__ import annotations

import csv
import random
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.running import ran, tool

ROWS = 1_000_000
FEW = 10_000
COLUMNS = ("user_id", "email", "name", "phone", "address", "city", "postal_code", "country", "plan", "signed_up")
CITIES = (("Berlin", "10115", "DE"), ("Zürich", "8001", "CH"), ("Leeds", "LS1 4AP", "GB"), ("Austin", "01067", "US"))
BARE = "import csv, sys\nfor row in csv.DictReader(open(sys.argv[1], newline='', encoding='utf-8')): pass"


def measure(scale: float) -> Iterable[Figure]:
    """One file with all rows, one with few; the long one also through a pipe."""
    rows = int(ROWS * scale)
    with tempfile.TemporaryDirectory() as folder:
        long, short = (written(Path(folder, f"{size}.csv"), size) for size in (rows, min(FEW, rows)))
        bare = ran(sys.executable, "-c", BARE, long)
        checked, few = tool("check", long, "-q"), tool("check", short, "-q")
        with long.open("rb") as pipe:
            piped = tool("check", "-", "-q", stdin=pipe)
    return [
        Figure(f"{rows:,} rows by csv.DictReader", bare.cpu, "s"),
        Figure(f"{rows:,} rows by check", checked.cpu, "s"),
        Figure("speed of check, DictReader's being 1", bare.cpu / checked.cpu, "", at_least=1 / 3),
        Figure(f"peak memory at {FEW:,} rows", few.peak, "MiB"),
        Figure(f"more of it at {rows:,} rows", checked.peak - few.peak, "MiB", at_most=20),
        Figure("the same from standard input", piped.peak - few.peak, "MiB", at_most=20),
    ]


def written(path: Path, rows: int) -> Path:
    """People with an address, every fifth of it quoted because of a comma in it."""
    chance = random.Random(rows)  # noqa: S311 - the same file every time, not a secret
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(rows):
            city, code, country = chance.choice(CITIES)
            street = f"{number % 200} High Street" + ", Apt 4" * (number % 5 == 0)
            phone, plan = f"+49 30 23125 {number % 1000:03d}", chance.choice(("pro", "free", "team"))
            email = f"ann.lee.{number}@example.com"
            writer.writerow(
                (f"u_{number}", email, "Ann Lee-Núñez", phone, street, city, code, country, plan, "2026-03-11")
            )
    return path

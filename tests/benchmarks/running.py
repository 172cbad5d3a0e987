"""Starts what is measured: the light server, the tool, and other programs, each in a process of its own."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

COLUMNS = "user_id,email,name,phone,city,country,plan"

SLOWS = {"PYTHONDONTWRITEBYTECODE"}
"""Variables of whoever measures that would have every process compile our modules anew, which no user's does."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One process that ended: seconds of the clock, CPU seconds, peak memory in MiB, and what it printed.

    `course` is how its CPU seconds rose, pairs of time and sum; empty where the system does not say.
    """

    seconds: float
    cpu: float
    peak: float
    output: str
    course: Sequence[tuple[float, float]] = ()

    def cpu_at(self, moment: float) -> float | None:
        """CPU seconds until *moment* (seconds since the epoch), None where that is not known."""
        earlier = [cpu for at, cpu in self.course if at <= moment]
        return earlier[-1] if earlier else None


@contextmanager
def served(latency: float = 0.0, jitter: float = 0.0) -> Iterator[str]:
    """A light server on a free port, whose answers take so many seconds; it ends with the block."""
    command = [sys.executable, "-m", "tests.benchmarks.server", str(latency), str(jitter)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=20)


def counts(url: str) -> dict[str, float]:
    """What the light server has counted so far."""
    with urllib.request.urlopen(url + "/counts", timeout=30) as answer:  # noqa: S310 - loopback
        found: dict[str, float] = json.loads(answer.read())
        return found


def ran(*command: str | Path, stdin: IO[bytes] | None = None, codes: tuple[int, ...] = (0,)) -> Ran:
    """Run a program to its end under one of *codes* and say what it cost."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("STRIPE_", "BULK_IMPORT_")) and n not in SLOWS}
    began = time.perf_counter()
    process = subprocess.Popen(
        [*map(str, command)], stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**kept, "STRIPE_API_KEY": "sk_test_benchmark"},
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout, _watched(process.pid) as course:
        output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{output}")
    cpu = usage.ru_utime + usage.ru_stime
    return Ran(time.perf_counter() - began, cpu, usage.ru_maxrss / 1024, output, course)


@contextmanager
def _watched(pid: int) -> Iterator[list[tuple[float, float]]]:
    """Note every 20 ms what a process has used, where the system tells of other processes (Linux does)."""
    course: list[tuple[float, float]] = []
    ended = threading.Event()
    ticks = os.sysconf("SC_CLK_TCK")

    def watch() -> None:
        while not ended.wait(0.02):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                return
            course.append((time.time(), (int(fields[11]) + int(fields[12])) / ticks))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield course
    finally:
        ended.set()
        watching.join()


def tool(*arguments: str | Path, stdin: IO[bytes] | None = None, codes: tuple[int, ...] = (0,)) -> Ran:
    """Run bulk-import."""
    return ran(sys.executable, "-m", "bulk_import", *arguments, stdin=stdin, codes=codes)


def peer(kind: str, url: str, source: Path) -> dict[str, float]:
    """Run one of `peers`."""
    found: dict[str, float] = json.loads(ran(sys.executable, "-m", "tests.benchmarks.peers", kind, url, source).output)
    return found


def email_of(number: int) -> str:
    """A person's address; as in real files, they come in no order of the alphabet."""
    return f"p{number * 2_654_435_761 % 2**32:08x}.{number}@example.com"


def people(path: Path, rows: int) -> Path:
    """A file of so many different people."""
    with path.open("w") as file:
        file.write(COLUMNS + "\n")
        for n in range(1, rows + 1):
            file.write(f"u{n},{email_of(n)},Person Number {n},+4144{n:07d},Zürich,CH,gold\n")
    return path


def settled_per_second(ledger: Path) -> float:
    """Rows settled a second after the first commit that settled any, up to the last one, as the ledger has it."""
    db = sqlite3.connect(ledger)
    try:
        first, last, rows = db.execute("SELECT min(settled_at), max(settled_at), count(*) FROM entry").fetchone()
        # The first commit settles many at once, within the moment that it takes to write them.
        (at_first,) = db.execute("SELECT count(*) FROM entry WHERE settled_at <= ? + 0.01", (first,)).fetchone()
    finally:
        db.close()
    return float((rows - at_first) / (last - first))


def say(text: str) -> None:
    """Tell how far it has got, beside the figures."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)

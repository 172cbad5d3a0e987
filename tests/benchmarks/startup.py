"""How long it takes until something is said: help, version, a file of one row; against a click program that does nothing."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import Figure
from tests.benchmarks.running import Ran, people, ran, tool

TURNS = 15
BARE = "import click\n@click.command()\ndef main(): 'Does nothing.'\nmain()"


def measure(scale: float) -> Iterable[Figure]:
    """Milliseconds of each, taken in turn, and `--help` against the bare program."""
    with tempfile.TemporaryDirectory() as folder:
        one = people(Path(folder, "one.csv"), 1)
        contenders: dict[str, Callable[[], Ran]] = {
            "a click program that does nothing, --help": lambda: ran(sys.executable, "-c", BARE, "--help"),
            "--help": lambda: tool("--help"),
            "--version": lambda: tool("--version"),
            "run --help": lambda: tool("run", "--help"),
            "check of one row": lambda: tool("check", one),
        }
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(max(3, int(TURNS * scale))):
            for name, start in contenders.items():
                taken[name].append(1000 * start().seconds)
        signs = [_first_sign(one, Path(folder, f"{turn}.db")) for turn in range(max(3, int(TURNS * scale)))]
    figures = [Figure(name, median(found), "ms") for name, found in taken.items()]
    return [
        *figures,
        Figure("--help against the bare program", figures[1].value / figures[0].value, "×", at_most=2),
        Figure("run: the first sign on a terminal", 1000 * median(signs), "ms", at_most=1000),
    ]


def _first_sign(source: Path, ledger: Path) -> float:
    """Seconds until `run` shows anything on a terminal; it is ended then."""
    screen, terminal = pty.openpty()
    began = time.perf_counter()
    command = [sys.executable, "-m", "bulk_import", "run", str(source), "--simulate", "--ledger", str(ledger)]
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        os.read(screen, 1)
        seconds = time.perf_counter() - began
        process.terminate()
        with suppress(OSError):  # how Linux says that nobody writes to it any more
            while os.read(screen, 4096):
                pass
    os.close(screen)
    return seconds

"""How long it takes until something is said: help, version, a file of one row; against a click program that does nothing."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
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
    figures = [Figure(name, median(found), "ms") for name, found in taken.items()]
    return [*figures, Figure("--help against the bare program", figures[1].value / figures[0].value, "×", at_most=2)]

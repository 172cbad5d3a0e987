"""`python -m tests.benchmarks`: runs the benchmarks and prints their figures."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import BENCHMARKS
from tests.benchmarks.figures import HEAD, Figure, as_json, machine

HISTORY = Path(__file__).with_name("history.jsonl")
"""What was recorded, a line for each benchmark, so that later changes are seen."""


def main(arguments: list[str]) -> int:
    """Run the benchmarks that were named, or all; 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; all if none is given"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="a fraction of the rows, for a quick look")
    parser.add_argument("--json", action="store_true", help="one object a line for each benchmark")
    parser.add_argument("--record", action="store_true", help=f"append to {HISTORY.name}")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(BENCHMARKS):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    met = [_run(name, given) for name in given.names or BENCHMARKS]
    return int(not all(met))


def _run(name: str, given: argparse.Namespace) -> bool:
    """Tell each figure as soon as it is there; what was measured is recorded even if the rest never comes.

    Targets are those of the full size, so a quick look has none.
    """
    found: list[Figure] = []
    facts = {"scale": given.scale, "at": time.strftime("%Y-%m-%d"), "machine": machine()}
    complete = False
    try:
        if not given.json:
            print("\n".join(HEAD).format(name), flush=True)
        for figure in importlib.import_module(f"tests.benchmarks.{name}").measure(given.scale):
            found.append(figure if given.scale >= 1 else replace(figure, at_least=None, at_most=None))
            if not given.json:
                print(found[-1].line, flush=True)
        complete = True
    finally:
        line = as_json(name, found, complete=complete, **facts)
        print(line if given.json else "", flush=True)
        if given.record and found:
            with HISTORY.open("a") as file:
                file.write(line + "\n")
    return all(figure.is_met is not False for figure in found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

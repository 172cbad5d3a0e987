"""`python -m bulk_import.simulator`: prints one JSON line with its address, then serves until it is stopped."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bulk_import.simulator.options import parse
from bulk_import.simulator.server import serve
from bulk_import.simulator.store import StateUnusable


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; 2 when the options, the port or the state file cannot be used."""
    options = parse(arguments)
    try:
        serve(options, _announce)
    except (StateUnusable, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _announce(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

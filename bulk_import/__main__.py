"""`python -m bulk_import`, the same as `bulk-import`."""

from __future__ import annotations

import sys


def main() -> int:
    """Carry out the command line of this process and return its exit code."""
    try:
        from bulk_import.cli.ending import run_program
    except KeyboardInterrupt:
        return 130  # interrupted while it was still being loaded
    return run_program(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

"""`python -m bulk_import`, the same as `bulk-import`."""

from __future__ import annotations

import sys

from bulk_import.cli.early import heed_signals, ignore_impatience


def main() -> int:
    """Carry out the command line of this process and return its exit code."""
    heed_signals()
    try:
        from bulk_import.cli.ending import run_program
    except KeyboardInterrupt:
        return 130  # interrupted while it was still being loaded
    return ignore_impatience(run_program(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())

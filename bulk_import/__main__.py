"""`python -m bulk_import`, the same as `bulk-import`."""

from __future__ import annotations

import sys

from bulk_import import early


def main() -> int:
    """Carry out the command line of this process and return its exit code."""
    try:
        early.heed()
        from bulk_import.cli.ending import leave, run_program
    except KeyboardInterrupt:
        return early.exit_code()  # interrupted while it was still being loaded
    return leave(early.exit_code() if early.caught else run_program(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())

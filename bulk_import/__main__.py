"""`python -m bulk_import`, the same as `bulk-import`."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> int:
    """Carry out the command line of this process and return its exit code."""
    _heed_signals()
    try:
        from bulk_import.cli.ending import run_program
    except KeyboardInterrupt:
        return 130  # interrupted while it was still being loaded
    code = run_program(sys.argv[1:])
    if code == 128 + signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more impatient Ctrl-C must not change the code
    return code


def _heed_signals() -> None:
    """Until a run listens for itself, a signal ends the process by the documented code; an ignored one stays ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _leave)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())

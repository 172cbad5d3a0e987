"""`python -m bulk_import`, the same as `bulk-import`."""

from __future__ import annotations

import gc
import os
import sys

from bulk_import import early

GARBAGE = 50_000
"""Objects more than were given back, before Python looks for unreachable cycles.

A request makes hundreds of them and gives all back but a few: looking as often as Python does by itself costs a fifth of a run.
"""


def main() -> int:
    """Carry out the command line of this process and return its exit code."""
    gc.set_threshold(GARBAGE)
    try:
        early.heed()  # before anything else: until then Python answers Ctrl-C with a traceback
        from bulk_import.cli.ending import run_program

        early.interrupt()
        code = run_program(sys.argv[1:])
    except KeyboardInterrupt:
        code = early.exit_code()  # interrupted while it was still being loaded
    return _leave(code)


def _leave(code: int) -> int:
    """End the process with *code*, whatever still reads what nobody waits for, and however often it is interrupted.

    Python ends an interrupted process by the signal itself, which would hide the code.
    """
    early.ignore()
    import threading

    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if not early.caught and all(thread.daemon for thread in others):
        return code
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue  # closed, or nobody reads it any more
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())

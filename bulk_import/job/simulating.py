"""Starts the built-in simulator in a process of its own, on a state file beside the ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bulk_import.errors import LedgerRefuses, StoppedEarly

KEY = "sk_test_simulated"
"""The simulator takes any test key; this one says where it comes from."""


def state_file(ledger: Path) -> Path:
    """Where the simulated account of a ledger lives."""
    return ledger.with_name(ledger.name + ".account")


def begun_account(ledger: Path, recorded: str) -> Path:
    """Where the simulated account of a ledger that was begun lies: beside it, or where it was when the ledger was begun.

    Raises `LedgerRefuses` where it is at neither place: a new, empty one would look as if every customer were lost.
    """
    beside = state_file(ledger)
    found = next((path for path in (beside, Path(recorded)) if path.exists()), None)
    if found is None:
        raise LedgerRefuses(
            f"the simulated account of the ledger {ledger} is gone; put its file {beside} back, or start a new ledger with --ledger"
        )
    return found


@contextmanager
def simulator(state: Path) -> Iterator[str]:
    """Run the simulator on *state* and give its address; it ends with the block, or with this process.

    Its standard input is a pipe that it watches: when this process dies, however it dies, the pipe closes.
    """
    command = [sys.executable, "-m", "bulk_import.simulator", "--port", "0", f"--state={state}"]
    command += ["--exit-with-stdin", "--rate-limit", "none", "--endpoint-rate-limit", "none"]
    command += ["--latency", "80ms", "--jitter", "20ms"]
    # Its own session, so that a Ctrl-C at the terminal reaches the tool alone and flights can land.
    process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None  # noqa: S101 - piped above
    assert process.stdin is not None  # noqa: S101 - piped above
    try:
        line = process.stdout.readline()
        if not line.strip():
            raise StoppedEarly(
                f"the simulator did not start on {state} (exit code {process.wait()}); see its message above"
            )
        yield str(json.loads(line)["url"])
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()

"""The closing figures of a command, and the exit code that follows from them (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OK, SOME_FAILED, USAGE, STOPPED, REFUSED, LEDGER, DOUBT = 0, 1, 2, 3, 4, 5, 6
"""Exit codes; those of signals are 128 + the signal's number."""

TO_MEND = ("--what", "failed", "--output", "failed.csv")
"""What `export` is asked for when rows are to be mended; a file, since they are personal data."""


COUNTS = ("rows", "created", "existing", "updated", "duplicate", "invalid", "failed", "in_doubt", "pending")
"""The fields of `Summary` that count rows."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended; the fields of the `finish` event, in its order.

    `rows` are those chosen of the source, the tallies are the ledger's over all of them, and `requests`,
    `rate_limited` and `seconds` (wall clock) are this process's. `reason` says in one sentence why it ended
    early, None when it finished; `next` is the command that continues. `unwritten` pairs of row and
    customer are known but could not be put on disk. Without `is_counted` nobody could ask the ledger for `COUNTS`.
    """

    exit_code: int
    rows: int
    created: int
    existing: int
    updated: int
    duplicate: int
    invalid: int
    failed: int
    in_doubt: int
    pending: int
    requests: int
    requests_by_endpoint: Mapping[str, int]
    rate_limited: int
    seconds: float
    requests_per_second: float
    rows_per_second: float
    ledger: str
    next: str | None
    reason: str | None = None
    unwritten: tuple[tuple[int, str], ...] = ()
    is_counted: bool = True


def exit_code(
    *, signal: int | None, error_code: int | None, in_doubt: int, failed: int, invalid: int, orphans: int, pending: int
) -> int:
    """Return the first code that applies: signal, then the error that ended the run, 6, 3, 1, 0.

    *orphans* are duplicates whose owner failed; *pending* are chosen rows that were never sent though the
    run ended by itself.
    """
    if signal is not None:
        return 128 + signal
    if error_code is not None:
        return error_code
    if pending:
        return STOPPED
    if in_doubt:
        return DOUBT
    return SOME_FAILED if failed or invalid or orphans else OK

"""How a job ended, in figures, and what to type next."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Mapping

from bulk_import.job.watching import Watch
from bulk_import.ledger import MENDED, Tally
from bulk_import.model import Endpoint, Status
from bulk_import.pace.gate import Gate
from bulk_import.report.summary import OK, TO_MEND, Summary
from bulk_import.wording import counted


def figures(
    tally: Tally, left: int, started: Mapping[Endpoint, int], gate: Gate, watch: Watch, seconds: float, ledger: str
) -> Summary:
    """What the rows came to and what that took; how it ended is for the caller to say.

    *left* are the chosen rows that were never sent, *started* the requests by endpoint.
    """
    count = tally.count
    requests = {e.value: n for e, n in sorted(started.items())}
    return Summary(
        exit_code=OK,
        rows=sum(count(s) for s in Status if s not in (Status.PENDING, Status.CLAIMED)) + left,
        created=count(Status.CREATED), existing=count(Status.EXISTING), updated=count(Status.UPDATED),
        duplicate=count(Status.DUPLICATE), invalid=count(Status.INVALID), failed=count(Status.FAILED),
        in_doubt=count(Status.IN_DOUBT), pending=left,
        requests=sum(requests.values()), requests_by_endpoint=requests, rate_limited=gate.rate_limited,
        seconds=round(seconds, 3), requests_per_second=_pace(gate),
        rows_per_second=round(watch.fresh / max(seconds, 1e-9), 2),
        ledger=ledger, next=None, reason=None,
    )  # fmt: skip


def stopping(in_flight: int) -> str:
    """What is said as soon as a signal is heard."""
    if not in_flight:
        return "stopping"
    flights = counted(in_flight, "request is", "requests are")
    return f"stopping: {flights} under way; Ctrl-C again gives up on {'it' if in_flight == 1 else 'them'}"


def stopped_by(number: int) -> str:
    """Why a run ended, by the signal that a person or the system sent."""
    name = signal.Signals(number).name
    return f"stopped by Ctrl-C ({name})" if number == signal.SIGINT else f"stopped by {name}"


def next_command(summary: Summary, line: str) -> str | None:
    """What to type next, None when nothing is left to do."""
    if summary.exit_code == 0:
        return f"bulk-import export {quoted(summary.ledger)} --what map"
    if summary.exit_code == 1:
        return f"bulk-import export {quoted(summary.ledger)} {' '.join(TO_MEND)}"
    return line


def mended_command(ledger: str, *, live: bool) -> str:
    """What sends the rows that were mended and not sent yet."""
    return f"bulk-import retry {quoted(ledger)} --code {MENDED}{' --live' if live else ''}"


def doubtful_command(ledger: str, *, live: bool) -> str:
    """What sees what came of rows in doubt."""
    return f"bulk-import retry {quoted(ledger)} --only in_doubt{' --live' if live else ''}"


def quoted(text: str) -> str:
    """A path as a shell takes it, and as no option."""
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def _pace(gate: Gate) -> float:
    """Starts a second between the first and the last; of a run shorter than that, its starts in a whole second."""
    if gate.first_start is None or gate.last_start is None:
        return 0.0
    return round((gate.starts.total() - 1) / max(gate.last_start - gate.first_start, 1.0), 2)

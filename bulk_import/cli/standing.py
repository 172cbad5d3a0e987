"""The words of a run that goes on: what is about to happen, how it stands, and which notices are said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bulk_import.report.table import duration, number
from bulk_import.wording import counted

if TYPE_CHECKING:
    from bulk_import.options import Progress, Start

LESSER = frozenset({"faster", "concurrency", "latency", "probe"})
"""Notices of routine adjustments: only -v shows them, and with -v every notice names its code."""

_LABELS = (
    ("created", "created"),
    ("updated", "updated"),
    ("existing", "existing"),
    ("failed", "failed"),
    ("in_doubt", "in doubt"),
    ("invalid", "invalid"),
    ("duplicate", "duplicate"),
)


def opening(start: Start) -> list[str]:
    """What is about to happen: into which account, in which mode, how many rows, and which cap binds."""
    mode = "simulated" if start.simulated else "LIVE" if start.livemode else "test mode"
    name = f"{start.account} ({start.account_name})" if start.account_name else start.account
    rehearsal = ", dry run" if start.dry_run else ""
    todo = f"{start.rows - start.settled:,} of {counted(start.rows, 'row')} to go"
    if start.most is not None:
        time = "" if start.seconds is None else f" in {duration(start.seconds)} or more"
        every = start.most == start.rows - start.settled
        todo += time if every else f", of which at most {counted(start.most, 'is', 'are')} sent{time}"
    cap = (
        "no cap" if start.binding_rate is None else f"at most {number(start.binding_rate)} requests/s ({start.binding})"
    )
    return [
        f"{'standard input' if start.source == '-' else start.source} -> {name}, {mode}{rehearsal}",
        f"{todo}, {cap}, dedupe: {start.dedupe}",
        f"ledger: {start.ledger}",
    ]


def standing(progress: Progress, cap: float | None, room: int | None = None) -> str:
    """Pace, time left, and rows by status, the most telling first: what *room*, in columns, cannot hold is left out."""
    allowed = f"/{number(cap)}" if cap is not None else ""
    parts = [f"{number(progress.requests_per_second)}{allowed} req/s"]
    if progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    parts += [f"{count:,} {label}" for key, label in _LABELS if (count := _count(progress.by_status, key))]
    parts += [
        f"{count:,} {label}"
        for count, label in ((progress.retries, "retries"), (progress.rate_limited, "429s"))
        if count
    ]
    while room is not None and len(parts) > 1 and len(", ".join(parts)) > room:
        parts.pop()
    return ", ".join(parts)


def is_shown(code: str, verbosity: int) -> bool:
    """Whether a notice is said at this verbosity."""
    return verbosity > 0 or code not in LESSER


def worded(code: str, message: str, verbosity: int) -> str:
    """A notice as it is said at this verbosity."""
    return f"[{code}] {message}" if verbosity > 0 else message


def _count(by_status: Mapping[str, int], key: str) -> int:
    return by_status.get(key, 0)

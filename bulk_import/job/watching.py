"""Keeps count of a run while it goes on, and puts it into the numbers a person watches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from bulk_import.ledger import Tally
from bulk_import.model import Released, Settled, Status
from bulk_import.options import Progress
from bulk_import.pace.gate import Gate

WINDOW = 10.0
"""Seconds over which the present pace is measured."""

TELLING = 3.0
"""Seconds since the first row was settled from which on that pace says how long the others will take."""

_STATUS = {
    "Created": Status.CREATED,
    "Updated": Status.UPDATED,
    "Existing": Status.EXISTING,
    "Duplicate": Status.DUPLICATE,
    "Failed": Status.FAILED,
    "InDoubt": Status.IN_DOUBT,
    "Invalid": Status.INVALID,
}


class Watch:
    """The count of one run: what the ledger held at the start, and what was put on disk since.

    `tick` is a monotonic clock in seconds, `cap` the most rows a second that the rates allow, None without any.
    """

    def __init__(self, gate: Gate, tick: Callable[[], float], cap: float | None = None) -> None:
        self._gate = gate
        self._cap = cap
        self._tick = tick
        self._began = tick()
        self._recent: deque[tuple[float, int, int]] = deque()
        self._settling: tuple[float, int] | None = None  # when the first row was seen settled, and how many there were
        self.rows = 0
        self._others = 0
        self.retries = 0
        self.fresh = 0
        self.counts: dict[Status, int] = {}

    def begin(self, rows: int, tally: Tally, settled: int | None = None) -> None:
        """Start from what the ledger holds; *rows* are those chosen, *settled* those of them that need nothing more.

        Without *settled*, all rows of the ledger are among those chosen.
        """
        self.rows = rows
        self.counts = {s: tally.count(s) for s in Status if s not in (Status.CLAIMED, Status.PENDING)}
        self._others = 0
        self._others = 0 if settled is None else self.settled - settled

    def reopened(self, count: int) -> None:
        """Rows in doubt go out again."""
        self.counts[Status.IN_DOUBT] = max(0, self.counts.get(Status.IN_DOUBT, 0) - count)

    def reopened_failures(self, statuses: Iterable[str]) -> None:
        """Failed and invalid rows are tried again."""
        for name in statuses:
            self.counts[Status(name)] = max(0, self.counts.get(Status(name), 0) - 1)

    def written(self, settled: Sequence[Settled]) -> None:
        """These outcomes are on disk."""
        for one in settled:
            self.retries += max(0, one.attempts - 1)
            if not isinstance(one.outcome, Released):
                status = _STATUS[type(one.outcome).__name__]
                self.counts[status] = self.counts.get(status, 0) + 1
                self.fresh += status is not Status.IN_DOUBT

    def looked_at(self, count: int) -> None:
        """So many of `rows` are dealt with, by a command that settles nobody: they have no status to be counted by."""
        self.counts = {Status.PENDING: count}
        self.fresh = count

    @property
    def settled(self) -> int:
        """Of the rows chosen, those that need nothing more."""
        return sum(n for status, n in self.counts.items() if status is not Status.IN_DOUBT) - self._others

    def progress(self) -> Progress:
        """Where the run stands now."""
        now, starts = self._tick(), self._gate.starts.total()
        self._recent.append((now, starts, self.settled))
        while len(self._recent) > 2 and now - self._recent[0][0] > WINDOW:
            self._recent.popleft()
        then, before, settled_before = self._recent[0]
        span = max(now - then, 1e-9)
        left = max(0, self.rows - self.settled)
        return Progress(
            self.rows, self.settled, {s.value: n for s, n in self.counts.items()}, starts, self._gate.rate_limited,
            self.retries, self._gate.in_flight, (starts - before) / span, now - self._began,
            self._seconds_left(left, self._rows_per_second(now, then, settled_before)),
        )  # fmt: skip

    def _rows_per_second(self, now: float, then: float, settled: int) -> float | None:
        """The pace since *then*, when so many were settled; None while it is too early to tell.

        What came before the first row, such as listing the account, is no part of it.
        """
        if self._settling is None and self.fresh:
            self._settling = (now, self.settled)
        if self._settling is None or now - self._settling[0] < TELLING:
            return None
        since, before = max((then, settled), self._settling)
        return (self.settled - before) / (now - since)

    def _seconds_left(self, left: int, measured: float | None) -> float | None:
        """By the smaller of what is measured and what is allowed; before anything is measured, by what is allowed."""
        if not self.rows:  # nothing is known of them yet
            return None
        rates = [rate for rate in (self._cap, measured or None) if rate is not None]
        return left / min(rates) if rates and left else (0.0 if not left else None)

"""What a run measured while it went on, in a bounded number of time intervals, for the report's plots.

The event loop counts into a `Series`; what it hands over is merged into the ledger by whoever commits next. However
long a run is, at most `MOST` intervals are kept: one more, and all of them become twice as wide.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bulk_import.model import Endpoint, Reply

MOST = 600
"""Intervals that are kept: ten minutes at one second each, a day at four minutes each."""

EVERY = 5.0
"""Seconds between two hand-overs."""

SLOWEST = 20
"""Rows that are remembered for having taken longest."""

UNIT, RATIO = 0.001, 1.07
"""A latency is counted in steps: the first ends at UNIT seconds, each later one at RATIO times the one before."""

_STEP = 1 / math.log(RATIO)


@dataclass(slots=True)
class Interval:
    """What happened from `began` (seconds since the epoch) on, for `width` seconds.

    `settled` counts rows whose outcome came to disk, `answers` requests by `endpoint status` (or what broke them),
    `waits` the same requests by latency step. `cap` is the most requests a second that were allowed.
    """

    began: int
    width: int = 1
    settled: int = 0
    cap: float | None = None
    answers: Counter[str] = field(default_factory=Counter)
    waits: Counter[int] = field(default_factory=Counter)

    def answers_of(self, status: int) -> int:
        """Requests that were answered with this HTTP status."""
        return sum(count for name, count in self.answers.items() if name.endswith(f" {status}"))

    def add(self, other: Interval) -> None:
        """Count what another interval counted, too."""
        self.settled += other.settled
        self.cap = other.cap if other.cap is not None else self.cap
        self.answers.update(other.answers)
        self.waits.update(other.waits)


class Slow(NamedTuple):
    """A row and how long it took from its first attempt to its outcome, in seconds."""

    seconds: float
    row: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What a series hands over."""

    intervals: tuple[Interval, ...]
    slow: tuple[Slow, ...]


class Series:
    """Counts what a run does; `now` is the wall clock in seconds. Every method belongs to the event loop."""

    def __init__(self, now: Callable[[], float], cap: float | None) -> None:
        self._now = now
        self._cap = cap
        self._open: dict[int, Interval] = {}
        self._width = 1
        self._slow: list[Slow] = []
        self._handed_at = now()

    def heard(self, endpoint: Endpoint, reply: Reply) -> None:
        """Count one request in the interval in which it was answered; what was not answered took no time to answer."""
        interval = self._interval()
        interval.answers[f"{endpoint} {reply.status or reply.fault or 'no answer'}"] += 1
        if reply.status is not None:
            interval.waits[step_of(reply.seconds)] += 1

    def written(self, count: int) -> None:
        """Count rows whose outcome is on disk."""
        self._interval().settled += count

    def landed(self, row: int, seconds: float, attempts: int) -> None:
        """Remember a row if it is among the slowest."""
        if len(self._slow) < SLOWEST:
            heapq.heappush(self._slow, Slow(seconds, row, attempts))
        elif seconds > self._slow[0].seconds:
            heapq.heapreplace(self._slow, Slow(seconds, row, attempts))

    def is_due(self) -> bool:
        """Whether it is time to hand over."""
        return self._now() - self._handed_at >= EVERY

    def take(self) -> Sample:
        """Hand over what was counted since the last time, and begin anew."""
        self._handed_at = self._now()
        taken, self._open = self._open, {}
        return Sample(tuple(taken.values()), tuple(self._slow))

    def _interval(self) -> Interval:
        began = int(self._now()) // self._width * self._width
        found = self._open.get(began)
        if found is None:
            if len(self._open) >= MOST:
                self._width *= 2
                self._open = {i.began: i for i in widened(self._open.values(), self._width)}
                return self._interval()
            found = self._open[began] = Interval(began, self._width, cap=self._cap)
        return found


def step_of(seconds: float) -> int:
    """The latency step that holds *seconds*."""
    return 0 if seconds <= UNIT else math.ceil(math.log(seconds / UNIT) * _STEP)


def widened(intervals: Iterable[Interval], width: int) -> list[Interval]:
    """The same counts in intervals of *width* seconds, in order of time."""
    found: dict[int, Interval] = {}
    for interval in intervals:
        began = interval.began // width * width
        found.setdefault(began, Interval(began, width)).add(interval)
    return [found[began] for began in sorted(found)]


def bounded(intervals: Iterable[Interval]) -> list[Interval]:
    """The same counts in intervals of one width, at most `MOST` of them."""
    every = list(intervals)
    width = max((interval.width for interval in every), default=1)
    found = widened(every, width)
    while len(found) > MOST:
        width *= 2
        found = widened(found, width)
    return found


def percentile(waits: Mapping[int, int], share: float) -> float | None:
    """The latency in seconds that *share* of the requests did not exceed, to a step's accuracy; None without any."""
    left = sum(waits.values()) * share
    for step in sorted(waits):
        left -= waits[step]
        if left <= 1e-9:
            return UNIT * RATIO**step
    return None

"""A run's intervals as plots: numbers to SVG paths, nothing drawn yet (pure).

The horizontal axis is time at work: a pause between two commands is a break in it, not an empty stretch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from bulk_import.report.described import part
from bulk_import.report.table import number
from bulk_import.series import Interval, percentile

PAUSE = 60.0
"""Seconds without any request from which on the axis is broken: nobody was working then."""

MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 46.0, 12.0, 10.0, 24.0


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, in pixels, and what it says."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot: its style's name, what the legend says, and the path."""

    style: str
    label: str
    path: str


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot, ready to be drawn; lengths in pixels."""

    title: str
    unit: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    breaks: tuple[float, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """An interval and when it began on the axis, in seconds of work; `breaks` is whether a pause lies before it."""

    at: float
    interval: Interval
    breaks: bool


def at_work(intervals: Sequence[Interval]) -> list[Stretch]:
    """The intervals on an axis without pauses."""
    found: list[Stretch] = []
    for interval in intervals:
        if not found:
            found.append(Stretch(0.0, interval, breaks=False))
            continue
        last = found[-1]
        gap = interval.began - last.interval.began - last.interval.width
        breaks = gap > max(PAUSE, 2 * interval.width)
        at = last.at + last.interval.width + (0 if breaks else gap)
        found.append(Stretch(at, interval, breaks))
    return found


def throughput(intervals: Sequence[Interval], width: float, height: float) -> Plot:
    """Requests and settled rows a second over time, against the cap."""
    stretches = at_work(intervals)
    most = max([i.answers.total() / i.width for i in intervals] + [i.settled / i.width for i in intervals]
               + [i.cap or 0.0 for i in intervals], default=1.0)  # fmt: skip
    plot = _Frame(stretches, most, width, height)
    curves = [Curve("requests", "requests/s", plot.steps(lambda i: i.answers.total() / i.width))]
    curves.append(Curve("rows", "rows settled/s", plot.steps(lambda i: i.settled / i.width)))
    if any(interval.answers_of(429) for interval in intervals):
        curves.append(Curve("limited", "answered 429/s", plot.steps(lambda i: i.answers_of(429) / i.width)))
    if any(interval.cap is not None for interval in intervals):
        curves.append(Curve("cap", "cap", plot.joined(lambda i: i.cap, lasting=True)))
    return plot.drawn("Requests and rows a second", "per second", curves, number)


def latencies(intervals: Sequence[Interval], width: float, height: float) -> Plot:
    """Latency percentiles over time."""
    stretches = [stretch for stretch in at_work(intervals) if stretch.interval.waits]
    most = max((percentile(s.interval.waits, 0.99) or 0.0 for s in stretches), default=1.0)
    plot = _Frame(stretches, most, width, height)
    curves = [
        Curve(f"p{share * 100:g}", f"{part(share)} within", plot.joined(partial(_within, share)))
        for share in (0.99, 0.95, 0.5)
    ]
    return plot.drawn("How long answers took", "seconds", curves, _seconds)


def _within(share: float, interval: Interval) -> float | None:
    return percentile(interval.waits, share)


class _Frame:
    """Axes: seconds of work to the right, values from 0 to a round number above *most* upwards."""

    def __init__(self, stretches: Sequence[Stretch], most: float, width: float, height: float) -> None:
        self._stretches = stretches
        self._size = (width, height)
        self._span = max((s.at + s.interval.width for s in stretches), default=1.0)
        self._step = nice(max(most, 1e-3) / 4)
        self._top = self._step * math.ceil(max(most, 1e-3) / self._step - 1e-9)

    def steps(self, value: Callable[[Interval], float]) -> str:
        """A line that stays at each interval's value for its width, and at zero between intervals."""
        points: list[tuple[float, float]] = [(0.0, 0.0)]
        for stretch in self._stretches:
            begin, end = stretch.at, stretch.at + stretch.interval.width
            if begin > points[-1][0]:
                points += [(points[-1][0], 0.0), (begin, 0.0)]
            points += [(begin, value(stretch.interval)), (end, value(stretch.interval))]
        return self._path([[*points, (points[-1][0], 0.0)]])

    def joined(self, value: Callable[[Interval], float | None], *, lasting: bool = False) -> str:
        """A line through each interval's two ends, broken by a pause and, unless it is *lasting*, where nothing was measured."""
        pieces: list[list[tuple[float, float]]] = []
        for stretch in self._stretches:
            if (found := value(stretch.interval)) is None:
                continue
            if not pieces or stretch.breaks or not (lasting or _meets(pieces[-1][-1][0], stretch)):
                pieces.append([])
            elif lasting:
                pieces[-1].append((stretch.at, pieces[-1][-1][1]))
            pieces[-1] += [(stretch.at, found), (stretch.at + stretch.interval.width, found)]
        return self._path(pieces)

    def drawn(self, title: str, unit: str, curves: Sequence[Curve], said: Callable[[float], str]) -> Plot:
        """The plot with its axes."""
        width, height = self._size
        stride = nice_time(self._span / max(2, width // 110))
        across = [Tick(self._x(t), clock(t)) for t in _upto(self._span, stride)]
        up = [Tick(self._y(v), said(v)) for v in _upto(self._top, self._step)]
        breaks = tuple(self._x(stretch.at) for stretch in self._stretches if stretch.breaks)
        return Plot(
            title, unit, width, height, MARGIN_LEFT, width - MARGIN_RIGHT, MARGIN_TOP, height - MARGIN_BOTTOM,
            tuple(across), tuple(up), breaks, tuple(curves),
        )  # fmt: skip

    def _x(self, seconds: float) -> float:
        inner = self._size[0] - MARGIN_LEFT - MARGIN_RIGHT
        return round(MARGIN_LEFT + inner * seconds / self._span, 1)

    def _y(self, value: float) -> float:
        inner = self._size[1] - MARGIN_TOP - MARGIN_BOTTOM
        return round(MARGIN_TOP + inner * (1 - min(value / self._top, 1.0)), 1)

    def _path(self, pieces: Iterable[Sequence[tuple[float, float]]]) -> str:
        """SVG path data; points that say nothing new are left out."""
        words: list[str] = []
        for piece in pieces:
            before: tuple[float, float] | None = None
            for at, value in piece:
                point = (self._x(at), self._y(value))
                if point != before:
                    words.append(f"{'M' if before is None else 'L'}{point[0]:g} {point[1]:g}")
                before = point
        return "".join(words)


def _meets(end: float, stretch: Stretch) -> bool:
    """Whether an interval begins where the last one ended, or next to it."""
    return stretch.at - end < max(2.0, stretch.interval.width)


def nice(step: float) -> float:
    """The next round number: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * factor for factor in (1.0, 2.0, 5.0, 10.0) if power * factor >= step * (1 - 1e-9))


def nice_time(step: float) -> float:
    """The next length of time that a clock would show."""
    marks = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200)
    return float(next((mark for mark in marks if mark >= step), math.ceil(step / 86400) * 86400))


def clock(seconds: float) -> str:
    """A length of time on an axis: `0`, `30 s`, `2 min`, `1 h 30 min`."""
    whole = round(seconds)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0"


def _upto(end: float, step: float) -> list[float]:
    return [index * step for index in range(math.floor(end / step + 1e-9) + 1)]


def _seconds(value: float) -> str:
    return f"{value:g} s" if value >= 1 or not value else f"{value * 1000:g} ms"
